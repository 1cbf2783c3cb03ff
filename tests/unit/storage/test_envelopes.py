"""Envelopes open with their key, at their place, as they were made, and in no other way."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dayfly.storage.secrets.envelopes import KEY_BYTES, Key, NotOurs

TEXTS = st.text(max_size=12)
KEY = Key(b"k" * KEY_BYTES)


@given(plain=st.binary(max_size=200), place=st.lists(TEXTS, max_size=3))
def test_what_was_sealed_comes_back(plain: bytes, place: list[str]) -> None:
    sealed = KEY.seal(plain, *place)
    assert KEY.unseal(sealed, *place) == plain
    assert len(sealed) == len(plain) + 28
    assert sealed != KEY.seal(plain, *place), "the same content twice must not show"


@given(place=st.lists(TEXTS, max_size=3), other=st.lists(TEXTS, max_size=3))
def test_an_envelope_is_bound_to_its_place(place: list[str], other: list[str]) -> None:
    if place != other:
        with pytest.raises(NotOurs):
            KEY.unseal(KEY.seal(b"content", *place), *other)


@given(at=st.integers(0, 34), bit=st.integers(0, 7))
def test_a_changed_bit_is_seen(at: int, bit: int) -> None:
    sealed = bytearray(KEY.seal(b"content", "here"))
    sealed[at] ^= 1 << bit
    with pytest.raises(NotOurs):
        KEY.unseal(bytes(sealed), "here")


@pytest.mark.parametrize("sealed", [b"", b"short", b"x" * 28])
def test_what_is_no_envelope_is_not_ours(sealed: bytes) -> None:
    with pytest.raises(NotOurs):
        KEY.unseal(sealed, "here")


def test_another_key_does_not_open_it() -> None:
    with pytest.raises(NotOurs):
        Key.new().unseal(KEY.seal(b"content", "here"), "here")


def test_a_key_is_known_by_a_fingerprint_that_shows_nothing_of_it() -> None:
    assert Key(b"k" * KEY_BYTES).fingerprint == KEY.fingerprint != Key.new().fingerprint
    assert repr(KEY) == f"Key({KEY.fingerprint})"
    with pytest.raises(ValueError, match="32 bytes"):
        Key(b"short")
