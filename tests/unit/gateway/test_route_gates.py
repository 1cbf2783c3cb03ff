"""Routes that ask who calls, answer other sites' pages and limit clients, through a real gateway."""

import asyncio
import base64
import hashlib
import hmac
import json
import time
from typing import TYPE_CHECKING, Any

import pytest
from joserfc import jwk, jwt

from dayfly.gateway.routed import RoutedCall
from dayfly.model.route_entry import AuthEntry, CorsEntry, KnownKey, RateEntry

if TYPE_CHECKING:
    from tests.unit.gateway.conftest import Conversation, Play, Rig

KEY = b"a-key-that-nobody-guesses"
KEYED = AuthEntry(kind="key", keys=(KnownKey("ci", hashlib.sha256(KEY).digest()),))
BEARER = f"Authorization: Bearer {KEY.decode()}"
SIGNED = AuthEntry(
    kind="hmac", scheme="github", header="X-Hub-Signature-256", shared=(KEY,), window_s=300.0, body_bytes=200_000
)  # fmt: skip


async def shown(conversation: "Conversation") -> None:
    """Answer with what came, as JSON, and with headers that are for the gateway to say."""
    while await conversation.request():
        told = {
            name: value for name, value in conversation.headers.items()
            if name.startswith(("x-dayfly-", "authorization", "x-api-key")) and name != "x-dayfly-depth"
        }  # fmt: skip
        body = json.dumps({"told": told, "bytes": len(conversation.body)}).encode()
        conversation.reply(
            body, "Access-Control-Allow-Origin: *", "access-control-allow-credentials: true", "Vary: Accept"
        )


async def serve(rig: "Rig", **route: Any) -> None:
    rig.routes = (rig.route("/r/*", **route),)
    await rig.serve(rig.entry(await rig.replica(shown)))


def test_a_key_opens_the_route_and_only_its_owner_is_told(play: "Play") -> None:
    async def scenario(rig: "Rig") -> None:
        await serve(rig, auth=KEYED)
        async with rig.client() as client:
            for _ in range(2):
                denied = await client.ask("/r", "X-Dayfly-Subject: root", "X-Dayfly-Auth: key")
                assert (denied.status, denied.headers["www-authenticate"]) == (401, "Bearer")
                assert denied.problem()["code"] == "unauthenticated"
                let = await client.ask("/r", BEARER, "X-Dayfly-Subject: root", "x-dayfly-claims: e30")
                assert json.loads(let.body)["told"] == {"x-dayfly-auth": "key", "x-dayfly-subject": "ci"}
            other = await client.ask("/r", f"X-Api-Key: {KEY.decode()}", "Authorization: Basic eDp5")
            assert json.loads(other.body)["told"]["authorization"] == "Basic eDp5"
            assert "x-api-key" not in json.loads(other.body)["told"]
            plain = await client.ask("/function/f", BEARER, "X-Dayfly-Subject: root")
            assert json.loads(plain.body)["told"] == {"authorization": BEARER.partition(" ")[2]}

    play(scenario)


def test_a_key_that_is_taken_back_opens_nothing_also_on_an_open_connection(play: "Play") -> None:
    async def scenario(rig: "Rig") -> None:
        await serve(rig, auth=KEYED)
        async with rig.client() as client:
            assert (await client.ask("/r", BEARER)).status == 200
            await rig.reroute(rig.route("/r/*", auth=AuthEntry(kind="key", keys=())))
            assert (await client.ask("/r", BEARER)).status == 401
            await rig.reroute(rig.route("/r/*", auth=KEYED))
            assert (await client.ask("/r", BEARER)).status == 200

    play(scenario)


@pytest.mark.parametrize(
    "auth", [AuthEntry(kind="of-next-year"), AuthEntry(kind="jwt", jwks=b'{"keys":[]}', algorithms=("RS256",)),
             AuthEntry(kind="jwt", jwks=b"{", algorithms=("RS256",)), AuthEntry(kind="hmac")]
)  # fmt: skip
def test_what_this_gateway_cannot_check_is_closed(play: "Play", auth: AuthEntry) -> None:
    async def scenario(rig: "Rig") -> None:
        await serve(rig, auth=auth)
        async with rig.client() as client:
            assert (await client.ask("/r", BEARER)).problem()["code"] == "route_closed"
            assert (await client.ask("/function/f")).status == 200

    play(scenario)


