"""Who signed an image, and that nothing else counts: another digest, name, key or document."""

import base64
import json
import stat
from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.oci.making import put_image, tar_of

from dayfly.model.errors import ConfigError, Conflict
from dayfly.oci.layout import Layout
from dayfly.oci.manifest import Descriptor, Manifest, decode
from dayfly.oci.reference import parse_reference
from dayfly.oci.signature import KIND, is_signed, payload_of, sign
from dayfly.oci.signing_key import SigningKey, VerifyKey, generate, load_signing_key, load_verify_key, public_path

NAME = parse_reference("registry.example.com/team/hello:1")
DIGEST, OTHER = "sha256:" + "a" * 64, "sha256:" + "b" * 64


@pytest.fixture
def key(tmp_path: Path) -> SigningKey:
    return generate(tmp_path / "release")


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout.create(tmp_path / "layout")


def signed(layout: Layout, key: SigningKey) -> tuple[Descriptor, Manifest, bytes]:
    entry = put_image(layout, tar_of({"a": b"1"}))
    manifest = decode(layout.read(sign(layout, entry, NAME, key)), Manifest, "it")
    return entry, manifest, layout.read(manifest.layers[0])


def test_the_signature_is_one_of_the_images(layout: Layout, key: SigningKey) -> None:
    entry, manifest, payload = signed(layout, key)
    assert manifest.subject == entry.bare
    assert manifest.artifact_type == KIND
    assert json.loads(payload) == {
        "critical": {
            "identity": {"docker-reference": "registry.example.com/team/hello"},
            "image": {"docker-manifest-digest": entry.digest},
            "type": "dayfly image signature",
        }
    }
    assert is_signed(manifest, payload, NAME, entry.digest, [key.public])
    assert is_signed(manifest, payload, NAME.tagged("other"), entry.digest, [key.public])


def test_nothing_else_counts(layout: Layout, key: SigningKey, tmp_path: Path) -> None:
    entry, manifest, payload = signed(layout, key)
    other = generate(tmp_path / "other").public
    assert not is_signed(manifest, payload, NAME, entry.digest, [])
    assert not is_signed(manifest, payload, NAME, entry.digest, [other])
    assert is_signed(manifest, payload, NAME, entry.digest, [other, key.public])
    assert not is_signed(manifest, payload, NAME, OTHER, [key.public])
    for name in ("registry.example.com/team/hell:1", "other.example.com/team/hello:1", "team/hello:1"):
        assert not is_signed(manifest, payload, parse_reference(name), entry.digest, [key.public])
    assert not is_signed(manifest, payload + b" ", NAME, entry.digest, [key.public])
    forged = payload_of(NAME, OTHER)
    assert not is_signed(manifest, forged, NAME, OTHER, [key.public])
    for text in ("", "!", base64.b64encode(b"x" * 64).decode()):
        broken = msgspec.structs.replace(manifest, annotations={"com.dayfly.signature": text})
        assert not is_signed(broken, payload, NAME, entry.digest, [key.public])
    assert not is_signed(msgspec.structs.replace(manifest, annotations=None), payload, NAME, entry.digest, [key.public])


def test_the_same_image_is_signed_alike(layout: Layout, key: SigningKey) -> None:
    entry = put_image(layout, tar_of({"a": b"1"}))
    assert sign(layout, entry, NAME, key) == sign(layout, entry, NAME, key)


@given(st.binary(max_size=500), st.binary(max_size=100))
def test_any_other_bytes_are_no_signature(data: bytes, signature: bytes) -> None:
    public = FIXED.public
    assert public.signed(data, FIXED.sign(data))
    assert not public.signed(data, signature)
    assert not public.signed(data + b"x", FIXED.sign(data))


def test_a_key_is_two_files_and_the_private_one_is_for_its_owner(tmp_path: Path) -> None:
    made = generate(tmp_path / "release")
    assert stat.S_IMODE((tmp_path / "release").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "release.pub").stat().st_mode) == 0o644
    assert public_path(tmp_path / "release").read_text() == made.public.pem
    assert load_signing_key(tmp_path / "release").public.pem == made.public.pem
    assert load_verify_key(tmp_path / "release.pub").name == made.public.name
    with pytest.raises(Conflict, match="never overwritten"):
        generate(tmp_path / "release")


def test_a_private_key_that_others_can_read_is_not_used(tmp_path: Path) -> None:
    generate(tmp_path / "release")
    for mode in (0o640, 0o604, 0o620):
        (tmp_path / "release").chmod(mode)
        with pytest.raises(ConfigError, match="open to other accounts"):
            load_signing_key(tmp_path / "release")


def test_what_is_no_key_is_told(tmp_path: Path) -> None:
    generate(tmp_path / "release")
    with pytest.raises(ConfigError, match="no public key") as caught:
        load_verify_key(tmp_path / "release")
    assert caught.value.hint.endswith("release.pub.")
    (tmp_path / "bad").write_text("nothing")
    (tmp_path / "bad").chmod(0o600)
    with pytest.raises(ConfigError, match="no private key"):
        load_signing_key(tmp_path / "bad")
    with pytest.raises(ConfigError, match="no public key"):
        load_verify_key(tmp_path / "bad")
    with pytest.raises(ConfigError, match="cannot be read"):
        load_verify_key(tmp_path / "missing")
    other = ec.generate_private_key(ec.SECP256R1())
    pem = other.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (tmp_path / "bad").write_bytes(pem)
    with pytest.raises(ConfigError, match="another kind than ed25519"):
        load_signing_key(tmp_path / "bad")
    public = other.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    (tmp_path / "bad").write_bytes(public)
    with pytest.raises(ConfigError, match="another kind than ed25519"):
        load_verify_key(tmp_path / "bad")


def _fixed() -> SigningKey:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    return SigningKey(Ed25519PrivateKey.from_private_bytes(b"k" * 32))


FIXED = _fixed()
assert isinstance(FIXED.public, VerifyKey)
