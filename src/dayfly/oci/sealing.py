"""Sealing secrets for a builder, as faas-cli does: what `sealed` opens."""

import base64
import binascii
from collections.abc import Mapping

from nacl.public import Box, PrivateKey, PublicKey

from dayfly.model.errors import InvalidRequest
from dayfly.oci.sealed import ALGORITHM

_KEY_BYTES = 32


def new_pair() -> tuple[bytes, bytes]:
    """Return a new public and private key, each as the Base64 that files and messages hold."""
    private = PrivateKey.generate()
    return base64.b64encode(bytes(private.public_key)), base64.b64encode(bytes(private))


def read_key(text: bytes) -> bytes:
    """Return the 32 bytes of a key file. Raises InvalidRequest."""
    try:
        key = base64.b64decode(text.strip(), validate=True)
    except binascii.Error:
        key = b""
    if len(key) != _KEY_BYTES:
        raise InvalidRequest("This is no key: it must be 32 bytes in Base64, as `dayfly secret keygen` writes them.")
    return key


def key_id(public: bytes) -> str:
    """Return what a public key is called: the first eight letters of its Base64."""
    return base64.b64encode(public)[:8].decode()


def seal(public: bytes, values: Mapping[str, bytes]) -> bytes:
    """Return the envelope that only the holder of the private key can open; the secrets' names are readable."""
    sender = PrivateKey.generate()
    box = Box(sender, PublicKey(public))
    lines = [
        "version: v1",
        f"algorithm: {ALGORITHM}",
        f"key_id: {key_id(public)}",
        f"public_key: {base64.b64encode(bytes(sender.public_key)).decode()}",
        "secrets:",
        *(f"    {name}: {base64.b64encode(bytes(box.encrypt(values[name]))).decode()}" for name in sorted(values)),
    ]
    return "\n".join(lines).encode() + b"\n"
