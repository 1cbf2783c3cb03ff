"""Replays by the API: what is sent, by whom it may be asked for, and what is refused."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from dayfly.model.direct import DirectAnswer
from dayfly.model.payload import PAYLOADS, REDACT, CallPayload
from dayfly.model.replay import MAX_ANSWER_BYTES
from dayfly.model.rollout import RolloutStatus
from dayfly.model.token import TokenRequest

if TYPE_CHECKING:
    from tests.api.conftest import Play, Stage

PATH = "/v1/namespaces/team/calls/a/replay"


def payload(number: int = 1, **fields: Any) -> CallPayload:
    """Return what is kept of a call."""
    given: dict[str, Any] = {
        "method": "PUT", "target": "/x?y=1", "headers": (("host", "h"), ("x-mine", "1"), ("x-forwarded-for", "h")),
        "body": b"{}", "status": 500, "answer_headers": (("x-a", "b"),), "answer_body": b"no", **fields,
    }  # fmt: skip
    return CallPayload(number=number, **given)


async def ready(stage: Stage, **fields: Any) -> dict[str, str]:
    """Have a failed call in the namespace team; return the headers of somebody there."""
    await stage.deploy("hello", namespace="team", annotations={PAYLOADS: "all", REDACT: "password"})
    stage.records.add("a", "team", status=500, error="function_error", run_ms=7.5, revision=1)
    stage.records.kept["team", "a"] = [payload(**fields)]
    token = await stage.tokens.issue(stage.team, TokenRequest(role="deploy"))
    return {"authorization": f"Bearer {token.token}"}


def test_it_is_sent_as_it_was_and_both_answers_are_told(play: Play) -> None:
    async def story(stage: Stage) -> None:
        mine = await ready(stage)
        stage.direct.answer = DirectAnswer(
            status=200, call_id="c", seconds=0.25, of_function=True,
            headers=(("set-cookie", "s=secret"), ("content-type", "application/json")),
        )  # fmt: skip
        stage.direct.body = b'{"password": "secret", "n": 1}'
        answer = await stage.ask("POST", PATH, headers=mine, data={})
        assert answer.status == 200, answer.body
        (key, call, body, call_id, _) = stage.direct.made[0]
        assert (key, call.method, call.target, body) == ("hello.team", "PUT", "/x?y=1", b"{}")
        assert call.headers == (("x-mine", "1"),), "what the platform says itself is said anew"
        assert stage.direct.triggers == ["replay a"]
        told = answer.json()
        assert (told["old"]["status"], told["old"]["milliseconds"], told["old"]["revision"]) == (500, 7.5, 1)
        assert base64.b64decode(told["old"]["body"]) == b"no"
        assert (told["new"]["status"], told["new"]["milliseconds"], told["new"]["call_id"]) == (200, 250.0, call_id)
        assert base64.b64decode(told["new"]["body"]) == b'{"password": "[redacted]", "n": 1}'
        assert told["new"]["headers"][0] == ["set-cookie", "[redacted]"]

    play(story)


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"redacted": ("header authorization",)}, "header authorization"),
        ({"redacted": ("header idempotency-key", "body $.password")}, "body $.password"),
        ({"body_cut": True}, "longer than what is kept"),
    ],
)
def test_what_is_not_what_was_sent_is_not_sent_unless_somebody_writes_it(
    play: Play, fields: dict[str, Any], why: str
) -> None:
    async def story(stage: Stage) -> None:
        await ready(stage, **fields)
        refused = await stage.ask("POST", PATH, data={})
        assert refused.status == 409
        assert why in refused.json()["detail"]
        assert stage.direct.made == []
        given = {"method": "POST", "target": "/z", "headers": [["Authorization", "mine"]], "body": "eA=="}
        assert (await stage.ask("POST", PATH, data={"request": given})).status == 200
        assert stage.direct.made[0][1].headers == (("Authorization", "mine"),)
        assert stage.direct.made[0][2] == b"x"

    play(story)


def test_a_key_that_was_used_goes_with_its_call(play: Play) -> None:
    async def story(stage: Stage) -> None:
        await ready(stage, headers=(("idempotency-key", "[redacted]"),), redacted=("header idempotency-key",))
        assert (await stage.ask("POST", PATH, data={})).status == 200
        assert stage.direct.made[0][1].headers == ()

    play(story)


def test_only_who_deploys_there_replays(play: Play) -> None:
    async def story(stage: Stage) -> None:
        mine = await ready(stage)
        stage.records.add("theirs", "other")
        stage.records.kept["other", "theirs"] = [payload(2)]
        for path, status in (
            ("/v1/namespaces/team/calls/theirs/replay", 404), ("/v1/namespaces/other/calls/theirs/replay", 403),
            ("/v1/namespaces/team/calls/unknown/replay", 404),
        ):  # fmt: skip
            assert (await stage.ask("POST", path, headers=mine, data={})).status == status
        for role in ("view", "invoke"):
            token = await stage.tokens.issue(stage.team, TokenRequest(role=role))
            who = {"authorization": f"Bearer {token.token}"}
            assert (await stage.ask("POST", PATH, headers=who, data={})).status == 403
        assert (await stage.ask("POST", PATH, headers={}, data={})).status == 401
        assert stage.direct.made == []

    play(story)


def test_what_cannot_be_is_refused_in_words(play: Play) -> None:
    async def story(stage: Stage) -> None:
        await ready(stage)
        other = await stage.ask("POST", PATH, data={"revision": 7})
        assert (other.status, other.json()["detail"]) == (404, "revision 7 of hello is not kept; these are: 1")
        assert (await stage.ask("POST", PATH, data={"number": 9})).status == 404
        forged = {"request": {"headers": [["X-Dayfly-Trigger", "cron"]]}}
        assert (await stage.ask("POST", PATH, data=forged)).status == 400
        assert (await stage.ask("POST", PATH, data={"request": {"target": "/a b"}})).status == 400
        assert (await stage.ask("POST", PATH, data={"else": 1})).status == 400
        stage.records.kept.clear()
        nothing = await stage.ask("POST", PATH, data={})
        assert (nothing.status, "Nothing is kept" in nothing.json()["detail"]) == (409, True)
        assert stage.direct.made == []

    play(story)


def test_a_revision_that_gets_no_calls_gets_this_one_from_a_replica_of_its_own(play: Play) -> None:
    async def story(stage: Stage) -> None:
        mine = await ready(stage)
        await stage.deploy("hello", namespace="team", annotations={PAYLOADS: "all"})
        serving = await stage.ask("POST", PATH, headers=mine, data={"revision": 2})
        assert (serving.status, serving.json()["new"]["revision"], stage.direct.apart) == (200, 2, [None])
        older = await stage.ask("POST", PATH, headers=mine, data={"revision": 1})
        assert (older.status, older.json()["new"]["revision"]) == (200, 1)
        (_, apart) = stage.direct.apart
        assert apart is not None
        assert (apart.endpoint.replica, apart.endpoint.revision) == ("lone", 1)
        assert stage.direct.triggers == ["replay a"] * 2
        assert stage.plane.changes[-2:] == ["use hello.team 1", "leave hello.team 1"]

    play(story)


def test_while_two_revisions_share_the_calls_the_one_that_is_named_gets_it(play: Play) -> None:
    async def story(stage: Stage) -> None:
        await ready(stage)
        key = next(iter(stage.plane.functions))
        rollout = RolloutStatus(revision=1, serving=1, state="canary")
        stage.plane.functions[key] = msgspec.structs.replace(stage.plane.functions[key], rollout=rollout)
        assert (await stage.ask("POST", PATH, data={"revision": 1})).status == 200
        assert [each is not None for each in stage.direct.apart] == [True]

    play(story)


def test_nobody_chooses_a_replica_by_what_is_sent(play: Play) -> None:
    async def story(stage: Stage) -> None:
        await ready(stage)
        for target in ("/apart/e30=/function/hello.team/", "/../apart/e30=/function/hello.team/"):
            given = {"request": {"target": target}}
            assert (await stage.ask("POST", PATH, data=given)).status == 200
            assert stage.direct.made[-1][1].target == target, "which is the function's own path"
        assert stage.direct.apart == [None, None]

    play(story)


def test_of_a_large_answer_the_beginning_is_told(play: Play) -> None:
    async def story(stage: Stage) -> None:
        await ready(stage)
        stage.direct.body = b"x" * (MAX_ANSWER_BYTES + 1)
        told = (await stage.ask("POST", PATH, data={})).json()["new"]
        assert (told["cut"], len(base64.b64decode(told["body"]))) == (True, MAX_ANSWER_BYTES)

    play(story)
