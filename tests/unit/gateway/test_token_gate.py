"""Tokens that are good, and every way in which one was ever made to look good."""

import base64
import hashlib
import hmac
import json
import warnings
from typing import Any

import pytest
from joserfc import jwk, jwt
from joserfc.errors import SecurityWarning

from dayfly.gateway.gates import Admitted, Denied
from dayfly.gateway.token_gate import TokenGate
from dayfly.http1.head import RequestHead, judge
from dayfly.model.errors import InvalidSpec
from dayfly.model.route_auth import _SIGNED as ASYMMETRIC
from dayfly.model.route_entry import AuthEntry

NOW = 1_700_000_000.0
SHARED = b"a shared key of more than thirty-two bytes"
CLAIMS = {"iss": "https://i/", "aud": "api", "sub": "alice", "exp": NOW + 60}
RSA = jwk.RSAKey.generate_key(2048, {"kid": "rsa"})
OTHER_RSA = jwk.RSAKey.generate_key(2048, {"kid": "rsa"})
EC = jwk.ECKey.generate_key("P-256", {"kid": "ec"})
EC384 = jwk.ECKey.generate_key("P-384", {"kid": "ec384"})
EC521 = jwk.ECKey.generate_key("P-521", {"kid": "ec521"})
ED = jwk.OKPKey.generate_key("Ed25519", {"kid": "ed"})
KEYS = [RSA, EC, EC384, EC521, ED]
SIGNER = {"RS": RSA, "PS": RSA, "Ed": ED, "ES256": EC, "ES384": EC384, "ES512": EC521}


def key_set(*keys: Any, **more: Any) -> bytes:
    return json.dumps({"keys": [{**key.as_dict(private=False), **more} for key in keys]}).encode()


def entry(**fields: Any) -> AuthEntry:
    usual: dict[str, Any] = {
        "kind": "jwt", "issuer": "https://i/", "audience": ("api", "web"), "algorithms": ("RS256", "ES256", "EdDSA"),
        "leeway_s": 5.0, "jwks": key_set(*KEYS),
    }  # fmt: skip
    return AuthEntry(**(usual | fields))


def signed(claims: dict[str, Any], key: Any = RSA, algorithm: str = "RS256", **header: Any) -> str:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SecurityWarning)  # issuers use EdDSA by its old name
        return jwt.encode({"alg": algorithm, "kid": key.kid, **header}, claims, key, algorithms=[algorithm])


def raw(header: dict[str, Any], claims: Any, signature: bytes = b"") -> str:
    parts = [json.dumps(header).encode(), json.dumps(claims).encode(), signature]
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)


def head(token: str | None, *more: tuple[bytes, bytes]) -> RequestHead:
    given = [(b"Authorization", f"Bearer {token}".encode())] if token is not None else []
    return judge(b"GET", b"/", b"HTTP/1.1", [(b"Host", b"h"), *given, *more])


def authorized(value: bytes) -> RequestHead:
    return judge(b"GET", b"/", b"HTTP/1.1", [(b"Host", b"h"), (b"Authorization", value)])


def check(token: str | None, gate: TokenGate | None = None, now: float = NOW) -> Admitted | Denied:
    return (gate or TokenGate(entry())).check(head(token), "p", 0.0, now)


def is_in(token: str, gate: TokenGate | None = None, now: float = NOW) -> bool:
    return isinstance(check(token, gate, now), Admitted)


@pytest.mark.parametrize("algorithm", ASYMMETRIC)
def test_every_algorithm_that_can_be_named_works_with_its_key_alone(algorithm: str) -> None:
    gate = TokenGate(entry(algorithms=(algorithm,)))
    signer = SIGNER.get(algorithm) or SIGNER[algorithm[:2]]
    token = signed(CLAIMS, signer, algorithm)
    assert is_in(token, gate)
    head_, body, signature = token.split(".")
    assert not is_in(f"{head_}.{body}.{signature[:-8]}AAAAAAAA", gate)
    assert not is_in(f"{head_}.{raw({}, CLAIMS | {'sub': 'mallory'}).split('.')[1]}.{signature}", gate)
    assert not is_in(token, TokenGate(entry(algorithms=tuple(a for a in ("RS384", "ES384") if a != algorithm))))


