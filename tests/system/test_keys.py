"""Idempotency keys of calls that wait for their answer, on the real platform with two gateways: they run once."""

import json
import os
import signal
import tempfile
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.system.conftest import end
from tests.system.door import Door, pid_of
from tests.system.driver import Platform, Reply, eventually

ONCE = """
import asyncio, secrets
async def handle(event, context):
    name, _, wait = event.body.decode().partition(" ")
    print("ran", name, flush=True)
    try:
        await asyncio.sleep(float(wait or 0))
    except asyncio.CancelledError:
        print("cut off", name, flush=True)
        raise
    said = [secrets.token_hex(8), event.method, event.path, event.headers.get("idempotency-key")]
    if name == "large":
        return b"x" * 9_000_000
    return {"statusCode": 418 if name == "teapot" else 201, "body": said, "headers": {"X-Mine": said[0]}}
"""


@pytest.fixture(scope="module")
def door() -> Iterator[Door]:
    """A platform of two gateways, and a function that says what it ran."""
    with tempfile.TemporaryDirectory(prefix="dayfly-test-") as name:
        Path(name).chmod(0o755)
        platform = Platform(Path(name) / "data")
        try:
            platform.start("--gateways", "2")
            platform.deploy_function(Path(name) / "once", ONCE)
            yield Door(platform)
        finally:
            end(platform)


def ask(door: Door, body: str, key: str, method: str = "POST", path: str = "/function/once", **more: str) -> Reply:
    """Call the function with a key."""
    return door.ask(method, path, body.encode(), Idempotency_Key=key, **more)


def seen(door: Door, name: str, word: str = "ran") -> None:
    """Return once the function has said so."""
    eventually(f"{word} {name}", lambda: [line for line in _log(door) if f"{word} {name}" in line])


def _log(door: Door) -> list[str]:
    return door.platform.ok("logs", "once", "--since", "1h", "--lines", "10000").splitlines()


def count(door: Door, name: str) -> int:
    """Return how often the function ran a call of this name."""
    seen(door, name)
    return len([line for line in _log(door) if line.endswith(f"ran {name}")])


def told(reply: Reply) -> tuple[object, ...]:
    """Return what must be the same for all who bring one key."""
    headers = {name: reply.headers.get(name) for name in ("x-mine", "x-call-id", "content-type", "x-duration-seconds")}
    return reply.status, reply.body, *headers.values()


def test_a_hundred_at_once_with_one_key_run_once_and_get_one_answer(door: Door) -> None:
    with ThreadPoolExecutor(100) as many:
        replies = list(many.map(lambda _: ask(door, "crowd 0.3", "crowd"), range(100)))
    assert {reply.status for reply in replies} == {201}
    assert len({told(reply) for reply in replies}) == 1
    assert sum("idempotency-replayed" not in reply.headers for reply in replies) == 1
    assert count(door, "crowd") == 1
    later = ask(door, "crowd 0.3", "crowd")
    assert told(later) == told(replies[0])
    assert later.headers["idempotency-replayed"] == "true"


def test_a_key_is_for_one_request_and_any_method_that_changes_something(door: Door) -> None:
    first = ask(door, "put", "k 1", "PUT", "/function/once/at?a=1")
    assert (first.status, first.json()[1:]) == (201, ["PUT", "/at", "k 1"])
    assert told(ask(door, "put", "k 1", "PUT", "/function/once/at?a=1")) == told(first)
    for other in (("POST", "/function/once/at?a=1"), ("PUT", "/function/once/at?a=2")):
        assert ask(door, "put", "k 1", *other).status == 422
    refused = ask(door, "other", "k 1", "PUT", "/function/once/at?a=1")
    assert (refused.status, refused.json()["code"]) == (422, "idempotency_key_reused")
    assert told(ask(door, "teapot", "tea")) == told(ask(door, "teapot", "tea")), "also an answer that is an error"
    reads = [door.ask("GET", "/function/once", None, Idempotency_Key="k 2").json()[0] for _ in range(2)]
    assert reads[0] != reads[1], "what only reads is not kept"
    queued = door.ask("POST", "/async-function/once", b"put", Idempotency_Key="k 1")
    assert queued.status == 202, "what is queued has keys of its own"


