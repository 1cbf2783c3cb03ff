"""Calls on their way into the queue through a real gateway, and back from it: what passes, what is refused."""

import asyncio
import socket
from typing import TYPE_CHECKING

import pytest

from dayfly.gateway import submission
from dayfly.model.retry import RetryPolicy

if TYPE_CHECKING:
    from tests.unit.gateway.conftest import Conversation, Play, Rig


async def accept(conversation: "Conversation") -> None:
    """A queue that accepts everything, under the id it came with."""
    while await conversation.request():
        conversation.send(
            b"HTTP/1.1 202 Accepted\r\nX-Call-Id: %b\r\nContent-Length: 0\r\n\r\n"
            % conversation.headers["x-call-id"].encode()
        )


def test_a_call_is_handed_over_with_what_the_queue_must_know(play: "Play") -> None:
    async def scenario(rig: "Rig") -> None:
        seen: list[tuple[str, dict[str, str], bytes]] = []

        async def queue(conversation: "Conversation") -> None:
            while await conversation.request():
                seen.append((conversation.line, conversation.headers, conversation.body))
                conversation.send(b"HTTP/1.1 202 Accepted\r\nX-Call-Id: other\r\nContent-Length: 0\r\n\r\n")

        await rig.replica(queue, "queue")
        await rig.serve(rig.entry(retry=RetryPolicy(attempts=3), queue_concurrency=2, callback_hosts=("a.example",)))
        async with rig.client() as client:
            answer = await client.ask(
                "/async-function/f.openfaas-fn/a/b?x=%20", "X-Forwarded-For: 6.6.6.6", "X-Dayfly-Terms: forged",
                "X-Delay: 10m", "Cookie: c", method="POST", body=b"in",
            )  # fmt: skip
        assert (answer.status, answer.body) == (202, b"")
        assert answer.headers["x-call-id"] == "other"
        assert len(answer.headers["x-start-time"]) == 19
        line, headers, body = seen[0]
        assert (line, body) == ("POST /call/f.openfaas-fn/a/b?x=%20 HTTP/1.1", b"in")
        call_id = headers.pop("x-call-id")
        assert headers.pop("traceparent").startswith(f"00-{call_id.replace('-', '')}-")
        assert headers == {
            "host": "h",
            "x-dayfly-terms": '{"retry":{"attempts":3},"concurrency":2,"callbacks":["a.example"]}',
            "x-delay": "10m",
            "cookie": "c",
            "x-forwarded-for": "127.0.0.1",
            "x-forwarded-host": "h",
            "x-forwarded-proto": "http",
            "content-length": "2",
        }

    play(scenario, queue=True)


def test_a_callers_own_id_and_trace_are_handed_over(play: "Play") -> None:
    async def scenario(rig: "Rig") -> None:
        seen: list[dict[str, str]] = []

        async def queue(conversation: "Conversation") -> None:
            while await conversation.request():
                seen.append(conversation.headers)
                conversation.send(b"HTTP/1.1 202 Accepted\r\nX-Call-Id: mine\r\nContent-Length: 0\r\n\r\n")

        await rig.replica(queue, "queue")
        await rig.serve(rig.entry())
        trace = f"00-{'a' * 32}-{'b' * 16}-01"
        async with rig.client() as client:
            await client.ask("/async-function/f", "X-Call-Id: mine", f"traceparent: {trace}", method="POST")
        assert (seen[0]["x-call-id"], seen[0]["traceparent"]) == ("mine", trace)
        assert seen[0]["x-dayfly-terms"] == '{"retry":{}}'
        assert seen[0]["x-dayfly-named"] == "true"  # so that it is not taken for another call of that name

    play(scenario, queue=True)


def test_only_post_queues_and_only_what_exists(play: "Play") -> None:
    async def scenario(rig: "Rig") -> None:
        queue = await rig.replica(accept, "queue")
        await rig.serve(rig.entry())
        async with rig.client() as client:
            for method in ("GET", "PUT", "DELETE", "HEAD"):
                answer = await client.ask("/async-function/f", method=method)
                assert (answer.status, answer.headers["allow"]) == (405, "POST")
            for name in ("nobody", "f.elsewhere", "A_B"):
                answer = await client.ask(f"/async-function/{name}", method="POST", body=b"x")
                assert (answer.status, answer.problem()["code"]) == (404, "not_found")
        assert queue.connections == 0

    play(scenario, queue=True)


def test_what_does_not_exist_is_queued_where_that_is_wanted(play: "Play") -> None:
    async def scenario(rig: "Rig") -> None:
        lines: list[str] = []

        async def queue(conversation: "Conversation") -> None:
            while line := await conversation.request():
                lines.append(line)
                conversation.send(b"HTTP/1.1 202 Accepted\r\nX-Call-Id: a\r\nContent-Length: 0\r\n\r\n")

        await rig.replica(queue, "queue")
        await rig.serve(rig.entry())
        async with rig.client() as client:
            for name in ("nobody", "f.elsewhere"):
                assert (await client.ask(f"/async-function/{name}", method="POST")).status == 202
            assert (await client.ask("/async-function/A_B", method="POST")).status == 404
        assert lines == ["POST /call/nobody.openfaas-fn/ HTTP/1.1", "POST /call/f.elsewhere/ HTTP/1.1"]

    play(scenario, queue=True, queue_accepts_unknown=True)


