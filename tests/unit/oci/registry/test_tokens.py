"""Bearer tokens: asked for with what there is, kept while they are good, never told to whom they do not belong."""

import asyncio
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs

import httpx2
import pytest
from tests.unit.oci.registry.double import Double, Fault, Reply, digest_of, refused
from tests.unit.oci.registry.test_session import get, run

from dayfly.model.errors import InvalidRequest, Unauthenticated, Unavailable
from dayfly.oci.credentials import Login
from dayfly.oci.registry.endpoint import Endpoint
from dayfly.oci.registry.tokens import Authorization, scope

CHALLENGE = 'Bearer realm="https://auth.example.com/token?x=1",service="the registry"'
PULL = frozenset({scope("team/app", "pull")})
BOTH = frozenset({scope("team/app", "pull", "push"), scope("base", "pull")})


class Asked:
    """A token server of the test's own."""

    def __init__(self, **answer: Any) -> None:
        self.calls: list[tuple[str, httpx2.URL, dict[str, str], bytes | None]] = []
        self.answer = answer
        self.now = 100.0

    async def fetch(self, method: str, url: httpx2.URL, headers: dict[str, str], body: bytes | None) -> bytes:
        self.calls.append((method, url, headers, body))
        number = len(self.calls)
        await asyncio.sleep(0)
        return json.dumps({"token": f"t{number}", **self.answer}).encode()

    def authorization(self, login: Login | None = None, line: str = CHALLENGE, **endpoint: Any) -> Authorization:
        where = Endpoint(**{"name": "registry.test", "host": "registry.test", **endpoint})
        made = Authorization(where, login, self.fetch, clock=lambda: self.now)
        made.learn([line])
        return made


def test_a_public_thing_is_asked_for_by_nobody() -> None:
    asked = Asked()
    assert asyncio.run(asked.authorization().header(PULL)) == "Bearer t1"
    ((method, url, headers, body),) = asked.calls
    assert (method, headers, body) == ("GET", {}, None)
    assert url.params.multi_items() == [("x", "1"), ("service", "the registry"), ("scope", "repository:team/app:pull")]


def test_a_password_goes_to_the_token_server() -> None:
    asked, login = Asked(), Login("me", "secret")
    assert asyncio.run(asked.authorization(login).header(BOTH)) == "Bearer t1"
    ((_, url, headers, _),) = asked.calls
    assert headers == {"Authorization": login.basic}
    assert url.params.get_list("scope") == ["repository:base:pull", "repository:team/app:pull,push"]


def test_an_identity_token_is_traded_in() -> None:
    asked = Asked()
    assert asyncio.run(asked.authorization(Login(identity_token="long lived")).header(BOTH)) == "Bearer t1"
    ((method, url, headers, body),) = asked.calls
    assert (method, str(url)) == ("POST", "https://auth.example.com/token?x=1")
    assert "Authorization" not in headers
    assert body is not None
    assert parse_qs(body.decode()) == {
        "service": ["the registry"],
        "scope": ["repository:base:pull repository:team/app:pull,push"],
        "client_id": ["dayfly"],
        "grant_type": ["refresh_token"],
        "refresh_token": ["long lived"],
    }


def test_a_token_serves_until_shortly_before_its_end() -> None:
    async def main() -> list[str]:
        asked = Asked(expires_in=60)
        authorization = asked.authorization()
        found = []
        for passed in (0, 49, 1, 30):
            asked.now += passed
            found.append(await authorization.header(PULL))
        return found

    assert asyncio.run(main()) == ["Bearer t1", "Bearer t1", "Bearer t2", "Bearer t2"]


def test_each_scope_has_its_own_and_several_requests_ask_once() -> None:
    async def main() -> list[str]:
        authorization = Asked().authorization()
        return list(await asyncio.gather(*(authorization.header(each) for each in (PULL, PULL, BOTH, PULL))))

    assert asyncio.run(main()) == ["Bearer t1", "Bearer t1", "Bearer t2", "Bearer t1"]


def test_a_token_that_is_refused_is_replaced_and_one_that_came_meanwhile_is_taken() -> None:
    async def main() -> None:
        asked = Asked()
        authorization = asked.authorization()
        first = await authorization.header(PULL)
        second = await authorization.renewed([CHALLENGE], PULL, first)
        assert (first, second) == ("Bearer t1", "Bearer t2")
        assert await authorization.renewed([CHALLENGE], PULL, first) == second

    asyncio.run(main())