def test_a_token_opens_the_route_and_its_claims_reach_the_function(play: "Play") -> None:
    async def scenario(rig: "Rig") -> None:
        key = jwk.ECKey.generate_key("P-256", {"kid": "k"})
        jwks = json.dumps({"keys": [key.as_dict(private=False)]}).encode()
        await serve(rig, auth=AuthEntry(
            kind="jwt", issuer="i", audience=("a",), algorithms=("ES256",), jwks=jwks, leeway_s=1.0
        ))  # fmt: skip
        claims = {"iss": "i", "aud": "a", "sub": "alice", "exp": int(time.time()) + 60}
        token = jwt.encode({"alg": "ES256", "kid": "k"}, claims, key)
        stale = jwt.encode({"alg": "ES256", "kid": "k"}, claims | {"exp": int(time.time()) - 60}, key)
        async with rig.client() as client:
            let = json.loads((await client.ask("/r", f"Authorization: Bearer {token}")).body)["told"]
            assert (let["x-dayfly-auth"], let["x-dayfly-subject"]) == ("jwt", "alice")
            assert json.loads(base64.urlsafe_b64decode(let["x-dayfly-claims"] + "==")) == claims
            assert "authorization" not in let
            denied = await client.ask("/r", f"Authorization: Bearer {stale}")
            assert (denied.status, "expired" in denied.problem()["detail"]) == (401, True)
            assert denied.headers["www-authenticate"] == 'Bearer error="invalid_token"'

    play(scenario)


def test_keys_are_good_for_who_was_let_through_however_a_token_names_it(play: "Play") -> None:
    async def scenario(rig: "Rig") -> None:
        scopes: list[str] = []

        async def queue(conversation: "Conversation") -> None:
            while await conversation.request():
                scopes.append(conversation.headers["x-dayfly-scope"])
                conversation.reply(b"out")

        await rig.replica(queue, "queue")
        key = jwk.ECKey.generate_key("P-256", {"kid": "k"})
        jwks = json.dumps({"keys": [key.as_dict(private=False)]}).encode()
        await serve(rig, auth=AuthEntry(
            kind="jwt", issuer="i", audience=("a",), algorithms=("ES256",), jwks=jwks, leeway_s=1.0
        ))  # fmt: skip
        claims = {"iss": "i", "aud": "a", "exp": int(time.time()) + 60}
        long = "x" * 1500
        async with rig.client() as client:
            for more in (
                {"sub": long + "1"},
                {"sub": long + "2"},
                {"of": "1"},
                {"of": "2"},
                {"sub": long + "1", "n": 2},
            ):
                token = jwt.encode({"alg": "ES256", "kid": "k"}, claims | more, key)
                lines = (f"Authorization: Bearer {token}", "Idempotency-Key: a")
                assert (await client.ask("/r", *lines, method="POST")).status == 200
        assert len(set(scopes)) == 4
        assert scopes[0] == scopes[4]

    play(scenario, queue=True)


def signature(body: bytes) -> str:
    return "X-Hub-Signature-256: sha256=" + hmac.new(KEY, body, hashlib.sha256).hexdigest()


@pytest.mark.parametrize("size", [0, 10, 150_000])
@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("expects", [False, True])
def test_not_a_byte_of_a_body_reaches_the_function_before_all_of_it_was_signed_for(
    play: "Play", size: int, chunked: bool, expects: bool
) -> None:
    async def scenario(rig: "Rig") -> None:
        began = []

        async def script(conversation: "Conversation") -> None:
            while await conversation.head():
                began.append(conversation.line)
                await shown_once(conversation)

        async def shown_once(conversation: "Conversation") -> None:
            from tests.unit.gateway.conftest import read_body

            conversation.body = await read_body(conversation.reader, conversation.headers, until_close=False)
            conversation.reply(b"%d" % len(conversation.body))

        rig.routes = (rig.route("/r/*", auth=SIGNED),)
        await rig.serve(rig.entry(await rig.replica(script)))
        body = b"x" * size
        framing = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {size}"
        lines = ["POST /r HTTP/1.1", "Host: h", framing, *(["Expect: 100-continue"] if expects else [])]
        coded = (b"%x\r\n%b\r\n" % (size, body) if size else b"") + b"0\r\n\r\n" if chunked else body
        for good in (False, True):
            async with rig.client() as client:
                client.send("\r\n".join([*lines, signature(body if good else body + b"!"), "", ""]).encode())
                if expects and (size or chunked):
                    assert (await client.answer()).status == 100
                half = len(coded) // 2
                client.send(coded[:half])
                if half:
                    await rig.heard_all()
                    assert began == []
                client.send(coded[half:])
                answer = await client.answer()
                assert answer.status == (200 if good else 401), answer.body
                assert (answer.body == b"%d" % size) is good
            assert len(began) == good

    play(scenario)


