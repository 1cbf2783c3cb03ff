"""Tokens: long enough, found by their id, good for as long as they say."""

import pytest

from dayfly.model.errors import InvalidName, InvalidSpec
from dayfly.model.names import parse_namespace
from dayfly.model.token import Token, TokenRequest, id_in, new_token, parse_token_id


def test_tokens_differ_in_256_bits_and_are_found_by_their_id() -> None:
    made = [new_token() for _ in range(100)]
    assert len({name for name, _ in made}) == len({text.split("_", 2)[2] for _, text in made}) == 100
    for name, text in made:
        assert id_in(text) == parse_token_id(name) == name
        assert text.startswith("dayfly_")
        assert len(text) == len("dayfly__") + 12 + 43


@pytest.mark.parametrize(
    "change", [lambda t: t[:-1], lambda t: t + "x", lambda t: t.upper(), lambda t: " " + t, lambda t: t + "\n"]
)
def test_what_is_no_token_has_no_id(change: object) -> None:
    assert callable(change)
    assert id_in(change(new_token()[1])) == ""


@pytest.mark.parametrize("text", ["", "x", "../../etc/pas", "ABCDEFGHIJKL", "abcdefghijk\n", "abcdefghijklm", "٣" * 12])
def test_what_is_no_id_is_refused(text: str) -> None:
    with pytest.raises(InvalidName):
        parse_token_id(text)


@pytest.mark.parametrize(
    ("text", "life_s"), [("", 0), ("30d", 30 * 86_400), ("12h", 43_200), ("1h30m", 5400), ("60", 60)]
)
def test_how_long_it_is_good(text: str, life_s: float) -> None:
    asked = TokenRequest(role="view", expires=text)
    asked.check()
    assert asked.life_s == life_s


@pytest.mark.parametrize("text", ["0", "0d", "-1d", "1w", "d", "1d1h", "99999d", "1.5d", "٣d", " 1d"])
def test_what_is_no_life_is_refused(text: str) -> None:
    with pytest.raises(InvalidSpec, match="expires"):
        TokenRequest(role="view", expires=text).check()


@pytest.mark.parametrize("note", ["x" * 201, "a\nb", "\x1b[31m"])
def test_a_note_fits_on_a_line(note: str) -> None:
    with pytest.raises(InvalidSpec, match="note"):
        TokenRequest(role="view", note=note).check()


def test_an_expired_token_is_good_for_nothing_and_its_status_tells_no_hash() -> None:
    token = Token(
        id="a" * 12, namespace=parse_namespace("team"), role="view", created_unix_ms=0, expires_unix_ms=10, hash=b"x"
    )
    assert [token.is_good(at) for at in (0, 9, 10, 11)] == [True, True, False, False]
    assert "hash" not in token.status().__struct_fields__
    assert (token.principal.namespace, token.principal.role, token.principal.token) == ("team", "view", "a" * 12)
