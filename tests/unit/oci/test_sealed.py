"""Secrets of a build are opened with the key they were sealed for, and with no other."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.build.sources import seal

from dayfly.model.errors import InvalidRequest
from dayfly.oci.sealed import builder_key, unseal

KEY, OTHER = b"k" * 32, b"o" * 32
SECRETS = {"pip.conf": b"index", "empty": b"", "bytes": bytes(range(256))}


@given(st.dictionaries(st.from_regex(r"[a-z][a-z0-9._-]{0,20}", fullmatch=True), st.binary(max_size=200), max_size=5))
def test_what_was_sealed_comes_out(secrets: dict[str, bytes]) -> None:
    assert unseal(KEY, seal(builder_key(KEY).public_key, secrets)) == secrets


def test_the_key_is_told_as_the_client_wants_it() -> None:
    key = builder_key(KEY)
    assert (key.key_id, key.algorithm, len(key.public_key)) == (key.public_key[:8], "nacl/box", 44)


def test_a_key_id_in_quotes_is_read() -> None:
    envelope = (
        seal(builder_key(KEY).public_key, SECRETS).replace(b"key_id: ", b'key_id: "').replace(b"\npub", b'"\npub', 1)
    )
    assert unseal(KEY, envelope) == SECRETS


def test_another_key_opens_nothing() -> None:
    with pytest.raises(InvalidRequest, match="sealed for another builder"):
        unseal(OTHER, seal(builder_key(KEY).public_key, SECRETS))


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        (b"v1", b"v2", "must be sealed as v1"),
        (b"nacl/box", b"rot13", "must be sealed as v1"),
        (b"public_key: ", b"public_key: AAAA", "cannot be opened"),
        (b"bytes: ", b"bytes: AAAA", "cannot be opened"),
        (b"bytes: ", b"bytes: !", "cannot be opened"),
        (b"secrets:", b"- secrets", "no envelope"),
        (b"secrets:", b"\xff", "no envelope"),
    ],
)
def test_a_changed_envelope_is_refused(old: bytes, new: bytes, what: str) -> None:
    with pytest.raises(InvalidRequest, match=what):
        unseal(KEY, seal(builder_key(KEY).public_key, SECRETS).replace(old, new, 1))


@given(st.binary(max_size=300))
def test_any_bytes_are_refused_in_words(data: bytes) -> None:
    with pytest.raises(InvalidRequest):
        unseal(KEY, data)
