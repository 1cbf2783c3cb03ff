"""How requests to a registry identify themselves: Basic, or bearer tokens for the scopes that a request needs.

A registry's challenge names a token server (`realm`), which gives a token for a name and password, for an identity
token that takes a login's place, or for nothing at all where something is public. Tokens are kept until shortly before
they end. The token server is spoken to over HTTPS, unless it is on this machine or somebody said that it need not be.
"""

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from urllib.parse import urlencode

import httpx2
import msgspec

from dayfly.model.errors import InvalidRequest, Unauthenticated
from dayfly.oci.credentials import Login
from dayfly.oci.registry.challenge import Challenge, choose, parse_challenges
from dayfly.oci.registry.endpoint import Endpoint, is_loopback
from dayfly.oci.registry.request import Scopes

Fetch = Callable[[str, httpx2.URL, dict[str, str], bytes | None], Awaitable[bytes]]
"""Sends method, URL, headers and body to a token server and returns what a good answer says."""

_USUAL_LIFE_S, _MARGIN_S = 60.0, 10.0
_GOOD = re.compile(r"[!-~]{1,32768}")
_CLIENT = "dayfly"


class _Token(msgspec.Struct, frozen=True):
    """A token server's answer."""

    token: str = ""
    access_token: str = ""
    expires_in: float = _USUAL_LIFE_S


def scope(repository: str, *actions: str) -> str:
    """Return the scope of doing this in a repository."""
    return f"repository:{repository}:{','.join(actions)}"


class Authorization:
    """What the requests of one session carry."""

    def __init__(
        self, endpoint: Endpoint, login: Login | None, fetch: Fetch, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._endpoint = endpoint
        self._login = login
        self._fetch = fetch
        self._clock = clock
        self._challenge: Challenge | None = None
        self._tokens: dict[Scopes, tuple[str, float]] = {}
        self._asking: dict[Scopes, asyncio.Lock] = {}

    def learn(self, lines: Iterable[str]) -> None:
        """Take to heart what the registry asks for. Raises Unauthenticated when it is nothing that we have."""
        offered = parse_challenges(lines)
        chosen = choose(offered)
        if chosen is None:
            names = ", ".join(each.scheme for each in offered)[:200] or "nothing that can be read"
            raise Unauthenticated(f"{self._endpoint.name} asks for {names}; Dayfly has Basic and Bearer.")
        self._challenge = chosen

    @property
    def is_asked(self) -> bool:
        """Whether the registry asked for anything so far."""
        return self._challenge is not None

    @property
    def shown(self) -> str:
        """What login the registry was shown, as an explanation of why it refuses."""
        if self._login is None:
            return "it wants a login, and none is kept for it"
        return (
            f"the login that is kept for it{' as ' + self._login.username if self._login.username else ''} is not good"
        )

    async def header(self, scopes: Scopes) -> str:
        """Return the Authorization header of a request, empty while none is asked for.

        Raises Unauthenticated, and what asking the token server raises.
        """
        if self._challenge is None:
            return ""
        if self._challenge.scheme == "basic":
            return self._login.basic if self._login is not None else ""
        lock = self._asking.setdefault(scopes, asyncio.Lock())
        async with lock:
            token, until = self._tokens.get(scopes, ("", 0.0))
            if not token or self._clock() >= until:
                token, until = await self._ask(self._challenge, scopes)
                self._tokens[scopes] = token, until
        return f"Bearer {token}"

    async def renewed(self, lines: Sequence[str], scopes: Scopes, refused: str) -> str:
        """Return another header after the one given was refused; empty when there is no other.

        Raises as `learn` and `header` do.
        """
        if lines:  # some only say no, without saying again what they ask for
            self.learn(lines)
        if self._tokens.get(scopes, ("", 0.0))[0] == refused.removeprefix("Bearer "):
            self._tokens.pop(scopes, None)
        header = await self.header(scopes)
        return header if header != refused else ""

    def hide(self, text: bytes) -> bytes:
        """Return foreign text without what only we and the registry should know."""
        secrets = {token for token, _ in self._tokens.values()}
        if self._login is not None:
            secrets |= {self._login.password, self._login.identity_token, self._login.basic.removeprefix("Basic ")}
        for secret in filter(None, secrets):
            text = text.replace(secret.encode(), b"***")
        return text

    async def _ask(self, challenge: Challenge, scopes: Scopes) -> tuple[str, float]:
        realm = self._realm(challenge.parameters["realm"])
        service = challenge.parameters.get("service", "")
        asked: list[tuple[str, str]] = [("service", service)] if service else []
        asked_at = self._clock()
        if self._login is not None and self._login.identity_token:
            asked += [("scope", " ".join(sorted(scopes))), ("client_id", _CLIENT), ("grant_type", "refresh_token")]
            form = urlencode([*asked, ("refresh_token", self._login.identity_token)]).encode()
            headers = {"Content-Type": "application/x-www-form-urlencoded"}
            answer = await self._fetch("POST", realm, headers, form)
        else:
            asked = [*realm.params.multi_items(), *asked, *(("scope", each) for each in sorted(scopes))]
            headers = {"Authorization": self._login.basic} if self._login is not None else {}
            answer = await self._fetch("GET", realm.copy_with(query=urlencode(asked).encode()), headers, None)
        return self._understand(answer, realm, asked_at)

    def _realm(self, text: str) -> httpx2.URL:
        try:
            realm = httpx2.URL(text)
        except httpx2.InvalidURL as error:
            raise InvalidRequest(f"{self._endpoint.name} names a token server that has no address: {error}.") from error
        may_be_plain = self._endpoint.insecure or is_loopback(realm.host)
        if not realm.host or not (realm.scheme == "https" or (realm.scheme == "http" and may_be_plain)):
            raise InvalidRequest(
                f"{self._endpoint.name} wants its token server at {realm.host or text[:80]!r} told without encryption.",
                hint="With --insecure that is done, in a network that you trust.",
            )
        return realm.copy_with(username=None, password=None, fragment=None) if realm.userinfo else realm

    def _understand(self, answer: bytes, realm: httpx2.URL, asked_at: float) -> tuple[str, float]:
        try:
            found = msgspec.json.decode(answer, type=_Token, strict=False)
        except (msgspec.DecodeError, UnicodeDecodeError):
            found = _Token()
        token = found.token or found.access_token
        if not _GOOD.fullmatch(token):
            raise Unauthenticated(f"The token server {realm.host} of {self._endpoint.name} gave no token.")
        life = found.expires_in if found.expires_in > 0 else _USUAL_LIFE_S
        return token, asked_at + life - min(_MARGIN_S, life / 2)