def test_a_password_that_is_refused_has_nothing_in_its_place() -> None:
    authorization = Asked().authorization(Login("me", "wrong"), "Basic realm=x")
    assert asyncio.run(authorization.renewed(["Basic realm=x"], PULL, Login("me", "wrong").basic)) == ""


@pytest.mark.parametrize(
    "answer",
    [{"token": ""}, {"token": "with space"}, {"token": "a\r\nX-Header: b"}, {"token": "x" * 40_000}, {"token": None}],
)
def test_what_is_no_token_is_not_sent(answer: dict[str, Any]) -> None:
    with pytest.raises(Unauthenticated, match=r"auth\.example\.com of registry\.test gave no token"):
        asyncio.run(Asked(**answer).authorization().header(PULL))


def test_the_newer_name_of_a_token_is_known_too() -> None:
    assert asyncio.run(Asked(token="", access_token="a", expires_in="300").authorization().header(PULL)) == "Bearer a"


@pytest.mark.parametrize("realm", ["http://auth.example.com/token", "ftp://x", "/token", "http://[", ""])
def test_a_password_is_not_told_without_encryption(realm: str) -> None:
    asked = Asked()
    with pytest.raises((InvalidRequest, Unauthenticated)):
        asyncio.run(asked.authorization(Login("me", "secret"), f'Bearer realm="{realm}"').header(PULL))
    assert asked.calls == []


@pytest.mark.parametrize("realm", ["http://localhost:1/token", "http://auth.example.com/token"])
def test_but_on_this_machine_and_for_who_asks_for_it(realm: str) -> None:
    insecure = "example" in realm
    authorization = Asked().authorization(None, f'Bearer realm="{realm}"', insecure=insecure)
    assert asyncio.run(authorization.header(PULL)) == "Bearer t1"


def with_token_server(test: Callable[[Double, Double], Any]) -> None:
    async def main(registry: Double) -> None:
        async with Double() as server:
            registry.challenge = f'Bearer realm="http://{server.host}/token",service="s"'
            registry.authorization = "Bearer good"
            registry.blobs["a", digest_of(b"x")] = b"x"
            await test(registry, server)

    run(main)


def test_a_session_asks_the_server_and_again_when_it_fails() -> None:
    async def test(registry: Double, server: Double) -> None:
        server.faults = [Fault("GET", "token", Reply(503)), Fault("GET", "token", Reply(200, {}, b'{"token":"good"}'))]
        async with registry.session(login=Login("me", "secret")) as session:
            found = await session.ask(get(session, f"a/blobs/{digest_of(b'x')}", scopes=PULL))
        assert found.body == b"x"
        assert {each.headers["authorization"] for each in server.seen} == {Login("me", "secret").basic}
        assert Login("me", "secret").basic not in {each.headers.get("authorization") for each in registry.seen}

    with_token_server(test)


def test_a_token_that_ends_in_the_middle_is_renewed() -> None:
    async def test(registry: Double, server: Double) -> None:
        server.faults = [
            Fault("GET", "token", Reply(200, {}, b'{"token":"%s"}' % each)) for each in (b"stale", b"good")
        ]
        async with registry.session() as session:
            assert (await session.ask(get(session, f"a/blobs/{digest_of(b'x')}", scopes=PULL))).body == b"x"
        assert [each.headers.get("authorization") for each in registry.asked("GET", "blobs")] == [
            "Bearer stale", "Bearer good"
        ]  # fmt: skip

    with_token_server(test)


@pytest.mark.parametrize(
    ("reply", "kind"),
    [(refused(401, "UNAUTHORIZED", "who are you"), Unauthenticated), (Reply(503), Unavailable)],
)
def test_a_token_server_s_refusal_is_told_as_its_own(reply: Reply, kind: type[Exception]) -> None:
    async def test(registry: Double, server: Double) -> None:
        server.faults = [Fault("GET", "token", reply) for _ in range(9)]
        async with registry.session(login=Login("me", "secret")) as session:
            with pytest.raises(kind, match=r"The token server 127\.0\.0\.1 could not give a token"):
                await session.ask(get(session, scopes=PULL))

    with_token_server(test)


def test_a_token_server_s_answer_has_a_bound() -> None:
    async def test(registry: Double, server: Double) -> None:
        server.faults = [Fault("GET", "token", Reply(200, {}, b" " * 70_000))]
        async with registry.session() as session:
            with pytest.raises(Exception, match="larger than"):
                await session.ask(get(session, scopes=PULL))

    with_token_server(test)
