"""AES-256-GCM envelopes: what is sealed under a key can be read, and can have been written, by its holders alone.

Each envelope is bound to the place it was made for, such as a namespace, a name and a version: moved to another, it
does not open. A key is known by its fingerprint, which says nothing of the key.
"""

import hashlib
import secrets

KEY_BYTES = 32
_NONCE_BYTES = 12
_FINGERPRINT_BYTES = 8


class NotOurs(Exception):
    """The envelope was made with another key or for another place, or was changed."""


class Key:
    """A key of 256 bits."""

    __slots__ = ("_cipher", "data", "fingerprint")

    def __init__(self, data: bytes) -> None:
        if len(data) != KEY_BYTES:
            raise ValueError(f"a key has {KEY_BYTES} bytes")
        self.data = data
        self.fingerprint = hashlib.sha256(b"dayfly key\0" + data).hexdigest()[: 2 * _FINGERPRINT_BYTES]
        # Here, because the library takes 7 MiB, and a platform without secrets needs none of it.
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        self._cipher = AESGCM(data)

    @classmethod
    def new(cls) -> "Key":
        """Return a random key."""
        return cls(secrets.token_bytes(KEY_BYTES))

    def __repr__(self) -> str:
        """Say which key it is, and not the key."""
        return f"Key({self.fingerprint})"

    def seal(self, plain: bytes, *place: str) -> bytes:
        """Return the envelope of `plain` for the place."""
        # Random nonces are safe for 2**32 envelopes under one key; a data key makes one for each write of a secret.
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, plain, _bound(place))

    def unseal(self, sealed: bytes, *place: str) -> bytes:
        """Return what was sealed for the place. Raises NotOurs."""
        from cryptography.exceptions import InvalidTag

        try:
            return self._cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], _bound(place))
        except (InvalidTag, ValueError):
            raise NotOurs from None


def _bound(place: tuple[str, ...]) -> bytes:
    return b"".join(len(part.encode()).to_bytes(4, "big") + part.encode() for part in place)
