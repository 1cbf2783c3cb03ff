"""Revisions, canaries, rollback and promotion over the native API."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from dayfly.model.rollout import Canary
from dayfly.model.status import FunctionStatus, RevisionStatus

if TYPE_CHECKING:
    from tests.api.conftest import Play, Stage

HELLO = "/v1/namespaces/openfaas-fn/functions/hello"


def test_a_deployment_may_be_a_canary(play: Play) -> None:
    async def story(stage: Stage) -> None:
        data = {"bundle": stage.bundle}
        first = await stage.ask("PUT", HELLO + "?canary=10", data=data)
        assert first.status == 201
        assert stage.plane.canary == Canary(weight=10)
        rest = "canary_window=30s&canary_errors=0.5&canary_p95=0&canary_calls=7&canary_promote=false"
        second = await stage.ask("PUT", f"{HELLO}?canary=25&{rest}", data=data)
        assert (second.status, second.json()["revision"]) == (200, 2)
        assert stage.plane.canary == Canary(weight=25, window="30s", errors=0.5, p95=0, calls=7, promote=False)
        await stage.ask("PUT", HELLO, data=data)
        assert stage.plane.canary is None

    play(story)


@pytest.mark.parametrize(
    ("query", "tells"),
    [
        ("canary=0", "canary: 0 must be between 1 and 99"),
        ("canary=100", "canary: 100 must be between 1 and 99"),
        ("canary=-1", "canary: -1 must be between 1 and 99"),
        ("canary=ten", "$.canary"),
        ("canary=", "$.canary"),
        ("canary=10.5", "$.canary"),
        ("canary=" + "9" * 40, "canary"),
        ("canary=10&canary_window=soon", "soon"),
        ("canary=10&canary_window=0s", "canary window: '0s'"),
        ("canary=10&canary_window=169h", "at most 7d"),
        ("canary=10&canary_errors=101", "canary errors: 101"),
        ("canary=10&canary_errors=nan", "canary errors: nan"),
        ("canary=10&canary_p95=0.5", "canary p95: 0.5"),
        ("canary=10&canary_p95=inf", "canary p95: inf"),
        ("canary=10&canary_calls=0", "canary calls: 0"),
        ("canary=10&canary_promote=perhaps", "$.canary_promote"),
        ("canary_window=5m", "canary_window: there is no canary without canary=PERCENT"),
        ("canary_promote=false&canary_calls=3", "canary_calls: there is no canary without canary=PERCENT"),
        ("canry=10", "canry"),
    ],
)
def test_a_canary_that_cannot_work_is_refused_and_nothing_is_deployed(play: Play, query: str, tells: str) -> None:
    async def story(stage: Stage) -> None:
        answer = await stage.ask("PUT", f"{HELLO}?{query}", data={"bundle": stage.bundle})
        assert (answer.status, answer.headers["content-type"]) == (400, "application/problem+json")
        assert tells in answer.json()["detail"]
        assert not stage.plane.changes

    play(story)


def test_revisions_are_told_with_their_roles_and_rolled_back_to(play: Play) -> None:
    async def story(stage: Stage) -> None:
        for _ in range(3):
            await stage.deploy()
        listed = msgspec.json.decode((await stage.ask("GET", HELLO + "/revisions")).body, type=list[RevisionStatus])
        assert [(one.number, one.role) for one in listed] == [(3, "serving"), (2, "kept"), (1, "kept")]
        back = await stage.ask("POST", HELLO + "/rollback", data={})
        assert (back.status, msgspec.json.decode(back.body, type=FunctionStatus).revision) == (200, 2)
        assert (await stage.ask("POST", HELLO + "/rollback")).json()["revision"] == 1
        named = await stage.ask("POST", HELLO + "/rollback", data={"revision": 3, "canary": {"weight": 5}})
        assert (named.json()["revision"], stage.plane.canary) == (3, Canary(weight=5))
        assert (await stage.ask("POST", HELLO + "/promote")).status == 200
        none = await stage.ask("POST", HELLO + "/promote")
        assert (none.status, none.json()["code"]) == (409, "conflict")
        unknown = await stage.ask("POST", HELLO + "/rollback", data={"revision": 9})
        assert (unknown.status, unknown.json()["code"]) == (404, "not_found")

    play(story)


@pytest.mark.parametrize(
    ("body", "tells"),
    [
        (b'{"revision": 0}', "revision: 0 must be 1 or more"),
        (b'{"revision": "2"}', "$.revision"),
        (b'{"revision": 1.5}', "$.revision"),
        (b'{"to": 1}', "to"),
        (b'{"canary": {}}', "weight"),
        (b'{"canary": {"weight": 0}}', "canary: 0"),
        (b'{"canary": {"weight": 1, "windw": "1m"}}', "windw"),
        (b"[]", "object"),
    ],
)
def test_a_bad_rollback_is_refused_where_it_is_bad(play: Play, body: bytes, tells: str) -> None:
    async def story(stage: Stage) -> None:
        await stage.deploy()
        before = list(stage.plane.changes)
        answer = await stage.ask("POST", HELLO + "/rollback", body=body)
        assert answer.status == 400
        assert tells in answer.json()["detail"]
        assert stage.plane.changes == before

    play(story)


@pytest.mark.parametrize("line", ["GET /revisions", "POST /rollback", "POST /promote", "PUT ?canary=10"])
def test_each_of_them_needs_the_administrator(play: Play, line: str) -> None:
    async def story(stage: Stage) -> None:
        await stage.deploy()
        before = list(stage.plane.changes)
        method, rest = line.split()
        assert (await stage.ask(method, HELLO + rest, headers={})).status == 401
        refused = {**stage.bearer, "sec-fetch-site": "cross-site"}
        if method != "GET":
            assert (await stage.ask(method, HELLO + rest, headers=refused)).status == 403
        assert stage.plane.changes == before

    play(story)


def test_an_unknown_function_has_no_revisions(play: Play) -> None:
    async def story(stage: Stage) -> None:
        for method, rest in (("GET", "/revisions"), ("POST", "/rollback"), ("POST", "/promote"), ("GET", "/build-log")):
            answer = await stage.ask(method, HELLO + rest)
            assert (answer.status, answer.json()["code"]) == (404, "not_found")

    play(story)
