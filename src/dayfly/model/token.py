"""Tokens: credentials for one role in one namespace, or in all of them.

    dayfly_ID_SECRET

The id finds the token and may be shown; the secret is 256 random bits, handed out once. What is kept of it is a hash
under a key that does not lie in the same file (see `control/tokens`), so that whoever reads the state can neither use
a token nor make one.
"""

import re
import secrets

import msgspec

from dayfly.model.access import Principal, Role
from dayfly.model.errors import InvalidName, InvalidSpec
from dayfly.model.names import NamespaceName
from dayfly.model.quantities import parse_duration

PREFIX = "dayfly_"
FORM = rf"{PREFIX}([a-z0-9]{{12}})_([A-Za-z0-9_-]{{43}})"
"""What every token looks like, and nothing else does, so that one that was left in a file can be found."""
MAX_LIFE_S = 10 * 366 * 86_400.0
_ID = re.compile(r"[a-z0-9]{12}", re.ASCII)
_TOKEN = re.compile(FORM, re.ASCII)
_DAYS = re.compile(r"([0-9]{1,5})d", re.ASCII)
_ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789"


class Token(msgspec.Struct, frozen=True, kw_only=True):
    """A token as it is kept."""

    id: str
    namespace: NamespaceName | None
    """None for all namespaces."""
    role: Role
    note: str = ""
    """What it is for, as whoever had it made said."""
    created_unix_ms: int
    expires_unix_ms: int = 0
    """0 for never."""
    hash: bytes

    @property
    def principal(self) -> Principal:
        """Who asks with it."""
        return Principal(f"token {self.id}", self.role, self.namespace, self.id)

    def is_good(self, unix_ms: int) -> bool:
        """Whether it lets anybody in at this time."""
        return self.expires_unix_ms == 0 or unix_ms < self.expires_unix_ms

    def status(self) -> "TokenStatus":
        """The token as it is shown."""
        return TokenStatus(
            id=self.id,
            namespace=self.namespace,
            role=self.role,
            note=self.note,
            created_unix_ms=self.created_unix_ms,
            expires_unix_ms=self.expires_unix_ms,
        )


class TokenStatus(msgspec.Struct, frozen=True, kw_only=True):
    """A token as it is shown: all but what lets somebody in."""

    id: str
    namespace: str | None
    role: Role
    note: str = ""
    created_unix_ms: int
    expires_unix_ms: int = 0


class TokenRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """The token that is wanted; the path says for which namespace."""

    role: Role
    expires: str = ""
    """How long it is good, as `30d` or a duration; empty for ever."""
    note: str = ""

    def check(self) -> None:
        """Refuse what cannot be kept. Raises InvalidSpec."""
        _ = self.life_s
        if len(self.note) > 200 or not self.note.isprintable():
            raise InvalidSpec("note: must be at most 200 printable characters")

    @property
    def life_s(self) -> float:
        """How long it is good, in seconds; 0 for ever. Raises InvalidSpec."""
        if not self.expires:
            return 0.0
        days = _DAYS.fullmatch(self.expires)
        try:
            life_s = float(days[1]) * 86_400 if days else parse_duration(self.expires)
        except InvalidSpec:
            raise InvalidSpec(
                f"expires: {self.expires[:40]!r} is not a span of time; write for example 30d or 12h"
            ) from None
        if not 1 <= life_s <= MAX_LIFE_S:
            raise InvalidSpec(f"expires: {self.expires[:40]!r} must be from 1s to ten years")
        return life_s


class IssuedToken(msgspec.Struct, frozen=True, kw_only=True):
    """A token that was just made; nobody can ask for its text again."""

    token: str
    status: TokenStatus

    def __repr__(self) -> str:
        """Without what lets somebody in."""
        return f"IssuedToken({self.status!r})"


def new_token() -> tuple[str, str]:
    """Return a fresh token's id and its text."""
    name = "".join(secrets.choice(_ALPHABET) for _ in range(12))
    return name, f"{PREFIX}{name}_{secrets.token_urlsafe(32)}"


def id_in(text: str) -> str:
    """Return the id of a token's text; empty when it is none."""
    match = _TOKEN.fullmatch(text)
    return match[1] if match else ""


def parse_token_id(text: str) -> str:
    """Return `text` as a token's id. Raises InvalidName."""
    if not _ID.fullmatch(text):
        raise InvalidName(f"{text[:40]!r} is not a token's id: twelve of a-z and 0-9")
    return text
