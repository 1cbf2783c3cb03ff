"""secret keygen, seal and unseal: only the private key opens an envelope, and its names are all that can be read."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dayfly.model.errors import InvalidRequest
from dayfly.oci.sealed import unseal
from dayfly.oci.sealing import new_pair, read_key, seal

Run = Callable[..., Any]
NAMES = st.from_regex(r"[A-Za-z0-9._-]{1,20}", fullmatch=True)


@given(st.dictionaries(NAMES, st.binary(max_size=200), min_size=1, max_size=5))
def test_what_is_sealed_is_what_is_opened(values: dict[str, bytes]) -> None:
    public, private = map(read_key, new_pair())
    assert unseal(private, seal(public, values)) == values


def test_another_key_opens_nothing() -> None:
    public, _ = map(read_key, new_pair())
    _, other = map(read_key, new_pair())
    with pytest.raises(InvalidRequest):
        unseal(other, seal(public, {"a": b"1"}))


@pytest.mark.parametrize("text", [b"", b"!", b"AAAA", b"A" * 43])
def test_what_is_no_key_is_told(text: bytes) -> None:
    with pytest.raises(InvalidRequest, match="no key"):
        read_key(text)


def test_secrets_go_round_by_files(dayfly: Run, platform: Any, home: Path) -> None:
    made = dayfly("secret", "keygen", "-o", "keys/mine")
    assert made.exit_code == 0, made.stderr
    private, public, key_id = (line.split()[-1] for line in made.stdout.splitlines())
    assert (private, public) == ("keys/mine", "keys/mine.pub")
    assert (home / "keys/mine.pub").read_text().startswith(key_id)
    assert (home / private).stat().st_mode & 0o777 == 0o600
    (home / "ca.crt").write_bytes(b"\x00cert\n")
    sealed = dayfly("secret", "seal", public, "--from-literal", "tok=s3cr3t=", "--from-file", "ca=ca.crt")
    assert sealed.stdout == f"Sealed 2 secret(s) to com.openfaas.secrets (key ID: {key_id})\n"
    text = (home / "com.openfaas.secrets").read_text()
    assert "tok:" in text
    assert "s3cr3t" not in text
    assert dayfly("secret", "unseal", private, "--key", "ca").stdout_bytes == b"\x00cert\n"
    assert dayfly("secret", "unseal", private).stdout == "ca=\x00cert\n\ntok=s3cr3t=\n"
    assert json.loads(dayfly("secret", "unseal", private, "--json").stdout)["tok"] == "s3cr3t="
    assert platform.requests == []


def test_mistakes_are_told(dayfly: Run, home: Path) -> None:
    assert dayfly("secret", "keygen").exit_code == 0
    assert dayfly("secret", "keygen").exit_code == 73
    for args in (
        (),
        ("--from-literal", "a"),
        ("--from-literal", "a="),
        ("--from-literal", "a b=c"),
        ("--from-file", "a=no"),
    ):
        assert dayfly("secret", "seal", "key.pub", *args).exit_code == 64, args
    assert not (home / "com.openfaas.secrets").exists()
    assert dayfly("secret", "unseal", "key").exit_code == 64
    assert dayfly("secret", "seal", "key.pub", "--from-literal", "a=b", "-o", "e").exit_code == 0
    assert dayfly("secret", "unseal", "key", "--in", "e", "--key", "c").exit_code == 66
