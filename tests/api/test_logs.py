"""Logs over HTTP: what was kept, what comes, and the end when the client goes."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import pytest

from dayfly.model.log import LogLine
from dayfly.model.names import ReplicaId, parse_function_key

if TYPE_CHECKING:
    from tests.api.conftest import Play, Stage

NATIVE = "/v1/namespaces/openfaas-fn/functions/hello/logs"
OPENFAAS = "/system/logs"
SECOND = 1_000_000_000


def line(text: str, *, at_s: float = 1_700_000_000, replica: str = "r" * 10, name: str = "hello") -> LogLine:
    return LogLine(int(at_s * SECOND), parse_function_key(name), ReplicaId(replica), "stdout", "", text)


def texts(body: bytes) -> list[str]:
    assert body == b"" or body.endswith(b"\n")
    return [json.loads(one)["text"] for one in body.splitlines()]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", ["one", "two", "three"]),
        ("tail=2", ["two", "three"]),
        ("tail=-1", ["one", "two", "three"]),
        ("since=2023-11-14T22:13:21Z", ["two", "three"]),
        ("since=2023-11-14T23:13:21.5%2B01:00", ["three"]),
        ("instance=ssssssssss", ["three"]),
        ("since=2023-11-14T22:13:21.000000001Z&tail=5&follow=false", ["three"]),
        ("tail=1&tail=2", ["two", "three"]),
    ],
)
@pytest.mark.parametrize("path", [NATIVE + "?", OPENFAAS + "?name=hello&", OPENFAAS + "?name=hello.openfaas-fn&"])
def test_lines_kept(play: Play, path: str, query: str, expected: list[str]) -> None:
    async def story(stage: Stage) -> None:
        await stage.deploy()
        stage.logs.write(line("one"))
        stage.logs.write(line("other", name="other"))
        stage.logs.write(line("two", at_s=1_700_000_001))
        stage.logs.write(line("three", at_s=1_700_000_002, replica="s" * 10))
        answer = await stage.ask("GET", path + query)
        assert (answer.status, answer.headers["content-type"]) == (200, "application/x-ndjson")
        assert texts(answer.body) == expected

    play(story)


def test_both_faces_have_their_own_form(play: Play) -> None:
    async def story(stage: Stage) -> None:
        await stage.deploy()
        stage.logs.write(line('<script>\x1b[31m "é"', at_s=1.5))
        native = json.loads((await stage.ask("GET", NATIVE)).body)
        assert native == {
            "unix_ns": 1_500_000_000,
            "key": {"namespace": "openfaas-fn", "name": "hello"},
            "replica": "r" * 10,
            "stream": "stdout",
            "call_id": "",
            "text": '<script>\x1b[31m "é"',
        }
        theirs = json.loads((await stage.ask("GET", OPENFAAS + "?name=hello")).body)
        assert theirs == {
            "name": "hello",
            "namespace": "openfaas-fn",
            "instance": "r" * 10,
            "timestamp": "1970-01-01T00:00:01.500000000Z",
            "text": '<script>\x1b[31m "é"',
        }

    play(story)


@pytest.mark.parametrize("path", [NATIVE + "?follow=true", OPENFAAS + "?name=hello&follow=1"])
def test_a_follower_gets_each_line_at_once_and_ends_when_it_goes(play: Play, path: str) -> None:
    async def story(stage: Stage) -> None:
        await stage.deploy()
        stage.logs.write(line("before"))
        talk = stage.talk("GET", path, headers=stage.bearer)
        assert (await talk.message())["status"] == 200
        assert texts((await talk.message())["body"]) == ["before"]
        for text in ("first", "second"):
            stage.logs.write(line(text))
            stage.logs.write(line(text, name="other"))
            message = await talk.message()
            assert (texts(message["body"]), message["more_body"]) == ([text], True)
        talk.left.set()
        async with asyncio.timeout(60):
            await talk.task
        assert stage.logs.followers == 0

    play(story)


def test_a_follower_ends_with_the_store(play: Play) -> None:
    async def story(stage: Stage) -> None:
        await stage.deploy()
        talk = stage.talk("GET", NATIVE + "?follow=true", headers=stage.bearer)
        await talk.message()
        stage.logs.end_followers()
        assert (await talk.message()) == {"type": "http.response.body", "body": b"", "more_body": False}

    play(story)


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("since=yesterday", 422),
        ("since=10m", 422),
        ("tail=x", 422),
        ("tail=1.5", 422),
        ("follow=yes", 422),
        ("since=2023-11-14T22:13:20", 422),
        ("since=2023-13-14T22:13:20Z", 422),
        ("since=", 200),
        ("follow=T&follow=F", 200),
    ],
)
def test_openfaas_clients_get_422_for_what_does_not_parse(play: Play, query: str, status: int) -> None:
    async def story(stage: Stage) -> None:
        await stage.deploy()
        assert (await stage.ask("GET", f"{OPENFAAS}?name=hello&{query}")).status == status
        assert (await stage.ask("GET", f"{OPENFAAS}?name=unknown")).status == 404
        assert (await stage.ask("GET", OPENFAAS)).status == 400

    play(story)


@pytest.mark.parametrize(
    ("query", "status"),
    [("since=yesterday", 400), ("tail=x", 400), ("follow=yes", 400), ("since=10m", 200), ("since=1h30m&tail=3", 200)],
)
def test_native_clients_get_400(play: Play, query: str, status: int) -> None:
    async def story(stage: Stage) -> None:
        await stage.deploy()
        assert (await stage.ask("GET", f"{NATIVE}?{query}")).status == status
        assert (await stage.ask("GET", NATIVE.replace("hello", "unknown"))).status == 404

    play(story)