def test_a_signed_body_is_bounded_and_a_caller_that_goes_away_leaves_nothing(play: "Play") -> None:
    async def scenario(rig: "Rig") -> None:
        await serve(rig, auth=SIGNED)
        async with rig.client() as client:
            client.send(f"POST /r HTTP/1.1\r\nHost: h\r\nContent-Length: 200001\r\n{signature(b'')}\r\n\r\n".encode())
            assert (await client.answer()).status == 413
        async with rig.client() as client:
            client.send(f"POST /r HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n{signature(b'')}\r\n\r\nabc".encode())
            await rig.heard_all()
        async with rig.client() as client:
            assert (await client.ask("/r", signature(b"in"), method="POST", body=b"in")).status == 200
            denied = await client.ask("/r", method="POST", body=b"in")
            assert denied.problem()["code"] == "signature_missing"

    play(scenario)


def test_a_signed_call_waits_for_its_function_like_any_other(play: "Play") -> None:
    async def scenario(rig: "Rig") -> None:
        rig.routes = (rig.route("/r/*", auth=SIGNED),)
        await rig.serve(rig.entry())
        body = b"y" * 100_000
        async with rig.client() as client:
            asking = asyncio.create_task(client.ask("/r", signature(body), method="POST", body=body))
            await rig.demand()
            rig.tell(rig.delta(rig.entry(await rig.replica(shown))))
            assert json.loads((await asking).body)["bytes"] == 100_000

    play(scenario)


SITE = "https://www.example.org"
CORS = CorsEntry(origins=(SITE,), headers=("X-A",), expose=("X-B",), credentials=True, max_age_s=600)


def cors_headers(headers: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name.startswith("access-control-") or name == "vary"}


def test_a_preflight_is_answered_without_the_function_and_without_a_credential(play: "Play") -> None:
    async def scenario(rig: "Rig") -> None:
        await serve(rig, cors=CORS, auth=KEYED, methods=("GET", "PUT"))
        async with rig.client() as client:
            asks = ("Access-Control-Request-Method: PUT", "Access-Control-Request-Headers: x-a")
            let = await client.ask("/r", f"Origin: {SITE}", *asks, method="OPTIONS")
            assert let.status == 204
            assert cors_headers(let.headers) == {
                "access-control-allow-origin": SITE,
                "access-control-allow-credentials": "true",
                "access-control-allow-methods": "GET, PUT",
                "access-control-allow-headers": "X-A, Authorization, X-Api-Key",
                "access-control-max-age": "600",
                "vary": "Origin,Access-Control-Request-Method, Access-Control-Request-Headers",
            }
            for origin in (
                "https://evil.example",
                f"{SITE}.evil.example",
                "null",
                f"{SITE}:443",
                "http://www.example.org",
            ):
                other = await client.ask("/r", f"Origin: {origin}", *asks, method="OPTIONS")
                assert (other.status, list(cors_headers(other.headers))) == (204, ["vary"]), origin
            wrong = await client.ask("/r", f"Origin: {SITE}", "Access-Control-Request-Method: POST", method="OPTIONS")
            assert wrong.status == 405
            assert (await client.ask("/r", method="OPTIONS")).status == 405  # it is no preflight
            assert (await client.ask("/r", f"Origin: {SITE}", BEARER)).status == 200

    play(scenario)


def test_the_gateway_alone_says_who_may_read_an_answer_and_a_refusal(play: "Play") -> None:
    async def scenario(rig: "Rig") -> None:
        await serve(rig, cors=CORS, auth=KEYED)
        mine = {
            "access-control-allow-origin": SITE, "access-control-allow-credentials": "true",
            "access-control-expose-headers": "X-B",
        }  # fmt: skip
        async with rig.client() as client:
            for _ in range(2):
                answer = await client.ask("/r", BEARER, f"Origin: {SITE}")
                assert cors_headers(answer.headers) == {**mine, "vary": "Accept,Origin"}
                other = await client.ask("/r", BEARER, "Origin: https://evil.example")
                assert cors_headers(other.headers) == {"vary": "Accept,Origin"}
                assert cors_headers((await client.ask("/r", BEARER)).headers) == {"vary": "Accept,Origin"}
                denied = await client.ask("/r", f"Origin: {SITE}")
                assert (denied.status, cors_headers(denied.headers)) == (401, {**mine, "vary": "Origin"})
            plain = await client.ask("/function/f", f"Origin: {SITE}")
            assert plain.headers["access-control-allow-origin"] == "*"  # as its author said

    play(scenario)


