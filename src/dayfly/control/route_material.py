"""From a route and what is in its secret to what gateways check callers with.

A secret is a text of lines that say who may call. Keys and passwords go on as hashes: 256 random bits need no slow one,
and gateways keep them in memory only. Nothing here puts a piece of a secret into an error.
"""

import hashlib
import re

import msgspec

from dayfly.model.errors import InvalidSpec
from dayfly.model.route import RouteSpec
from dayfly.model.route_auth import Auth, BasicAuth, HmacAuth, JwtAuth, KeyAuth, check_public
from dayfly.model.route_entry import AuthEntry, CorsEntry, KnownKey, RateEntry, RouteEntry

LEAST_KEY, LEAST_SHARED, MOST_LINES = 16, 32, 1000
_MOST_SIGNERS = 10
_NAMED = re.compile(r"([A-Za-z0-9][A-Za-z0-9._@-]{0,63}):(.+)")


def entry(spec: RouteSpec, content: bytes | None, trouble: str = "") -> RouteEntry:
    """Return what gateways know of the route; `content` is that of its secret.

    A secret that lets nobody in is `trouble`, as what is given as such.
    """
    auth = None
    if spec.auth is not None and not trouble:
        try:
            auth = material(spec.auth, content or b"")
        except InvalidSpec as error:
            trouble = error.message
    cors, rate = spec.cors, spec.rate
    return RouteEntry(
        name=spec.name,
        namespace=spec.namespace,
        host=spec.host,
        path=spec.path,
        strip=spec.strip,
        methods=spec.methods,
        targets=tuple((f"{each.function}.{spec.namespace}", each.weight) for each in spec.targets),
        body_bytes=spec.body_bytes,
        auth=auth,
        cors=None if cors is None else CorsEntry(
            origins=cors.origins, methods=cors.methods, headers=cors.headers, expose=cors.expose,
            credentials=cors.credentials, max_age_s=cors.max_age_s,
        ),
        rate=None if rate is None else RateEntry(
            calls=rate.calls, window_s=rate.window_s, by_caller=rate.by == "caller"
        ),
        trouble=trouble,
    )  # fmt: skip


def material(auth: Auth, content: bytes) -> AuthEntry:
    """Return what callers are checked with. Raises InvalidSpec for a secret that is none of this kind."""
    if isinstance(auth, KeyAuth):
        keys = tuple(_key(auth, line) for line in _lines(auth.secret, content))
        return AuthEntry(kind="key", header=auth.header, keys=keys)
    if isinstance(auth, BasicAuth):
        return AuthEntry(kind="basic", keys=tuple(_login(auth, line) for line in _lines(auth.secret, content)))
    if isinstance(auth, HmacAuth):
        signers = _lines(auth.secret, content)
        if len(signers) > _MOST_SIGNERS or any(len(each) < LEAST_KEY for each in signers):
            raise InvalidSpec(
                f"the secret {auth.secret} must hold 1 to {_MOST_SIGNERS} keys of {LEAST_KEY} characters or more"
            )
        return AuthEntry(
            kind="hmac",
            header=auth.header_name,
            scheme=auth.scheme,
            shared=tuple(each.encode() for each in signers),
            window_s=auth.window_s,
            body_bytes=auth.body_bytes,
        )
    return _tokens(auth, content)


def _tokens(auth: JwtAuth, content: bytes) -> AuthEntry:
    shared: tuple[bytes, ...] = ()
    jwks = b"" if auth.jwks is None else msgspec.json.encode(auth.jwks)
    if auth.is_shared:
        key = content.strip()
        if len(key) < LEAST_SHARED or key.startswith((b"{", b"-----")):
            raise InvalidSpec(f"the secret {auth.secret} must hold the shared key itself, {LEAST_SHARED} bytes or more")
        shared = (key,)
    elif auth.secret:
        try:
            check_public(msgspec.json.decode(content, type=dict))
        except (msgspec.DecodeError, InvalidSpec):
            raise InvalidSpec(f"the secret {auth.secret} must hold a JSON Web Key Set of public keys") from None
        jwks = content
    return AuthEntry(
        kind="jwt",
        shared=shared,
        jwks=jwks,
        issuer=auth.issuer,
        audience=auth.audience,
        algorithms=auth.algorithms,
        leeway_s=auth.leeway_s,
    )


def _lines(secret: str, content: bytes) -> list[str]:
    try:
        lines = [line.strip() for line in content.decode().splitlines() if line.strip()]
    except UnicodeDecodeError:
        raise InvalidSpec(f"the secret {secret} is not a text") from None
    if not 0 < len(lines) <= MOST_LINES:
        raise InvalidSpec(f"the secret {secret} must have 1 to {MOST_LINES} lines")
    return lines


def _key(auth: KeyAuth, line: str) -> KnownKey:
    named = _NAMED.fullmatch(line)
    name, key = (named[1], named[2]) if named else ("", line)
    if len(key) < LEAST_KEY or not (key.isascii() and key.isprintable()) or " " in key:
        raise InvalidSpec(
            f"each line of the secret {auth.secret} must be KEY or NAME:KEY, with a key of {LEAST_KEY} or more visible"
            " ASCII characters",
            hint="`dayfly secret generate` makes one",
        )
    return KnownKey(name, hashlib.sha256(key.encode()).digest())


def _login(auth: BasicAuth, line: str) -> KnownKey:
    named = _NAMED.fullmatch(line)
    if named is None or len(named[2]) < 8:
        raise InvalidSpec(f"each line of the secret {auth.secret} must be NAME:PASSWORD, with 8 characters or more")
    return KnownKey(named[1], hashlib.sha256(line.encode()).digest())
