"""Gates that take JSON Web Tokens.

What a token says of itself decides nothing: the algorithms are the route's, the keys are the route's, and a token only
names which of them it means. Keys, or places of keys, that a token brings along are not looked at (`jwk`, `jku`, `x5u`
…), and one that asks for anything extraordinary (`crit`) is refused. Which checks there are, and none besides:

    signature   by an allowed algorithm, with a key of the kind that the algorithm has, never of another
    iss, aud    exactly the route's issuer; one of its audiences among the token's
    exp, nbf    exp must be there; the leeway applies to both
"""

import json
import warnings
from collections import OrderedDict
from typing import Any

import msgspec
from joserfc import jws
from joserfc.errors import JoseError, SecurityWarning
from joserfc.jwk import JWKRegistry, OctKey
from joserfc.util import urlsafe_b64decode, urlsafe_b64encode

from dayfly.gateway.gates import Admitted, Denied, admitted, scheme_value, unauthenticated
from dayfly.http1.head import RequestHead
from dayfly.model.errors import InvalidSpec
from dayfly.model.route_entry import AuthEntry

_MOST_BYTES = 16_384
_REMEMBERED = 1_000
_KINDS = {"HS": "oct", "RS": "RSA", "PS": "RSA", "ES": "EC", "Ed": "OKP"}


class _Wrong(Exception):
    """A token is not good; the text says why, to whoever sent it."""


class TokenGate:
    """Lets through who has a token of the issuer for the route's audience.

    A signature that was found good is not checked again while the token lasts; its times are, with every call.
    """

    def __init__(self, auth: AuthEntry) -> None:
        self._auth = auth
        self._audience = frozenset(auth.audience)
        self._keys = [OctKey.import_key(key) for key in auth.shared] or _key_set(auth.jwks)
        self._good: OrderedDict[bytes, dict[str, Any]] = OrderedDict()

    def takes_away(self, head: RequestHead) -> frozenset[bytes]:
        """The header that the token is in."""
        del head
        return frozenset((b"authorization",))

    def check(self, head: RequestHead, peer: str, now: float, unix_s: float) -> Admitted | Denied:
        """Judge by the token."""
        del peer, now
        token = scheme_value(head, b"bearer")
        if not token:
            return unauthenticated(
                "This route takes a JSON Web Token, and none came.",
                "Give it as `Authorization: Bearer TOKEN`.",
                b"Bearer",
            )
        try:
            claims = self._claims(token)
            self._judge(claims, unix_s)
        except _Wrong as wrong:
            return unauthenticated(f"The token is not good: {wrong}.", "", b'Bearer error="invalid_token"')
        encoded = urlsafe_b64encode(json.dumps(claims, separators=(",", ":")).encode())
        subject = claims.get("sub")
        more = b"X-Dayfly-Claims: %b\r\n" % encoded
        return admitted(b"jwt", subject if isinstance(subject, str) else "", more)

    def _claims(self, token: bytes) -> dict[str, Any]:
        claims = self._good.get(token)
        if claims is None:
            claims = self._verified(token)
            self._good[token] = claims
            if len(self._good) > _REMEMBERED:
                self._good.popitem(last=False)
        return claims

    def _verified(self, token: bytes) -> dict[str, Any]:
        if len(token) > _MOST_BYTES or token.count(b".") != 2:
            raise _Wrong("it is not a signed token")
        header = _header(token)
        algorithm = header.get("alg")
        if algorithm not in self._auth.algorithms:
            raise _Wrong("its algorithm is not one that this route takes")
        if "crit" in header or "b64" in header:
            raise _Wrong("it asks for what is not supported here (crit)")
        for key in self._fitting(str(algorithm), header.get("kid")):
            try:
                claims = json.loads(_payload(token, key, str(algorithm)))
            except (JoseError, ValueError, TypeError, RecursionError):
                continue
            if isinstance(claims, dict):
                return claims
        raise _Wrong("its signature is not by a key of the issuer")

    def _fitting(self, algorithm: str, kid: object) -> list[Any]:
        """Return the keys that may have signed it: of the algorithm's kind, and the one that it names if it does."""
        fitting = []
        for key in self._keys:
            told = key.as_dict(private=False) if key.key_type != "oct" else {}
            if key.key_type != _KINDS[algorithm[:2]] or told.get("use", "sig") != "sig":
                continue
            if told.get("alg", algorithm) != algorithm:
                continue
            if kid is None or key.key_type == "oct" or told.get("kid") == kid:
                fitting.append(key)
        return fitting

    def _judge(self, claims: dict[str, Any], unix_s: float) -> None:
        leeway = self._auth.leeway_s
        if claims.get("iss") != self._auth.issuer:
            raise _Wrong("it is of another issuer")
        audience = claims.get("aud")
        named = audience if isinstance(audience, list) else [audience]
        if not any(isinstance(each, str) and each in self._audience for each in named):
            raise _Wrong("it is for another audience")
        if unix_s >= _time(claims, "exp") + leeway:
            raise _Wrong("it has expired")
        if "nbf" in claims and unix_s < _time(claims, "nbf") - leeway:
            raise _Wrong("it is not good yet")


def _payload(token: bytes, key: Any, algorithm: str) -> bytes:
    """Return what was signed. Raises JoseError, ValueError, TypeError when it was not."""
    with warnings.catch_warnings():
        # EdDSA is an old name, of which RFC 9864 wants to hear no more; issuers use it all the same.
        warnings.simplefilter("ignore", SecurityWarning)
        return jws.deserialize_compact(token, key, algorithms=[algorithm]).payload or b""


def _header(token: bytes) -> dict[str, Any]:
    try:
        header = json.loads(urlsafe_b64decode(token.partition(b".")[0]))
    except (ValueError, RecursionError):
        raise _Wrong("it cannot be read") from None
    if not isinstance(header, dict):
        raise _Wrong("it cannot be read")
    return header


def _time(claims: dict[str, Any], name: str) -> float:
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not -1e15 < value < 1e15:
        raise _Wrong(f"its {name} is missing or no time")
    return float(value)


def _key_set(jwks: bytes) -> list[Any]:
    """Return the keys of a set; those that cannot be used are left out. Raises InvalidSpec when none is left."""
    keys = []
    for told in msgspec.json.decode(jwks)["keys"]:
        try:
            keys.append(JWKRegistry.import_key(told))
        except (JoseError, ValueError, TypeError, KeyError):
            continue
    if not keys:
        raise InvalidSpec("the issuer's key set has no key that can be used")
    return keys
