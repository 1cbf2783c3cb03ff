"""Who is calling: the administrator by password, the account that started the platform by its token, or whoever was
given a token of a namespace.

A good password costs its scrypt hash once; after that a digest under a key of this process recognises it, so that the
API is not slow for those who may use it. A wrong one costs a hash each time, computed one at a time on a thread, and a
peer that was wrong too often waits (threat T3). A token may also come as the password of a Basic credential, whatever
the name beside it: OpenFaaS's command line logs in by no other way.
"""

import asyncio
import base64
import binascii
import hmac
import logging
import secrets
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from dayfly.api import admin_file
from dayfly.api.admin_file import AdminRecord
from dayfly.decide.attempts import Attempts
from dayfly.model.access import Principal
from dayfly.model.errors import ConfigError, LimitExceeded, Unauthenticated

ADMIN_USER = "admin"
ADMIN = Principal(ADMIN_USER, "admin", None)
LOCAL = Principal("local", "admin", None)
"""The account that started the platform: whoever can read its token could read all it has."""
MIN_PASSWORD = 8
_MAX_HEADER, _MAX_NAME = 4096, 60
_MAX_HASHES_WAITING = 8
_log = logging.getLogger("dayfly.api")


class TokenBook(Protocol):
    """The tokens that were handed out."""

    def find(self, text: str) -> Principal | None:
        """Return who asks with this token; None when it is good for nothing."""


class Credentials:
    """The credentials this installation accepts.

    `password` is one the operator chose; it replaces the stored one, and None keeps that. Without either, a password
    is generated; `generated` holds it then, and nothing else does. Raises ConfigError for an empty or too short
    password or token, and for a stored record that must not be used.
    """

    def __init__(
        self,
        path: Path,
        local_token: str,
        *,
        tokens: TokenBook | None = None,
        password: str | None = None,
        attempts: Attempts | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if len(local_token.strip()) < 32:
            raise ConfigError("The local token is empty or too short; the platform does not start without one")
        self.generated: str | None = None
        self._token = local_token.encode()
        self._tokens = tokens
        self._record = self._open(path, password)
        self._attempts = attempts or Attempts()
        self._clock = clock
        self._key = secrets.token_bytes(32)
        self._known = secrets.token_bytes(32)
        self._hashing = asyncio.Lock()
        self._hashes_waiting = 0

    async def verify(self, authorization: str, peer: str) -> Principal:
        """Return whose the Authorization header is. Raises Unauthenticated, LimitExceeded.

        `peer` is the address that failures are counted for.
        """
        scheme, _, value = authorization[:_MAX_HEADER].strip().partition(" ")
        scheme, value = scheme.lower(), value.strip()
        if not value:
            # OpenFaaS's command line sends an empty Bearer token when nobody has logged in.
            raise Unauthenticated("This call needs a credential", hint="Log in with `dayfly login`")
        found: Principal | None = None
        if scheme == "bearer":
            is_local = hmac.compare_digest(value.encode(), self._token)
            found = LOCAL if is_local else self._by_token(value)
        elif scheme == "basic":
            user, password = _split_basic(value)
            found = self._by_token(password.decode("ascii", "replace"))
            if found is None and await self._is_admin(user, password, peer):
                found = ADMIN
        if found is not None:
            return found
        self._attempts.failed(peer, self._clock())
        _log.warning("credential refused peer=%s scheme=%s", ascii(peer[:60]), scheme if scheme == "basic" else "other")
        raise Unauthenticated("The credential is wrong", hint="Log in with `dayfly login`")

    def _by_token(self, text: str) -> Principal | None:
        return self._tokens.find(text) if self._tokens is not None else None

    async def _is_admin(self, user: bytes, password: bytes, peer: str) -> bool:
        digest = hmac.digest(self._key, len(user).to_bytes(4, "big") + user + password, "sha256")
        if hmac.compare_digest(digest, self._known):
            return True
        self._admit(peer)
        self._hashes_waiting += 1
        try:
            async with self._hashing:
                # Asked again: while this one waited for its turn, others from the peer may have failed.
                self._admit(peer)
                right_password = await asyncio.to_thread(self._record.matches, password)
        finally:
            self._hashes_waiting -= 1
        right_user = hmac.compare_digest(user, self._record.user.encode())
        if right_user and right_password:
            self._known = digest
            return True
        return False

    def _admit(self, peer: str) -> None:
        wait_s = self._attempts.wait_s(peer, self._clock())
        if wait_s > 0:
            raise LimitExceeded("Too many wrong credentials came from this address", retry_after_s=wait_s)
        if self._hashes_waiting > _MAX_HASHES_WAITING:
            raise LimitExceeded("Too many passwords are being checked at once", retry_after_s=1)

    def _open(self, path: Path, password: str | None) -> AdminRecord:
        if password is not None and not password.strip():
            raise ConfigError(
                "The administrator's password is set, but empty",
                hint="Unset DAYFLY_ADMIN_PASSWORD to have one generated",
            )
        if password is not None and len(password) < MIN_PASSWORD:
            raise ConfigError(f"The administrator's password is shorter than {MIN_PASSWORD} characters")
        stored = admin_file.load(path)
        if stored is not None and (password is None or stored.matches(password.encode())):
            return stored
        if password is None:
            password = self.generated = admin_file.generate_password()
        record = AdminRecord.of(ADMIN_USER, password)
        admin_file.save(path, record)
        return record


def named_in(authorization: str) -> str:
    """Return the name that a refused Basic credential gave, for whoever tells of it; empty for others."""
    scheme, _, value = authorization[:_MAX_HEADER].strip().partition(" ")
    user = _split_basic(value.strip())[0] if scheme.lower() == "basic" else b""
    return user.decode("utf-8", "replace")[:_MAX_NAME]


def _split_basic(value: str) -> tuple[bytes, bytes]:
    try:
        user, _, password = base64.b64decode(value, validate=True).partition(b":")
    except (binascii.Error, ValueError):
        return b"", b""
    return user, password[: admin_file.MAX_PASSWORD_BYTES]
