"""Keys that images are signed with: ed25519, as PEM files that openssl reads too.

NAME        the private key, for its owner alone
NAME.pub    the public key, for whoever is to check
"""

import hashlib
import os
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from dayfly.model.errors import ConfigError, Conflict

_MAX_BYTES = 16 * 1024


class VerifyKey:
    """The public half."""

    def __init__(self, key: Ed25519PublicKey) -> None:
        self._key = key

    @property
    def name(self) -> str:
        """What tells it from others: 16 hex digits of its hash."""
        return hashlib.sha256(self._key.public_bytes_raw()).hexdigest()[:16]

    @property
    def pem(self) -> str:
        """The key as it stands in a file."""
        form = serialization.PublicFormat.SubjectPublicKeyInfo
        return self._key.public_bytes(serialization.Encoding.PEM, form).decode()

    def signed(self, data: bytes, signature: bytes) -> bool:
        """Whether the data was signed with the other half of this key."""
        try:
            self._key.verify(signature, data)
        except InvalidSignature:
            return False
        return True


class SigningKey:
    """A key with both halves."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key

    @property
    def public(self) -> VerifyKey:
        """The half to give away."""
        return VerifyKey(self._key.public_key())

    def sign(self, data: bytes) -> bytes:
        """Return the signature; the same data has always the same."""
        return self._key.sign(data)


def generate(path: Path) -> SigningKey:
    """Make a key in two files. Raises Conflict where there is one already, ConfigError."""
    key = Ed25519PrivateKey.generate()
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    made = SigningKey(key)
    _write(path, pem, 0o600)
    _write(public_path(path), made.public.pem.encode(), 0o644)
    return made


def public_path(path: Path) -> Path:
    """Return where the public half of the key at `path` is."""
    return path.with_name(f"{path.name}.pub")


def load_signing_key(path: Path) -> SigningKey:
    """Return the key in the file. Raises ConfigError, also for a file that others may read."""
    data, mode = _read(path)
    if mode & 0o077:
        raise ConfigError(f"The private key {path} is open to other accounts", hint=f"chmod 600 {path}")
    try:
        key = serialization.load_pem_private_key(data, password=None)
    except (ValueError, TypeError) as error:
        raise ConfigError(f"{path} holds no private key that can be used: {error}") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise ConfigError(f"{path} holds a key of another kind than ed25519", hint="`dayfly key generate` makes one.")
    return SigningKey(key)


def load_verify_key(path: Path) -> VerifyKey:
    """Return the public key in the file. Raises ConfigError."""
    data, _ = _read(path)
    try:
        key = serialization.load_pem_public_key(data)
    except ValueError as error:
        hint = f"The public half is in a file of its own, {path}.pub." if b"PRIVATE" in data else ""
        raise ConfigError(f"{path} holds no public key: {error}", hint=hint) from error
    if not isinstance(key, Ed25519PublicKey):
        raise ConfigError(f"{path} holds a key of another kind than ed25519")
    return VerifyKey(key)


def _read(path: Path) -> tuple[bytes, int]:
    try:
        with path.open("rb") as file:
            return file.read(_MAX_BYTES), os.fstat(file.fileno()).st_mode
    except OSError as error:
        raise ConfigError(f"The key {path} cannot be read: {error.strerror}") from error


def _write(path: Path, data: bytes, mode: int) -> None:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(descriptor, mode)
            file.write(data)
    except FileExistsError as error:
        raise Conflict(f"{path} is there already; a key is never overwritten") from error
    except OSError as error:
        raise ConfigError(f"The key {path} cannot be written: {error.strerror}") from error