def test_a_body_has_the_queues_limit_or_the_functions(play: "Play") -> None:
    async def scenario(rig: "Rig") -> None:
        queue = await rig.replica(accept, "queue")
        await rig.serve(rig.entry(), rig.entry(name="small", body_bytes=10))
        for name, size, status, hint in (
            ("f", 500, 202, ""), ("f", 501, 413, "DAYFLY_QUEUE_LIMITS"), ("small", 10, 202, ""),
            ("small", 11, 413, "max_body"),
        ):  # fmt: skip
            async with rig.client() as client:
                answer = await client.ask(f"/async-function/{name}", method="POST", body=b"x" * size)
                assert answer.status == status
                assert hint in (answer.problem()["hint"] if hint else "")
        assert len(queue.requests) == 0
        assert queue.connections <= 2

    play(scenario, queue=True, queue_body_bytes=500)


def test_the_queues_own_refusal_is_passed_on_with_the_calls_id(play: "Play") -> None:
    async def scenario(rig: "Rig") -> None:
        async def full(conversation: "Conversation") -> None:
            while await conversation.request():
                conversation.reply(b"{}", "Content-Type: application/problem+json", "Retry-After: 1", status=429)

        await rig.replica(full, "queue")
        await rig.serve(rig.entry())
        async with rig.client() as client:
            answer = await client.ask("/async-function/f", "X-Call-Id: mine", method="POST", body=b"x")
        assert (answer.status, answer.headers["retry-after"], answer.headers["x-call-id"]) == (429, "1", "mine")

    play(scenario, queue=True)


def test_without_a_queue_the_sentence_says_why_and_all_else_works(play: "Play") -> None:
    async def scenario(rig: "Rig") -> None:
        await rig.serve(rig.entry(await rig.replica(rig.echo)))
        async with rig.client() as client:
            answer = await client.ask("/async-function/f", method="POST", body=b"x")
            assert answer.status == 501
            assert "there is no nats-server" in answer.problem()["detail"]
            assert (await client.ask("/function/f", method="POST", body=b"x")).body == b"x"

    play(scenario, queue_missing="there is no nats-server")


def test_a_queue_that_is_started_again_is_waited_for(play: "Play") -> None:
    async def scenario(rig: "Rig") -> None:
        await rig.serve(rig.entry())
        async with rig.client() as client:
            asking = asyncio.create_task(client.ask("/async-function/f", method="POST", body=b"x" * 70_000))
            await asyncio.sleep(0.1)
            assert not asking.done()
            await rig.replica(accept, "queue")
            assert (await asking).status == 202

    play(scenario, queue=True)


def test_a_queue_that_stays_away_is_told_and_nothing_is_accepted(play: "Play", monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(submission, "PATIENCE_S", 0.2)

    async def scenario(rig: "Rig") -> None:
        await rig.serve(rig.entry())
        async with rig.client() as client:
            answer = await client.ask("/async-function/f", method="POST", body=b"x")
            assert (answer.status, answer.headers["retry-after"]) == (503, "1")
            assert "was not accepted" in answer.problem()["detail"]

    play(scenario, queue=True)


def test_a_queue_that_dies_with_the_call_leaves_it_open(play: "Play") -> None:
    async def scenario(rig: "Rig") -> None:
        async def die(conversation: "Conversation") -> None:
            await conversation.request()

        await rig.replica(die, "queue")
        await rig.serve(rig.entry())
        async with rig.client() as client:
            answer = await client.ask("/async-function/f", method="POST", body=b"x")
        assert answer.status == 503
        assert "It may have" in answer.problem()["detail"]

    play(scenario, queue=True)


def test_the_queues_calls_come_in_by_a_door_of_their_own(play: "Play") -> None:
    async def scenario(rig: "Rig") -> None:
        seen: list[dict[str, str]] = []

        async def script(conversation: "Conversation") -> None:
            while await conversation.request():
                seen.append(conversation.headers)
                conversation.reply(b"out")

        path = rig.folder / "inner"
        inner = socket.socket(socket.AF_UNIX)
        inner.bind(str(path))
        await rig.replica(rig.echo, "api")
        await rig.serve(rig.entry(await rig.replica(script)), inner=inner)
        reader, writer = await asyncio.open_unix_connection(str(path))
        writer.write(
            b"POST /function/f/a HTTP/1.1\r\nHost: queue\r\nX-Call-Id: mine\r\nX-Forwarded-For: 6.6.6.6\r\n"
            b"X-Forwarded-Host: shop\r\nX-Callback-Url: x\r\nContent-Length: 2\r\n\r\nin"
        )
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200")
        assert b"X-Duration-Seconds: " in head
        assert await reader.readexactly(3) == b"out"
        headers = seen[0]
        assert (headers["x-call-id"], headers["x-forwarded-for"], headers["x-forwarded-host"]) == (
            "mine", "6.6.6.6", "shop",
        )  # fmt: skip
        writer.write(b"GET /system/functions HTTP/1.1\r\nHost: queue\r\n\r\n")
        assert (await reader.readuntil(b"\r\n")).startswith(b"HTTP/1.1 404")
        writer.close()

    play(scenario)