def test_no_spelling_of_a_functions_header_is_said_beside_the_routes_own(play: "Play") -> None:
    async def shouting(conversation: "Conversation") -> None:
        while await conversation.request():
            conversation.reply(b"{}", "ACCESS-CONTROL-ALLOW-ORIGIN: *", "ACCESS-CONTROL-ALLOW-CREDENTIALS: true")

    async def scenario(rig: "Rig") -> None:
        rig.routes = (rig.route("/r/*", cors=CorsEntry(origins=(SITE,), max_age_s=1)),)
        await rig.serve(rig.entry(await rig.replica(shouting)))
        async with rig.client() as client:
            answer = await client.ask("/r", f"Origin: {SITE}")
            assert cors_headers(answer.headers) == {"access-control-allow-origin": SITE, "vary": "Origin"}

    play(scenario)


def test_any_site_may_read_what_everybody_may_and_never_with_credentials(play: "Play") -> None:
    async def scenario(rig: "Rig") -> None:
        await serve(rig, cors=CorsEntry(origins=("*",), max_age_s=1))
        async with rig.client() as client:
            answer = await client.ask("/r", "Origin: https://any.example")
            assert cors_headers(answer.headers) == {"access-control-allow-origin": "*", "vary": "Accept"}

    play(scenario)


def test_a_client_that_calls_too_often_is_told_when_to_come_back(play: "Play") -> None:
    async def scenario(rig: "Rig") -> None:
        await serve(rig, rate=RateEntry(calls=2, window_s=3600.0), auth=KEYED)
        async with rig.client() as client:
            first, second = await client.ask("/r", BEARER), await client.ask("/r")
            assert (first.status, second.status) == (200, 401)
            assert first.headers["ratelimit-policy"] == '"r";q=2;w=3600'
            assert first.headers["ratelimit"] == '"r";r=1;t=1800'
            assert second.headers["ratelimit"].startswith('"r";r=0;t=')
            third = await client.ask("/r", BEARER)
            assert third.problem()["code"] == "rate_limited"
            assert 1790 < int(third.headers["retry-after"]) <= 1800
            assert (await client.ask("/function/f")).status == 200
            await rig.reroute(rig.route("/r/*", rate=RateEntry(calls=2, window_s=3600.0)))
            assert (await client.ask("/r", BEARER)).status == 429  # a change does not fill it up

    play(scenario)


def test_callers_are_told_apart_by_who_they_are(play: "Play") -> None:
    async def scenario(rig: "Rig") -> None:
        names = {name: hashlib.sha256(name.encode() * 20).digest() for name in ("ann", "bob")}
        auth = AuthEntry(kind="key", keys=tuple(KnownKey(name, digest) for name, digest in names.items()))
        await serve(rig, rate=RateEntry(calls=1, window_s=3600.0, by_caller=True), auth=auth)
        async with rig.client() as client:
            found = [
                (await client.ask("/r", f"X-Api-Key: {who * 20}")).status for who in ("ann", "ann", "bob", "bob", "x")
            ]
            assert found == [200, 429, 200, 429, 401]

    play(scenario)


def test_callers_without_a_name_are_told_apart_by_network(play: "Play", monkeypatch: pytest.MonkeyPatch) -> None:
    addresses = iter(("2001:db8::1", "2001:db8::2", "2001:db8:0:1::1"))

    async def scenario(rig: "Rig") -> None:
        await serve(rig, rate=RateEntry(calls=1, window_s=3600.0, by_caller=True), auth=SIGNED)
        monkeypatch.setattr(RoutedCall, "_peer", lambda _call: next(addresses))
        async with rig.client() as client:
            found = [(await client.ask("/r", signature(b"{}"), body=b"{}")).status for _ in range(3)]
            assert found == [200, 429, 200]

    play(scenario)
