"""Secrets of a build, sealed by `faas-cli` for this installation alone: NaCl boxes in an envelope.

    version: v1
    algorithm: nacl/box
    key_id: ABCDEFGH                the first eight letters of the recipient's public key
    public_key: BASE64              of the sender, made for this one envelope
    secrets:
        NAME: BASE64                a nonce of 24 bytes and what it seals

The envelope is written by one program in one form, so that it is read line by line instead of as YAML.
"""

import base64
import binascii
import re

from nacl.exceptions import CryptoError
from nacl.public import Box, PrivateKey, PublicKey

from dayfly.model.builder import BuilderKey
from dayfly.model.errors import InvalidRequest

ALGORITHM = "nacl/box"
_VERSION = "v1"
_MAX_SECRETS = 100
_LINE = re.compile(r"""( *)["']?([A-Za-z0-9._-]{1,253})["']?:(?: +["']?([^\s"']*)["']?)? *""")


def builder_key(private: bytes) -> BuilderKey:
    """Return the public half of a key of 32 bytes, as it is told to senders."""
    public = base64.b64encode(bytes(PrivateKey(private).public_key)).decode()
    return BuilderKey(public[:8], ALGORITHM, public)


def unseal(private: bytes, envelope: bytes) -> dict[str, bytes]:
    """Return the secrets by name. Raises InvalidRequest for an envelope that is none, or is for another key."""
    head, sealed = _read(envelope)
    if head.get("version") != _VERSION or head.get("algorithm") != ALGORITHM:
        raise InvalidRequest(f"the build's secrets must be sealed as {_VERSION}, {ALGORITHM}")
    try:
        box = Box(PrivateKey(private), PublicKey(_decoded(head.get("public_key", ""))))
        return {name: box.decrypt(_decoded(text)) for name, text in sealed.items()}
    except (CryptoError, ValueError, TypeError) as error:
        ours = builder_key(private).key_id
        raise InvalidRequest(
            "the build's secrets cannot be opened: they are damaged, or sealed for another builder",
            hint=f"This one's key begins with {ours}; GET /publickey tells it.",
        ) from error


def _read(envelope: bytes) -> tuple[dict[str, str], dict[str, str]]:
    head: dict[str, str] = {}
    sealed: dict[str, str] = {}
    try:
        lines = envelope.decode("ascii").splitlines()
    except UnicodeDecodeError:
        lines = ["?"]
    for line in filter(str.strip, lines):
        match = _LINE.fullmatch(line)
        if match is None or len(sealed) >= _MAX_SECRETS:
            raise InvalidRequest("the build's secrets are in no envelope of sealed secrets")
        indent, name, value = match.groups()
        (sealed if indent else head)[name] = value or ""
    return head, sealed


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError(text) from error
