"""WWW-Authenticate, as registries write it and as nobody should."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dayfly.oci.registry.challenge import MAX_CHARACTERS, Challenge, choose, parse_challenges

BEARER = 'Bearer realm="https://auth.example.com/token",service="registry",scope="repository:a/b:pull,push"'
TOKENS = st.text("abcdefghijklmnopqrstuvwxyz0123456789!#$%&'*+-.^_`|~", min_size=1, max_size=12)
VALUES = st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=40)
CHALLENGES = st.builds(Challenge, TOKENS, st.dictionaries(TOKENS, VALUES, max_size=4))


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (
            BEARER,
            [
                Challenge(
                    "bearer",
                    {
                        "realm": "https://auth.example.com/token",
                        "service": "registry",
                        "scope": "repository:a/b:pull,push",
                    },
                )
            ],
        ),
        ('Basic realm="tests"', [Challenge("basic", {"realm": "tests"})]),
        ("BASIC REALM=tests", [Challenge("basic", {"realm": "tests"})]),
        ("Negotiate", [Challenge("negotiate")]),
        ("Negotiate a87==, Basic realm=x", [Challenge("negotiate", {}, "a87=="), Challenge("basic", {"realm": "x"})]),
        ("Negotiate, Basic realm=x", [Challenge("negotiate"), Challenge("basic", {"realm": "x"})]),
        (
            'Newauth realm="apps", type=1, title="Login to \\"apps\\"", Basic realm="simple"',
            [
                Challenge("newauth", {"realm": "apps", "type": "1", "title": 'Login to "apps"'}),
                Challenge("basic", {"realm": "simple"}),
            ],
        ),
        (", , Basic ,realm=a,,", [Challenge("basic", {"realm": "a"})]),
        ("Bearer realm=https://auth.example.com/token", [Challenge("bearer", {"realm": "https://auth.example.com/token"})]),
        ('Basic realm="first", realm="second"', [Challenge("basic", {"realm": "first"})]),
        ('Basic realm="a", Bearer realm="never closed', [Challenge("basic", {"realm": "a"}), Challenge("bearer")]),
        ("", []),
        ("=", []),
        ('"', []),
    ],
)  # fmt: skip
def test_a_line_is_read(line: str, expected: list[Challenge]) -> None:
    assert list(parse_challenges([line])) == expected


@given(st.lists(CHALLENGES, max_size=4))
def test_what_is_written_by_the_grammar_is_read_back(challenges: list[Challenge]) -> None:
    written = ", ".join(map(write, challenges))
    assert list(parse_challenges([written])) == challenges
    assert list(parse_challenges(map(write, challenges))) == challenges


def write(challenge: Challenge) -> str:
    escaped = {name: value.replace("\\", "\\\\").replace('"', '\\"') for name, value in challenge.parameters.items()}
    return " ".join([challenge.scheme, ", ".join(f'{name}="{value}"' for name, value in escaped.items())]).strip()


@given(st.text(max_size=200))
def test_nothing_makes_it_fail(line: str) -> None:
    for challenge in parse_challenges([line]):
        assert challenge.scheme == challenge.scheme.lower()


@pytest.mark.parametrize("piece", ["a", '"', "\\", "a=", "a,", ", ", 'a="', "a b", "/:a", "=="])
def test_a_long_line_costs_no_more_than_its_length(piece: str) -> None:
    began = time.process_time()
    parse_challenges([f"Basic {piece * MAX_CHARACTERS}"])
    assert time.process_time() - began < 5  # a parser that goes back on itself takes hours


def test_what_is_beyond_the_bound_is_not_read() -> None:
    (only,) = parse_challenges([f'Basic a="{"x" * MAX_CHARACTERS}", realm="b"'])
    assert "realm" not in only.parameters


@pytest.mark.parametrize(
    ("lines", "scheme"),
    [
        (['Basic realm="a"', BEARER], "bearer"),
        ([BEARER, 'Basic realm="a"'], "bearer"),
        (["Bearer service=x", 'Basic realm="a"'], "basic"),
        (["Negotiate", "Digest realm=a"], None),
        ([], None),
    ],
)
def test_bearer_with_a_realm_is_preferred(lines: list[str], scheme: str | None) -> None:
    chosen = choose(parse_challenges(lines))
    assert (chosen.scheme if chosen else None) == scheme
