"""The administrator's password on the disk: a salted scrypt hash in a file of its own, mode 0600.

The platform starts with a valid record or not at all: an empty, damaged or readable-by-others file is an error for the
operator, never a reason to run open (threats T1 and T3).
"""

import hashlib
import hmac
import secrets
from pathlib import Path

import msgspec

from dayfly.api.private_file import read_private, write_private
from dayfly.model.errors import ConfigError

MAX_PASSWORD_BYTES = 1024
_SCRYPT_N, _SCRYPT_R, _SCRYPT_P = 2**15, 8, 1
_MAX_MEMORY_BYTES = 64 * 1024 * 1024
_HASH_BYTES = 32


class AdminRecord(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A user, and the hash of the password with all that it takes to compute it again."""

    user: str
    n: int
    r: int
    p: int
    salt: bytes
    hash: bytes

    @classmethod
    def of(cls, user: str, password: str) -> "AdminRecord":
        """Return a record for the password with a fresh salt."""
        salt = secrets.token_bytes(16)
        digest = _scrypt(password.encode(), salt, _SCRYPT_N, _SCRYPT_R, _SCRYPT_P)
        return cls(user=user, n=_SCRYPT_N, r=_SCRYPT_R, p=_SCRYPT_P, salt=salt, hash=digest)

    def matches(self, password: bytes) -> bool:
        """Whether this is the password; about a tenth of a second of computing, so not for the event loop."""
        return hmac.compare_digest(_scrypt(password, self.salt, self.n, self.r, self.p), self.hash)

    def is_sound(self) -> bool:
        """Whether the figures are ones we would have written: a strong hash, and one this machine can compute."""
        strong = self.n >= _SCRYPT_N and self.n & (self.n - 1) == 0 and self.r >= _SCRYPT_R and self.p >= 1
        affordable = 128 * self.n * self.r < _MAX_MEMORY_BYTES and self.p <= 16
        return bool(self.user) and strong and affordable and len(self.salt) >= 16 and len(self.hash) == _HASH_BYTES


def load(path: Path) -> AdminRecord | None:
    """Return the record, or None when there is no file. Raises ConfigError for one that must not be used."""
    data = read_private(path)
    if data is None:
        return None
    try:
        record = msgspec.json.decode(data, type=AdminRecord)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise _damaged(path) from error
    if not record.is_sound():
        raise _damaged(path)
    return record


def save(path: Path, record: AdminRecord) -> None:
    """Write the record so that a crash leaves the old one or the new one. Raises ConfigError."""
    write_private(path, msgspec.json.encode(record))


def generate_password() -> str:
    """Return a password of 256 random bits."""
    return secrets.token_hex(32)


def _scrypt(password: bytes, salt: bytes, n: int, r: int, p: int) -> bytes:
    return hashlib.scrypt(password, salt=salt, n=n, r=r, p=p, maxmem=_MAX_MEMORY_BYTES, dklen=_HASH_BYTES)


def _damaged(path: Path) -> ConfigError:
    return ConfigError(
        f"The credential file {path} is empty or damaged; the platform does not start without a password",
        hint="Restore it, or remove it to have a new password generated",
    )
