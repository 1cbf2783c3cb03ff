"""Routes as gateways know them: ready to be used, with what lets callers in.

Keys and passwords are here as hashes; what a signature or a shared key is checked with cannot be. None of it is ever
printed. As for all that gateways and the control plane say to each other, a field that one does not know is skipped.
"""

import msgspec


class KnownKey(msgspec.Struct, frozen=True, array_like=True):
    """A key or a password that opens a route."""

    name: str
    """Whose it is; empty when nobody said."""
    digest: bytes
    """SHA-256 of the key, or of `NAME:PASSWORD`."""

    def __repr__(self) -> str:
        """Without what it is checked with."""
        return f"KnownKey(name={self.name!r})"


class AuthEntry(msgspec.Struct, frozen=True, kw_only=True):
    """How callers are told apart."""

    kind: str
    """key, basic, jwt or hmac; a gateway that does not know it lets nobody in."""
    header: str = ""
    keys: tuple[KnownKey, ...] = ()
    scheme: str = ""
    shared: tuple[bytes, ...] = ()
    """The keys of signatures; of tokens at most one."""
    window_s: float = 0.0
    body_bytes: int = 0
    issuer: str = ""
    audience: tuple[str, ...] = ()
    algorithms: tuple[str, ...] = ()
    leeway_s: float = 0.0
    jwks: bytes = b""
    """A key set as JSON; empty where `shared` is used."""

    def __repr__(self) -> str:
        """Without what it is checked with."""
        return f"AuthEntry(kind={self.kind!r})"


class CorsEntry(msgspec.Struct, frozen=True, kw_only=True):
    """Which other sites' pages may call."""

    origins: tuple[str, ...]
    methods: tuple[str, ...] = ()
    headers: tuple[str, ...] = ()
    expose: tuple[str, ...] = ()
    credentials: bool = False
    max_age_s: int = 0


class RateEntry(msgspec.Struct, frozen=True, kw_only=True):
    """How many calls each client may make."""

    calls: int
    window_s: float
    by_caller: bool = False


class RouteEntry(msgspec.Struct, frozen=True, kw_only=True):
    """Everything a gateway knows of one route."""

    name: str
    namespace: str
    host: str
    path: str
    strip: bool = False
    methods: tuple[str, ...] = ()
    targets: tuple[tuple[str, int], ...] = ()
    """Functions as `name.namespace`, and their weights."""
    body_bytes: int = 0
    auth: AuthEntry | None = None
    cors: CorsEntry | None = None
    rate: RateEntry | None = None
    trouble: str = ""
    """Why no call may pass: what is needed to tell callers apart is not there. Callers are not told the reason."""

    @property
    def key(self) -> str:
        """`NAME.NAMESPACE`."""
        return f"{self.name}.{self.namespace}"
