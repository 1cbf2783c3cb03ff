"""Tokens: handed out once, found again by their hash, and gone the moment they are revoked.

All of them are kept in memory, because every request may bring one. A hash is HMAC-SHA256 under a key of its own, which
lies in a file beside the administrator's password and not in the state: 256 random bits need no slow hash, and the
state alone lets nobody test or forge one. Whoever follows a log by a token that is revoked or expires is cut off.
"""

import hmac
from collections.abc import Callable

from dayfly.control.clock import Clock, Timer
from dayfly.model.access import Principal
from dayfly.model.errors import NotFound
from dayfly.model.names import NamespaceName
from dayfly.model.token import IssuedToken, Token, TokenRequest, TokenStatus, id_in, new_token
from dayfly.storage.tenancy import TenancyStore


class Tokens:
    """The tokens there are. `open` it once the store is open; `key` is what their hashes are made under."""

    def __init__(self, store: TenancyStore, key: bytes, clock: Clock) -> None:
        self._store = store
        self._key = key
        self._clock = clock
        self._known: dict[str, Token] = {}
        self._watchers: dict[str, list[Callable[[], None]]] = {}

    async def open(self) -> None:
        """Read all of them. Raises StoreUnavailable."""
        self._known = {token.id: token for token in await self._store.tokens()}

    def find(self, text: str) -> Principal | None:
        """Return who asks with this token; None when it is none, unknown, revoked or expired."""
        token = self._known.get(id_in(text))
        if token is None or not hmac.compare_digest(token.hash, self._hash(text)):
            return None
        return token.principal if token.is_good(self._clock.unix_ms()) else None

    def listed(self, namespace: NamespaceName | None) -> list[TokenStatus]:
        """Return the namespace's tokens, or every token, the oldest first."""
        found = [token for token in self._known.values() if namespace in (None, token.namespace)]
        return [token.status() for token in sorted(found, key=lambda token: (token.created_unix_ms, token.id))]

    async def issue(self, namespace: NamespaceName | None, asked: TokenRequest) -> IssuedToken:
        """Make a token for the namespace, or for all of them. Raises InvalidSpec, StoreUnavailable."""
        asked.check()
        name, text = new_token()
        now_ms = self._clock.unix_ms()
        token = Token(
            id=name,
            namespace=namespace,
            role=asked.role,
            note=asked.note,
            created_unix_ms=now_ms,
            expires_unix_ms=now_ms + round(asked.life_s * 1000) if asked.life_s else 0,
            hash=self._hash(text),
        )
        await self._store.put_token(token)
        self._known[name] = token
        return IssuedToken(token=text, status=token.status())

    async def revoke(self, namespace: NamespaceName | None, name: str) -> None:
        """Let the namespace's token, or any, be good for nothing from now on. Raises NotFound, StoreUnavailable."""
        token = self._known.get(name)
        if token is None or namespace not in (None, token.namespace):
            raise NotFound(f"there is no token {name}" + (f" in the namespace {namespace}" if namespace else ""))
        await self._store.delete_token(name)
        self._drop(name)

    def forget(self, namespace: NamespaceName) -> None:
        """The namespace was removed, and its tokens with it."""
        for token in [token for token in self._known.values() if token.namespace == namespace]:
            self._drop(token.id)

    def watch(self, principal: Principal, cut_off: Callable[[], None]) -> Callable[[], None]:
        """Call `cut_off` should the principal's token be good no more; what is returned ends the watch."""
        token = self._known.get(principal.token)
        if token is None:
            return lambda: None
        watchers = self._watchers.setdefault(token.id, [])
        watchers.append(cut_off)
        timer: Timer | None = None
        if token.expires_unix_ms:
            left_s = (token.expires_unix_ms - self._clock.unix_ms()) / 1000
            timer = self._clock.call_at(self._clock.now() + left_s, cut_off)

        def end() -> None:
            watchers.remove(cut_off)
            if timer is not None:
                timer.cancel()

        return end

    def _drop(self, name: str) -> None:
        del self._known[name]
        for cut_off in list(self._watchers.pop(name, ())):
            cut_off()

    def _hash(self, text: str) -> bytes:
        return hmac.digest(self._key, text.encode(), "sha256")
