"""Paths and hosts as routes read them: one reading, or none."""

from urllib.parse import quote, unquote_to_bytes

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dayfly.decide.paths import host_name, plain_path


@pytest.mark.parametrize(
    ("path", "plain"),
    [
        (b"/", b"/"),
        (b"/a/b", b"/a/b"),
        (b"/a/b/", b"/a/b/"),
        (b"/%61dmin", b"/admin"),
        (b"/a%20b", b"/a b"),
        (b"/gr%C3%B6%C3%9Fe", "/größe".encode()),
        (b"/.well-known/x", b"/.well-known/x"),
        (b"/a...b/...", b"/a...b/..."),
        (b"/50%25", b"/50%"),
    ],
)
def test_a_path_is_decoded_once(path: bytes, plain: bytes) -> None:
    assert plain_path(path) == plain


@pytest.mark.parametrize(
    "path",
    [b"/a%2fb", b"/a%2Fb", b"/a%5cb", b"/a\\b", b"/a%00", b"/a%0a", b"/a%7f", b"//a", b"/a//b", b"/a//", b"/a/../b",
     b"/a/..", b"/..", b"/./a", b"/a/.", b"/%2e%2e/a", b"/%2e/a", b"/a/%2E%2e", b"/a;b", b"/a%3Bb", b"/%2561dmin",
     b"/a%", b"/a%2", b"/a%zz"],
)  # fmt: skip
def test_a_path_that_two_readers_could_understand_in_two_ways_is_none(path: bytes) -> None:
    assert plain_path(path) is None


@given(st.text(st.characters(min_codepoint=1, exclude_categories=["Cs"]), max_size=20))
def test_whatever_is_accepted_means_the_same_to_whoever_decodes_it_again(text: str) -> None:
    path = ("/" + quote(text, safe="/")).encode()
    plain = plain_path(path)
    if plain is not None:
        assert unquote_to_bytes(path) == plain
        assert unquote_to_bytes(plain) == plain
        assert not {b".", b".."} & {*plain.split(b"/")}
        assert b"" not in plain.split(b"/")[1:-1]


@pytest.mark.parametrize(
    ("header", "name"),
    [
        (b"api.example.org", b"api.example.org"),
        (b"API.Example.ORG:8080", b"api.example.org"),
        (b"api.example.org.", b"api.example.org"),
        (b"api.example.org.:443", b"api.example.org"),
        (b"api.example.org..", b"api.example.org."),
        (b"[::1]:8080", b""),
        (b"", b""),
    ],
)
def test_a_host_is_its_name_alone(header: bytes, name: bytes) -> None:
    assert host_name(header) == name
