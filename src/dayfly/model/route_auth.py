"""Who may call a route: with a key, a password, a JSON Web Token, or a signature over the body.

What lets somebody in is never part of a route: it is in a secret of the route's namespace, which a route names. The one
exception is a set of public keys, which is no secret.
"""

import re
from typing import Any, Literal

import msgspec

from dayfly.model.errors import InvalidName, InvalidSpec
from dayfly.model.names import parse_secret_name
from dayfly.model.quantities import parse_duration, parse_memory

MAX_SIGNED_BYTES = 8 * 2**20
MAX_LEEWAY_S, MAX_WINDOW_S = 600.0, 3600.0
_HEADER = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,63}", re.ASCII)
_TAKEN = re.compile(
    r"(?i:host|connection|content-.*|transfer-encoding|te|trailer|upgrade|expect|cookie|forwarded|x-forwarded-.*"
    r"|x-dayfly-.*|x-function-.*|x-real-ip|x-call-id|traceparent|tracestate|x-start-time|origin)",
)
_SHARED = ("HS256", "HS384", "HS512")
_SIGNED = (
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519",
)  # fmt: skip
_PRIVATE = ("d", "p", "q", "dp", "dq", "qi", "oth", "k")


class _Kept(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    secret: str

    def check(self) -> None:
        """Refuse what cannot work. Raises InvalidSpec, InvalidName."""
        _check_secret(self.secret)


class KeyAuth(_Kept, frozen=True, kw_only=True, tag_field="kind", tag="key"):
    """A key, given as `Authorization: Bearer KEY`, as `X-Api-Key: KEY`, or in the header named here alone.

    The secret holds one key a line, each with a name before it if it has one: `NAME:KEY`.
    """

    header: str = ""

    def check(self) -> None:
        """Refuse what cannot work. Raises InvalidSpec, InvalidName."""
        super().check()
        check_header("auth.header", self.header)


class BasicAuth(_Kept, frozen=True, kw_only=True, tag_field="kind", tag="basic"):
    """A name and a password; the secret holds one `NAME:PASSWORD` a line."""


class JwtAuth(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True,
              tag_field="kind", tag="jwt"):  # fmt: skip
    """A JSON Web Token, given as `Authorization: Bearer TOKEN`, of this issuer and for one of these audiences."""

    issuer: str
    audience: tuple[str, ...]
    algorithms: tuple[str, ...] = ("RS256", "ES256", "EdDSA")
    """Those that are accepted; a token cannot choose another. Shared keys (HS…) and key pairs never go together."""
    jwks: dict[str, Any] | None = None
    """The issuer's public keys as a JSON Web Key Set."""
    secret: str = ""
    """Instead of `jwks`: the secret that holds a key set, or for HS256 and its like the shared key itself."""
    leeway: str = "30s"
    """How far the clocks of both sides may differ."""

    @property
    def leeway_s(self) -> float:
        """The leeway in seconds."""
        return parse_duration(self.leeway)

    @property
    def is_shared(self) -> bool:
        """Whether the key that checks tokens could make them as well."""
        return self.algorithms[0] in _SHARED

    def check(self) -> None:
        """Refuse what cannot work. Raises InvalidSpec, InvalidName."""
        if not (0 < len(self.issuer) <= 1000) or not self.issuer.isprintable():
            raise InvalidSpec("auth.issuer: is required: the exact text of the tokens' iss")
        if not 0 < len(self.audience) <= 20 or not all(0 < len(each) <= 1000 for each in self.audience):
            raise InvalidSpec("auth.audience: is required: a token for somebody else must not be good here")
        families = {each in _SHARED for each in self.algorithms}
        if not self.algorithms or not {*self.algorithms} <= {*_SHARED, *_SIGNED}:
            raise InvalidSpec(f"auth.algorithms: must be of {', '.join((*_SHARED, *_SIGNED))}")
        if len(families) > 1:
            raise InvalidSpec(
                "auth.algorithms: shared keys (HS256 …) and key pairs (RS256 …) exclude each other: a public key could"
                " be used as a shared one"
            )
        _span("auth.leeway", self.leeway, MAX_LEEWAY_S)
        if (self.jwks is None) == (not self.secret):
            raise InvalidSpec("auth: a jwt needs either jwks, the issuer's public keys, or the name of a secret")
        if self.secret:
            _check_secret(self.secret)
        if self.jwks is not None:
            if self.is_shared:
                raise InvalidSpec("auth.jwks: a shared key is confidential; name a secret that holds it")
            check_public(self.jwks)


class HmacAuth(_Kept, frozen=True, kw_only=True, tag_field="kind", tag="hmac"):
    """A signature of whoever sends a webhook: HMAC-SHA256 over the body, by a key of the secret, one a line.

    github: `sha256=HEX` in X-Hub-Signature-256. stripe: `t=SECONDS,v1=HEX` in Stripe-Signature, over `SECONDS.BODY`.
    plain: HEX, with or without `sha256=` before it, in X-Signature. `header` names another one.
    """

    scheme: Literal["github", "stripe", "plain"] = "github"
    header: str = ""
    window: str = "5m"
    """How old a signature may be that says its time (stripe); none is taken twice within it."""
    max_body: str = "1Mi"
    """The largest body that is signed: it is held until it has been checked."""

    @property
    def header_name(self) -> str:
        """The header that carries the signature."""
        usual = {"github": "X-Hub-Signature-256", "stripe": "Stripe-Signature", "plain": "X-Signature"}
        return self.header or usual[self.scheme]

    @property
    def window_s(self) -> float:
        """The window in seconds."""
        return parse_duration(self.window)

    @property
    def body_bytes(self) -> int:
        """The largest body in bytes."""
        return parse_memory(self.max_body)

    def check(self) -> None:
        """Refuse what cannot work. Raises InvalidSpec, InvalidName."""
        super().check()
        check_header("auth.header", self.header)
        _span("auth.window", self.window, MAX_WINDOW_S)
        try:
            size = parse_memory(self.max_body)
        except InvalidSpec as error:
            raise InvalidSpec(f"auth.max_body: {error}") from error
        if size > MAX_SIGNED_BYTES:
            raise InvalidSpec(f"auth.max_body: {self.max_body} must be at most 8Mi: signed bodies are held in memory")


Auth = KeyAuth | BasicAuth | JwtAuth | HmacAuth


def check_header(field: str, name: str) -> None:
    """Refuse a header's name that is none, or that says something else already; empty is none. Raises InvalidSpec."""
    if name and (not _HEADER.fullmatch(name) or _TAKEN.fullmatch(name)):
        raise InvalidSpec(f"{field}: {name[:64]!r} cannot be used; take a header of its own, as X-Api-Key")


def check_public(jwks: dict[str, Any]) -> None:
    """Refuse what is no set of public keys. Raises InvalidSpec."""
    keys = jwks.get("keys")
    if not isinstance(keys, list) or not 0 < len(keys) <= 50 or not all(isinstance(key, dict) for key in keys):
        raise InvalidSpec("auth.jwks: must be {'keys': […]} with 1 to 50 keys")
    for key in keys:
        if key.get("kty") not in ("RSA", "EC", "OKP"):
            raise InvalidSpec("auth.jwks: its keys must be of the kinds RSA, EC or OKP")
        if any(part in key for part in _PRIVATE):
            raise InvalidSpec("auth.jwks: holds a private key; give the public ones alone")
    if len(msgspec.json.encode(jwks)) > 64 * 1024:
        raise InvalidSpec("auth.jwks: must have at most 64 KiB")


def _check_secret(name: str) -> None:
    try:
        parse_secret_name(name)
    except InvalidName as error:
        raise InvalidName(f"auth.secret: {error.message}") from error


def _span(field: str, text: str, most_s: float) -> None:
    try:
        seconds = parse_duration(text)
    except InvalidSpec as error:
        raise InvalidSpec(f"{field}: {error}") from error
    if not 0 <= seconds <= most_s:
        raise InvalidSpec(f"{field}: {text} must be at most {most_s:g} s")