def test_the_function_is_told_who_it_is() -> None:
    found = check(signed(CLAIMS | {"sub": "ali\r\nX-Admin: 1 ü%", "groups": ["a"]}))
    assert isinstance(found, Admitted)
    kind, subject, claims, end = found.lines.split(b"\r\n")
    assert (kind, subject) == (b"X-Dayfly-Auth: jwt", b"X-Dayfly-Subject: ali%0D%0AX-Admin:%201%20%C3%BC%25")
    encoded = claims.removeprefix(b"X-Dayfly-Claims: ")
    assert json.loads(base64.urlsafe_b64decode(encoded + b"=="))["groups"] == ["a"]
    assert end == b""


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "https://i"}, {"iss": "https://evil/"}, {"iss": None}, {"iss": ["https://i/"]}, {"aud": "other"},
        {"aud": ["other"]}, {"aud": []}, {"aud": None}, {"aud": {"api": 1}}, {"aud": [["api"]]}, {"aud": "ap"},
        {"exp": NOW - 6}, {"exp": None}, {"exp": "9999999999"}, {"exp": True}, {"exp": [NOW + 60]}, {"exp": 1e300},
        {"nbf": NOW + 6}, {"nbf": "soon"}, {"nbf": True}, {"nbf": None, "exp": float("nan")},
    ],
)  # fmt: skip
def test_a_token_for_somebody_else_or_another_time_is_refused(claims: dict[str, Any]) -> None:
    assert not is_in(signed({name: value for name, value in (CLAIMS | claims).items() if value is not None}))


@pytest.mark.parametrize("claims", [{"aud": ["other", "web"]}, {"exp": NOW - 4}, {"nbf": NOW + 4}, {"nbf": NOW}])
def test_one_of_several_audiences_and_clocks_that_differ_a_little_do(claims: dict[str, Any]) -> None:
    assert is_in(signed(CLAIMS | claims))


@pytest.mark.parametrize("missing", ["iss", "aud", "exp"])
def test_what_must_be_said_must_be_said(missing: str) -> None:
    assert not is_in(signed({name: value for name, value in CLAIMS.items() if name != missing}))


@pytest.mark.parametrize("name", ["none", "None", "NONE", "nOnE", "", None, 0, ["RS256"], {"alg": "RS256"}])
def test_no_algorithm_is_none(name: object) -> None:
    for signature in (b"", b"x"):
        assert not is_in(raw({"alg": name, "kid": "rsa"}, CLAIMS, signature))
    assert not is_in(raw({"kid": "rsa"}, CLAIMS))


@pytest.mark.parametrize("algorithms", [("RS256",), ("RS256", "ES256", "EdDSA")])
def test_a_public_key_is_never_taken_for_a_shared_one(algorithms: tuple[str, ...]) -> None:
    gate = TokenGate(entry(algorithms=algorithms))
    for secret in (RSA.as_pem(private=False), key_set(RSA), json.dumps(RSA.as_dict(private=False)).encode(), b""):
        for algorithm, name in (("HS256", "sha256"), ("HS512", "sha512")):
            unsigned = raw({"alg": algorithm, "kid": "rsa"}, CLAIMS).rpartition(".")[0]
            mac = hmac.new(secret, unsigned.encode(), getattr(hashlib, name)).digest()
            token = f"{unsigned}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"
            assert not is_in(token, gate)
            header = raw({"alg": "RS256", "kid": "rsa"}, CLAIMS).partition(".")[0]
            assert not is_in(f"{header}.{unsigned.partition('.')[2]}.{token.rpartition('.')[2]}", gate)


def test_a_key_that_the_token_brings_along_or_points_at_is_not_looked_at() -> None:
    mine = jwk.RSAKey.generate_key(2048)
    public = mine.as_dict(private=False)
    for header in ({"jwk": public}, {"jku": "https://evil/keys"}, {"x5u": "https://evil/"}, {"kid": "rsa"}):
        token = jwt.encode({"alg": "RS256", **header}, CLAIMS, mine, algorithms=["RS256"])
        assert not is_in(token)


@pytest.mark.parametrize(
    "kid", ["", "nobody", "../../../dev/null", "' OR 1=1 --", "file:///etc/passwd", 0, ["rsa"], {"a": 1}, "ec", "rsa\0"]
)
def test_a_kid_finds_a_key_of_the_set_or_none(kid: object) -> None:
    signature = base64.urlsafe_b64decode(signed(CLAIMS).rpartition(".")[2] + "==")
    assert not is_in(raw({"alg": "RS256", "kid": kid}, CLAIMS, signature))
    header = {"alg": "RS256", "kid": kid} if isinstance(kid, str) else {"alg": "RS256"}
    mine = jwt.encode(header, CLAIMS, RSA, algorithms=["RS256"])
    assert is_in(mine) == (not isinstance(kid, str))


def test_a_key_of_the_same_name_but_another_owner_is_none() -> None:
    assert not is_in(signed(CLAIMS, OTHER_RSA))
    both = TokenGate(entry(jwks=key_set(OTHER_RSA, RSA)))
    assert is_in(signed(CLAIMS), both)
    assert is_in(signed(CLAIMS, OTHER_RSA), both)


def test_a_key_is_for_what_it_says() -> None:
    for more in ({"use": "enc"}, {"alg": "RS512"}):
        assert not is_in(signed(CLAIMS), TokenGate(entry(jwks=key_set(RSA, **more))))
    for more in ({"use": "sig"}, {"alg": "RS256"}):
        assert is_in(signed(CLAIMS), TokenGate(entry(jwks=key_set(RSA, **more))))


