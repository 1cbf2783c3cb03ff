"""The list of functions, live: whole at first, then what changes, for whom it is about, and no longer than it may."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

from dayfly.api.glances import Glances, _Spark
from dayfly.api.seats import Seats
from dayfly.model.errors import LimitExceeded
from dayfly.model.glance import SPARK_MINUTES
from dayfly.model.token import TokenRequest

if TYPE_CHECKING:
    from tests.api.conftest import Play, Stage, Talk

LIVE = "/v1/functions/live"


async def event(talk: Talk) -> dict[str, Any]:
    """Return the next event's data; the start of the answer is passed over."""
    message = await talk.message()
    if message["type"] == "http.response.start":
        assert (message["status"], dict(message["headers"])[b"content-type"]) == (
            200, b"text/event-stream; charset=utf-8"
        )  # fmt: skip
        message = await talk.message()
    head, data, *rest = message["body"].decode().split("\n")
    assert (head, rest) == ("event: functions", ["", ""])
    found: dict[str, Any] = json.loads(data.removeprefix("data: "))
    return found


async def left(talk: Talk) -> None:
    talk.left.set()
    async with asyncio.timeout(60):
        await talk.task


def test_the_whole_list_and_then_what_changes(play: Play) -> None:
    async def story(stage: Stage) -> None:
        await stage.deploy("ant")
        await stage.deploy("bee", namespace="team-a")
        talk = stage.talk("GET", LIVE, headers=stage.bearer)
        first = await event(talk)
        assert first["namespaces"] == ["openfaas-fn", "team-a"]
        assert [(one["name"], one["namespace"], one["state"], one["calls_total"]) for one in first["functions"]] == [
            ("ant", "openfaas-fn", "ready", 7), ("bee", "team-a", "ready", 7),
        ]  # fmt: skip
        await stage.ask("POST", "/v1/namespaces/openfaas-fn/functions/ant/scale", data={"replicas": 3})
        await stage.ask("DELETE", "/v1/namespaces/team-a/functions/bee")
        news = await event(talk)
        assert [(one["name"], one["desired_replicas"]) for one in news["functions"]] == [("ant", 3)]
        assert news["gone"] == [["team-a", "bee"]]
        await left(talk)

    play(story)


def test_a_token_of_one_namespace_learns_of_no_other(play: Play) -> None:
    async def story(stage: Stage) -> None:
        await stage.deploy("ant")
        await stage.deploy("bee", namespace="team-a")
        token = (await stage.tokens.issue("team-a", TokenRequest(role="view"))).token  # type: ignore[arg-type] # a name
        theirs = {"authorization": f"Bearer {token}"}
        talk = stage.talk("GET", LIVE, headers=theirs)
        first = await event(talk)
        assert (first["namespaces"], [one["name"] for one in first["functions"]]) == (["team-a"], ["bee"])
        await left(talk)
        for other in ("openfaas-fn", "nobodys"):
            refused = await stage.ask("GET", f"{LIVE}?namespace={other}", headers=theirs)
            assert (refused.status, refused.json()["detail"]) == (404, f"there is no namespace {other}")

    play(story)


def test_it_ends_with_the_credential_and_with_the_platform(play: Play) -> None:
    async def story(stage: Stage) -> None:
        issued = await stage.tokens.issue(None, TokenRequest(role="view"))
        theirs = stage.talk("GET", LIVE, headers={"authorization": f"Bearer {issued.token}"})
        ours = stage.talk("GET", LIVE, headers=stage.bearer)
        for talk in (theirs, ours):
            await event(talk)
        await stage.tokens.revoke(None, issued.status.id)
        assert (await theirs.message())["more_body"] is False
        stage.services.glances.end()
        assert (await ours.message())["more_body"] is False

    play(story)


def test_only_so_many_are_kept_open() -> None:
    seats = Seats(most=3, most_each=2)
    with seats.taken("one"), seats.taken("one"):
        with pytest.raises(LimitExceeded, match="one keeps 2 live lists open"):
            seats.check("one")
        with seats.taken("two"), pytest.raises(LimitExceeded, match="3 live lists are open"):
            seats.check("three")
        seats.check("three")
    seats.check("one")


def test_many_who_look_cost_one_look(play: Play) -> None:
    async def story(stage: Stage) -> None:
        await stage.deploy("ant")
        glances = Glances()
        found = await asyncio.gather(*(glances.look(stage.services) for _ in range(20)))
        assert all(each is found[0] for each in found)

    play(story)


def test_a_spark_line_counts_from_the_first_look_and_forgets_the_oldest_minutes() -> None:
    spark = _Spark()
    spark.keep(99, 5, 1)
    spark.count(100, 1000, 10)
    assert spark.calls == {99: 5}
    spark.count(100, 1004, 12)
    spark.count(101, 1005, 12)
    assert (spark.calls, spark.failed) == ({99: 5, 100: 4, 101: 1}, {99: 1, 100: 2})
    spark.count(102, 0, 0)
    assert spark.calls == {99: 5, 100: 4, 101: 1}, "a function that is deployed anew begins at nothing"
    spark.count(100 + SPARK_MINUTES, 0, 0)
    assert spark.calls == {101: 1}