def test_what_cannot_be_kept_is_refused_and_says_why(door: Door) -> None:
    assert ask(door, "x", "caf\xe9").status == 400
    large = ask(door, "x" * 1_100_000, "large body")
    assert (large.status, "DAYFLY_QUEUE_LIMITS" in large.json()["hint"]) == (413, True)
    for _ in range(2):
        told = ask(door, "large", "large answer").json()
        assert (told["status"], told["code"], "9000000 bytes" in told["detail"]) == (502, "answer_too_large", True)
    assert count(door, "large") == 1
    assert ask(door, "x", "nobody", path="/function/nobody").status == 404


def test_no_other_call_puts_its_answer_in_the_place_of_one_that_is_kept(door: Door) -> None:
    first = ask(door, "theirs", "theirs", X_Call_Id="chosen")
    other = door.ask("POST", "/async-function/once", b"other", X_Call_Id="chosen")
    assert (other.status, first.headers["x-call-id"]) == (202, "chosen")
    assert other.headers["x-call-id"] != "chosen"
    seen(door, "other")
    assert told(ask(door, "theirs", "theirs")) == told(first)
    assert ask(door, "theirs", "another", X_Call_Id="chosen").headers["x-call-id"] != "chosen"


def test_routes_keep_the_keys_of_their_callers_apart(door: Door) -> None:
    platform = door.platform
    platform.ok("secret", "create", "callers", stdin="ant:the-key-of-the-ant\nbee:the-key-of-the-bee")
    given = ("--name", "once", "--path", "/once", "--auth", "key", "--secret", "callers", "--rate", "1000/1m")
    platform.ok("route", "create", *given, "--function", "once")
    ant, bee = ({"X_Api_Key": f"the-key-of-the-{name}"} for name in ("ant", "bee"))
    first = ask(door, "by-route", "same", path="/once", **ant)
    again, others = (ask(door, "by-route", "same", path="/once", **who) for who in (ant, bee))
    assert first.status == others.status == 201
    assert told(again) == told(first) != told(others)
    assert again.headers["ratelimit-policy"] == first.headers["ratelimit-policy"]
    assert ask(door, "by-route", "same", path="/once").status == 401
    assert count(door, "by-route") == 2


def test_a_running_call_that_is_cancelled_is_cut_off_at_the_function(door: Door) -> None:
    with ThreadPoolExecutor(1) as other:
        waiting = other.submit(ask, door, "long 25", "long", X_Call_Id="a-long-call")
        seen(door, "long")
        assert door.api("DELETE", "/v1/calls/a-long-call").json()["state"] == "cancelled"
        assert (waiting.result().status, waiting.result().json()["code"]) == (409, "cancelled")
    seen(door, "long", "cut off")
    queued = door.submit("once", b"later 25")
    seen(door, "later")
    assert door.platform.ok("queue", "cancel", queued) == f"Call Cancelled: {queued}\n"
    seen(door, "later", "cut off")
    done = door.platform.run("queue", "cancel", queued)
    assert (done.code, "is over: it was cancelled after 1 attempt at 20" in done.err) == (73, True)


@pytest.mark.parametrize("part", ["queue", "gateway", "nats"])
def test_a_part_that_is_killed_makes_no_call_run_twice(door: Door, part: str) -> None:
    body, key = f"{part}-dies 4", f"{part} dies"

    def persist() -> Reply:
        found: list[Reply] = []

        def answers() -> bool:
            try:
                found.append(ask(door, body, key))
            except OSError:
                return False
            return found[-1].status != 503

        eventually("it is answered", answers)
        return found[-1]

    pids = door.platform.pids(part)
    with ThreadPoolExecutor(4) as callers:
        waiting: list[Future[Reply]] = [callers.submit(persist) for _ in range(4)]
        seen(door, f"{part}-dies")
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        replies = [each.result() for each in waiting]
    assert len({(reply.status, reply.body) for reply in replies}) == 1, replies
    reply = replies[0]
    assert reply.status == (201 if part == "nats" else 502), reply
    if part != "nats":
        assert reply.json()["code"] == "cut_off"
    assert count(door, f"{part}-dies") == 1
    pid_of(door.platform, part)


def test_answers_outlive_a_stop_and_a_start(door: Door) -> None:
    first = ask(door, "kept", "kept")
    door.platform.stop()
    door.platform.start("--gateways", "2")
    again = Door(door.platform)
    assert told(ask(again, "kept", "kept")) == told(first)
    assert json.loads(again.platform.ok("queue", "get", first.headers["x-call-id"], "-o", "json"))["state"] == "done"
    assert count(again, "kept") == 1