@pytest.mark.parametrize(
    "token",
    ["", "a", "a.b", "a.b.c", "....", "e30.e30.", "e30.e30.e30.e30.e30", "W10.e30.", "ü.e30.e30", "A" * 20_000,
     base64.urlsafe_b64encode(b"[" * 9_000).decode() + ".e30.e30"],
)  # fmt: skip
def test_what_is_no_token_is_none(token: str) -> None:
    found = TokenGate(entry()).check(authorized(b"Bearer " + token.encode()), "p", 0.0, NOW)
    assert isinstance(found, Denied)
    assert found.refusal.status == 401


@pytest.mark.parametrize("payload", [b"null", b"[]", b"1", b"{", b'"x"', b"\xff", b"[" * 9_000])
def test_what_an_issuer_signs_must_still_be_claims(payload: bytes) -> None:
    from joserfc import jws

    token = jws.serialize_compact({"alg": "RS256", "kid": "rsa"}, payload, RSA, algorithms=["RS256"])
    assert not is_in(token)


@pytest.mark.parametrize("header", [{"crit": ["b64"], "b64": False}, {"crit": ["exp"], "exp": 1}, {"crit": []}])
def test_what_asks_for_something_extraordinary_is_refused(header: dict[str, Any]) -> None:
    token = signed(CLAIMS)
    signature = base64.urlsafe_b64decode(token.rpartition(".")[2] + "==")
    found = check(raw({"alg": "RS256", "kid": "rsa", **header}, CLAIMS, signature))
    assert isinstance(found, Denied)
    assert "crit" in found.refusal.detail


def test_a_key_is_not_even_tried_for_what_it_is_not() -> None:
    mores: list[dict[str, Any]] = [{}, {"use": "enc"}, {"alg": "RS512"}, {"alg": "RS256"}]
    keys = [*({**RSA.as_dict(private=False), **more} for more in mores), EC.as_dict(private=False)]
    gate = TokenGate(entry(jwks=json.dumps({"keys": keys}).encode()))
    for algorithm, tried in (("RS256", [0, 3]), ("RS512", [0, 2]), ("PS256", [0]), ("ES256", [4]), ("HS256", [])):
        assert gate._fitting(algorithm, None) == [gate._keys[at] for at in tried], algorithm


def test_the_token_is_in_one_authorization_header_as_bearer() -> None:
    gate, token = TokenGate(entry()), signed(CLAIMS)
    assert isinstance(gate.check(head(token), "p", 0.0, NOW), Admitted)
    assert gate.takes_away(head(token)) == {b"authorization"}
    twice = head(token, (b"authorization", b"Bearer x"))
    assert isinstance(gate.check(twice, "p", 0.0, NOW), Denied)
    for value in (f"Basic {token}", f"Token {token}", token, ""):
        found = gate.check(
            judge(b"GET", b"/", b"HTTP/1.1", [(b"Host", b"h"), (b"Authorization", value.encode())]), "p", 0.0, NOW
        )
        assert isinstance(found, Denied)
        assert found.lines.startswith(b"WWW-Authenticate: Bearer\r\n")


def test_a_signature_is_checked_once_and_the_times_every_time() -> None:
    gate, token = TokenGate(entry()), signed(CLAIMS)
    assert is_in(token, gate)
    gate._keys = []
    assert is_in(token, gate)
    assert not is_in(token, gate, NOW + 66)
    assert not is_in(signed(CLAIMS | {"sub": "bob"}), gate)


def test_no_more_tokens_are_remembered_than_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dayfly.gateway.token_gate._REMEMBERED", 3)
    gate = TokenGate(entry(shared=(SHARED,), algorithms=("HS256",), jwks=b""))
    key = jwk.OctKey.import_key(SHARED)
    for number in range(10):
        assert is_in(jwt.encode({"alg": "HS256"}, CLAIMS | {"sub": str(number)}, key), gate)
    assert len(gate._good) == 3


def test_a_shared_key_takes_its_own_tokens_and_no_others() -> None:
    gate = TokenGate(entry(shared=(SHARED,), algorithms=("HS256",), jwks=b""))
    assert is_in(jwt.encode({"alg": "HS256", "kid": "any"}, CLAIMS, jwk.OctKey.import_key(SHARED)), gate)
    assert not is_in(jwt.encode({"alg": "HS256"}, CLAIMS, jwk.OctKey.import_key(SHARED + b"!")), gate)
    assert not is_in(signed(CLAIMS), gate)
    assert not is_in(raw({"alg": "none"}, CLAIMS), gate)


def test_a_set_without_a_key_that_can_be_used_is_refused() -> None:
    with pytest.raises(InvalidSpec, match="no key"):
        TokenGate(entry(jwks=b'{"keys":[{"kty":"EC","crv":"P-9"}]}'))
