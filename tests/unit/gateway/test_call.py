"""Calls of functions through a real gateway: what passes, what is added, what is held, what fails and how."""

import asyncio
import errno
import re
import socket
from typing import TYPE_CHECKING

import pytest

from dayfly.gateway import endings
from dayfly.http1.limits import Limits
from dayfly.http1.pool import Pool
from dayfly.http1.roles import Caller
from dayfly.http1.upstream import UpstreamConnection
from dayfly.model.table import Delta, Demand, Load

if TYPE_CHECKING:
    from tests.unit.gateway.conftest import Conversation, Play, Rig


def test_a_call_passes_what_it_should(play: "Play") -> None:
    async def scenario(rig: "Rig") -> None:
        seen: list[tuple[str, dict[str, str], bytes]] = []

        async def script(conversation: "Conversation") -> None:
            while await conversation.request():
                seen.append((conversation.line, conversation.headers, conversation.body))
                conversation.reply(
                    b"out", "Content-Type: text/x", "Server: evil", "X-Accel-Redirect: /a", "X-Call-Id: forged",
                    "Connection: X-Hop", "X-Hop: 1", "Set-Cookie: a=1", "Set-Cookie: b=2", status=201,
                )  # fmt: skip

        await rig.serve(rig.entry(await rig.replica(script)))
        async with rig.client() as client:
            answer = await client.ask(
                "/function/f/a/b?x=%20", "X-Forwarded-For: 6.6.6.6", "Connection: X-Drop", "X-Drop: 1", "X_Under: 1",
                "Cookie: c", "X-Start-Time: 1", "TE: trailers", method="POST", body=b"in",
            )  # fmt: skip
        line, headers, body = seen[0]
        assert (line, body) == ("POST /a/b?x=%20 HTTP/1.1", b"in")
        call_id, start = headers.pop("x-call-id"), headers.pop("x-start-time")
        assert headers.pop("traceparent").startswith(f"00-{call_id.replace('-', '')}-")
        assert headers == {
            "host": "h",
            "cookie": "c",
            "x-dayfly-depth": "1",
            "x-forwarded-for": "127.0.0.1",
            "x-forwarded-host": "h",
            "x-forwarded-proto": "http",
            "content-length": "2",
        }
        assert len(start) == 19
        assert (answer.status, answer.body) == (201, b"out")
        assert float(answer.headers.pop("x-duration-seconds")) >= 0
        assert re.fullmatch(r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT", answer.headers.pop("date"))
        assert answer.headers == {
            "content-type": "text/x",
            "set-cookie": "a=1,b=2",
            "x-call-id": call_id,
            "x-start-time": start,
            "content-length": "3",
        }

    play(scenario)


def test_a_callers_own_ids_are_kept(play: "Play") -> None:
    async def scenario(rig: "Rig") -> None:
        parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"

        async def script(conversation: "Conversation") -> None:
            while await conversation.request():
                conversation.reply(
                    f"{conversation.headers['x-call-id']} {conversation.headers['traceparent']}".encode()
                )

        await rig.serve(rig.entry(await rig.replica(script)))
        async with rig.client() as client:
            for _ in range(2):
                answer = await client.ask("/function/f", "X-Call-Id: mine", f"traceparent: {parent}")
                assert (answer.headers["x-call-id"], answer.body) == ("mine", f"mine {parent}".encode())
            first, second = await client.ask("/function/f"), await client.ask("/function/f")
            assert first.headers["x-call-id"] != second.headers["x-call-id"]
            named = await client.ask("/function/f", "X-Call-Id: mine")
            assert named.body.startswith(b"mine 00-")
            forged = await client.ask("/function/f", "X-Call-Id: no good")
            assert forged.headers["x-call-id"] != "no good"

    play(scenario)


@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("/function/f%2fx", 400),
        ("/function//f", 400),
        ("/function/..", 400),
        ("/function/f;x", 400),
        ("/function/", 404),
        ("/function/unknown", 404),
        ("/function/f.elsewhere", 404),
        ("/function/F", 404),
        ("/function/f", 200),
        ("/function/f.openfaas-fn/a", 200),
    ],
)
def test_paths(play: "Play", target: str, status: int) -> None:
    async def scenario(rig: "Rig") -> None:
        await rig.serve(rig.entry(await rig.replica(rig.echo)))
        async with rig.client() as client:
            answer = await client.ask(target)
            assert answer.status == status
            if status != 200:
                answer.problem()
            if target == "/function/f.elsewhere":
                assert answer.problem()["detail"] == "There is no function f.elsewhere."

    play(scenario)


REQUESTS = [
    b"GET /function/f/a HTTP/1.1\r\nHost: h\r\nX-A: b\r\n\r\n",
    b"POST /function/f HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello",
    b"POST /function/f HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\nT: x\r\n\r\n",
]


@pytest.mark.parametrize("raw", REQUESTS, ids=["bodiless", "counted", "chunked"])
def test_a_request_may_be_cut_anywhere(play: "Play", raw: bytes) -> None:
    async def scenario(rig: "Rig") -> None:
        replica = await rig.replica(rig.echo)
        await rig.serve(rig.entry(replica))
        expected = b"hello" if b"POST" in raw else b"empty"
        async with rig.client() as client:
            for at in range(1, len(raw)):
                client.send(raw[:at])
                # Two turns of the loop on the way out, then the gateway's own: what counts is that both reads happen.
                for _ in range(3):
                    await asyncio.sleep(0)
                client.send(raw[at:])
                answer = await client.answer()
                assert (answer.status, answer.body) == (200, expected)
            client.writer.transport.set_write_buffer_limits(0)
            for at in range(len(raw)):
                client.send(raw[at : at + 1])
                await asyncio.sleep(0)
            assert (await client.answer()).body == expected
        assert replica.connections == 1

    play(scenario)


def test_an_answer_may_be_cut_anywhere(play: "Play") -> None:
    async def scenario(rig: "Rig") -> None:
        answers = [
            b"HTTP/1.1 200 OK\r\nX-A: b\r\nContent-Length: 5\r\n\r\nhello",
            b"HTTP/1.1 200 OK\r\nX-A: b\r\nTransfer-Encoding: chunked\r\n\r\n"
            b"2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\nT: x\r\n\r\n",
        ]

        async def script(conversation: "Conversation") -> None:
            for raw in answers:
                for at in range(1, len(raw)):
                    await conversation.request()
                    conversation.send(raw[:at])
                    await asyncio.sleep(0)
                    await asyncio.sleep(0)
                    conversation.send(raw[at:])
            while await conversation.request():
                for at in range(len(raw)):
                    conversation.send(raw[at : at + 1])
                    await asyncio.sleep(0)

        replica = await rig.replica(script)
        await rig.serve(rig.entry(replica))
        async with rig.client() as client:
            for _ in range(sum(len(raw) - 1 for raw in answers) + 1):
                answer = await client.ask("/function/f")
                assert (answer.status, answer.body, answer.headers["x-a"]) == (200, b"hello", "b")
        assert replica.connections == 1

    play(scenario)


def test_pipelined_requests_are_answered_in_order(play: "Play") -> None:
    async def scenario(rig: "Rig") -> None:
        async def script(conversation: "Conversation") -> None:
            while await conversation.request():
                if conversation.line.startswith("GET /slow"):
                    await asyncio.sleep(0.05)
                conversation.reply(conversation.line.encode() + conversation.body)

        await rig.serve(rig.entry(await rig.replica(script)))
        async with rig.client() as client:
            client.send(
                b"GET /function/f/slow HTTP/1.1\r\nHost: h\r\n\r\n"
                b"POST /function/f/b HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\nB"
                b"GET /function/nobody HTTP/1.1\r\nHost: h\r\n\r\n"
                b"POST /function/f/c HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nC\r\n0\r\n\r\n"
                b"GET /function/f/d HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
            )
            answers = [await client.answer() for _ in range(5)]
            assert [answer.status for answer in answers] == [200, 200, 404, 200, 200]
            assert [answer.body[:8] for answer in answers if answer.status == 200] == [
                b"GET /slo", b"POST /b ", b"POST /c ", b"GET /d H",
            ]  # fmt: skip
            assert answers[4].headers["connection"] == "close"
            assert await client.closed()

    play(scenario)


def test_a_thousand_pipelined_refusals_do_not_recurse(play: "Play") -> None:
    async def scenario(rig: "Rig") -> None:
        await rig.serve()
        async with rig.client() as client:
            client.send(b"GET /function/nobody HTTP/1.1\r\nHost: h\r\n\r\n" * 2000)
            for _ in range(2000):
                assert (await client.answer()).status == 404

    play(scenario)


def test_head_and_bodiless_statuses(play: "Play") -> None:
    async def scenario(rig: "Rig") -> None:
        async def script(conversation: "Conversation") -> None:
            while await conversation.request():
                method, path, _ = conversation.line.split(" ")
                if path == "/none":
                    conversation.send(b"HTTP/1.1 204 No Content\r\n\r\n")
                elif path == "/same":
                    conversation.send(b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\nETag: x\r\n\r\n")
                elif method == "HEAD":
                    conversation.send(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n")
                else:
                    conversation.reply(b"123456789")

        replica = await rig.replica(script)
        await rig.serve(rig.entry(replica))
        async with rig.client() as client:
            for _ in range(2):
                head = await client.ask("/function/f", method="HEAD")
                assert (head.status, head.headers["content-length"]) == (200, "9")
                assert (await client.ask("/function/f")).body == b"123456789"
                none = await client.ask("/function/f/none")
                assert (none.status, "content-length" in none.headers) == (204, False)
                same = await client.ask("/function/f/same")
                assert (same.status, same.headers["etag"], same.headers["content-length"]) == (304, "x", "9")
            assert (await client.ask("/function/nobody", method="HEAD")).status == 404
            assert (await client.ask("/function/f")).status == 200
        assert replica.connections == 1

    play(scenario)


def test_equal_heads_do_not_hide_what_differs(play: "Play") -> None:
    async def scenario(rig: "Rig") -> None:
        answers = [
            b"HTTP/1.1 200 OK\r\nX-A: 1\r\nContent-Length: 3\r\n\r\none",
            b"HTTP/1.1 200 OK\r\nX-A: 1\r\nContent-Length: 3\r\n\r\ntwo",
            b"HTTP/1.1 200 OK\r\nX-A: 2\r\nContent-Length: 3\r\n\r\ntre",
            b"HTTP/1.1 500 OK\r\nX-A: 2\r\nContent-Length: 3\r\n\r\nfor",
            b"HTTP/1.1 103 Early\r\nX-E: 1\r\n\r\nHTTP/1.1 200 OK\r\nX-A: 1\r\nContent-Length: 1\r\n\r\n5",
            b"HTTP/1.1 103 Early\r\nX-E: 1\r\n\r\nHTTP/1.1 200 OK\r\nX-A: 1\r\nContent-Length: 1\r\n\r\n6",
            b"HTTP/1.1 200 OK\r\nX-A: 1\r\nContent-Length: 3\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nX-A: 1\r\nContent-Length: 3\r\n\r\nsev",
        ]

        async def script(conversation: "Conversation") -> None:
            for raw in answers:
                await conversation.request()
                conversation.send(raw)

        replica = await rig.replica(script)
        await rig.serve(rig.entry(replica))
        seen: list[tuple[int, str, bytes]] = []
        async with rig.client() as client:
            for number in range(len(answers)):
                if number == 6:
                    answer = await client.ask("/function/f", method="HEAD")
                else:
                    answer = await client.ask("/function/f")
                if answer.status == 103:
                    answer = await client.answer()
                    answer.body += b" early"
                seen.append((answer.status, answer.headers["x-a"], answer.body))
        assert seen == [
            (200, "1", b"one"), (200, "1", b"two"), (200, "2", b"tre"), (500, "2", b"for"),
            (200, "1", b"5 early"), (200, "1", b"6 early"), (200, "1", b""), (200, "1", b"sev"),
        ]  # fmt: skip
        assert replica.connections == 1

    play(scenario)


def test_equal_heads_do_not_hide_where_a_body_ends(play: "Play") -> None:
    async def scenario(rig: "Rig") -> None:
        more = asyncio.Event()
        head = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n"

        async def script(conversation: "Conversation") -> None:
            while await conversation.request():
                if conversation.line.startswith("GET /parts"):
                    conversation.send(head + b"abc")
                    await more.wait()
                    conversation.send(b"def")
                else:
                    conversation.send(head + b"abcdef")

        replica = await rig.replica(script)
        await rig.serve(rig.entry(replica))
        async with rig.client() as client:
            assert (await client.ask("/function/f")).body == b"abcdef"
            client.send(b"GET /function/f/parts HTTP/1.1\r\nHost: h\r\n\r\n")
            assert b"Content-Length: 6" in await client.reader.readuntil(b"\r\n\r\n")
            assert await client.reader.readexactly(3) == b"abc"
            more.set()
            assert await client.reader.readexactly(3) == b"def"
            assert (await client.ask("/function/f")).body == b"abcdef"
            # The script sends a body in answer to HEAD as well, which is wrong and must not reach the client.
            assert (await client.ask("/function/f", method="HEAD")).headers["content-length"] == "6"
            assert (await client.ask("/function/f")).body == b"abcdef"
        assert replica.connections == 2

    play(scenario)


def test_what_is_pipelined_while_a_call_runs_waits(play: "Play") -> None:
    async def scenario(rig: "Rig") -> None:
        go = asyncio.Event()

        async def script(conversation: "Conversation") -> None:
            while await conversation.request():
                if conversation.line.startswith("GET /slow"):
                    await go.wait()
                conversation.reply(conversation.line.encode())

        await rig.serve(rig.entry(await rig.replica(script)))
        async with rig.client() as client:
            client.send(b"GET /function/f/slow HTTP/1.1\r\nHost: h\r\n\r\n")
            await rig.load(lambda load: load.functions[0].inflight == 1)
            for _ in range(2):
                client.send(b"GET /function/f/quick HTTP/1.1\r\nHost: h\r\n\r\n")
                await rig.load(lambda load: load.functions[0].started == 1)
            go.set()
            bodies = [(await client.answer()).body for _ in range(3)]
            assert bodies == [b"GET /slow HTTP/1.1", b"GET /quick HTTP/1.1", b"GET /quick HTTP/1.1"]

    play(scenario)


def test_old_clients(play: "Play") -> None:
    async def scenario(rig: "Rig") -> None:
        async def script(conversation: "Conversation") -> None:
            while await conversation.request():
                conversation.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n")

        await rig.serve(rig.entry(await rig.replica(script)), rig.entry(await rig.replica(rig.echo, "r2"), name="g"))
        async with rig.client() as client:
            client.send(b"GET /function/f HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
            answer = await client.answer()
            assert (answer.body, answer.headers.get("transfer-encoding")) == (b"abc", None)
        async with rig.client() as client:
            for _ in range(2):
                client.send(b"GET /function/g HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
                answer = await client.answer()
                assert (answer.body, answer.headers["connection"]) == (b"empty", "keep-alive")
            client.send(b"GET /function/g HTTP/1.0\r\n\r\n")
            assert (await client.answer()).headers["connection"] == "close"
            assert await client.closed()

    play(scenario)


def test_an_answer_that_ends_with_its_connection(play: "Play") -> None:
    async def scenario(rig: "Rig") -> None:
        async def script(conversation: "Conversation") -> None:
            await conversation.request()
            conversation.send(b"HTTP/1.1 200 OK\r\n\r\nall ")
            await conversation.writer.drain()
            conversation.send(b"of it")

        replica = await rig.replica(script)
        await rig.serve(rig.entry(replica))
        async with rig.client() as client:
            for _ in range(2):
                assert (await client.ask("/function/f")).body == b"all of it"
        assert replica.connections == 2

    play(scenario)


def test_expect_continue(play: "Play") -> None:
    async def scenario(rig: "Rig") -> None:
        await rig.serve(rig.entry(await rig.replica(rig.echo)))
        head = "POST {} HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n"
        async with rig.client() as client:
            client.send(head.format("/function/f").encode())
            assert (await client.answer()).status == 100
            client.send(b"abc")
            assert (await client.answer()).body == b"abc"
            client.send(head.format("/function/nobody").encode())
            refused = await client.answer()
            assert (refused.status, refused.headers["connection"]) == (404, "close")
            client.send(b"abc")
            assert await client.closed()

    play(scenario)


def test_interim_answers_pass(play: "Play") -> None:
    async def scenario(rig: "Rig") -> None:
        async def script(conversation: "Conversation") -> None:
            while await conversation.request():
                conversation.send(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")
                conversation.reply(b"ok")

        await rig.serve(rig.entry(await rig.replica(script)))
        async with rig.client() as client:
            hints = await client.ask("/function/f")
            assert (hints.status, hints.headers) == (103, {"link": "</a>"})
            assert (await client.answer()).body == b"ok"

    play(scenario)


@pytest.mark.parametrize("size", [16_384, 65_536, 1_000_003, 5_000_000])
def test_large_bodies_both_ways(play: "Play", size: int) -> None:
    async def scenario(rig: "Rig") -> None:
        await rig.serve(rig.entry(await rig.replica(rig.echo)))
        body = bytes(range(256)) * (size // 256 + 1)
        body = body[:size]
        async with rig.client() as client:
            for _ in range(2):
                answer = await client.ask("/function/f", method="POST", body=body)
                assert answer.status == 200
                assert answer.body == body
            coded = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (body[:70_000], body[70_000:]) if part)
            client.send(
                b"POST /function/f HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n" + coded + b"0\r\n\r\n"
            )
            assert (await client.answer()).body == body
            assert (await client.ask("/function/f")).body == b"empty"
            client.send(b"POST /function/f HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")
            assert (await client.answer()).body == b"empty"

    play(scenario)


def test_body_limit(play: "Play") -> None:
    async def scenario(rig: "Rig") -> None:
        await rig.serve(rig.entry(await rig.replica(rig.echo)))
        async with rig.client() as client:
            assert (await client.ask("/function/f", method="POST", body=b"a" * 1000)).status == 200
            client.send(b"POST /function/f HTTP/1.1\r\nHost: h\r\nContent-Length: 1001\r\n\r\n" + b"a" * 1001)
            answer = await client.answer()
            assert "1000 bytes" in answer.problem()["detail"]
            assert (answer.status, answer.headers["connection"]) == (413, "close")
        async with rig.client() as client:
            client.send(b"POST /function/f HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n")
            await rig.load(lambda load: load.functions[0].inflight == 1)
            for _ in range(11):
                client.send(b"64\r\n" + b"a" * 100 + b"\r\n")
            answer = await client.answer()
            answer.problem()
            assert answer.status == 413
            assert await client.closed()
        await rig.load(lambda load: load.functions[0].inflight == 0 and 413 in load.functions[0].codes)

    play(scenario, limits=Limits(body_bytes=1000))


@pytest.mark.parametrize("given", [0, 50, 2000])
def test_a_function_may_take_smaller_bodies_than_the_gateway_and_no_larger_ones(play: "Play", given: int) -> None:
    async def scenario(rig: "Rig") -> None:
        await rig.serve(rig.entry(await rig.replica(rig.echo), body_bytes=given), rig.entry(name="g"))
        most = 50 if given == 50 else 1000
        async with rig.client() as client:
            assert (await client.ask("/function/f", method="POST", body=b"a" * most)).status == 200
            assert (await client.ask("/function/f")).status == 200
            answer = await client.ask("/function/f", method="POST", body=b"a" * (most + 1))
            problem = answer.problem()
            assert (answer.status, problem["code"]) == (413, "payload_too_large")
            assert f"larger than the {most} bytes" in problem["detail"]
            assert ("max_body" if given == 50 else "body_bytes") in problem["hint"]
        async with rig.client() as client:
            head = b"POST /function/f HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
            client.send(head + b"%x\r\n" % (most + 1) + b"a" * (most + 1) + b"\r\n0\r\n\r\n")
            assert (await client.answer()).status == 413

    play(scenario, limits=Limits(body_bytes=1000))


def test_a_call_is_held_until_a_replica_is_ready(play: "Play") -> None:
    async def scenario(rig: "Rig") -> None:
        await rig.serve(rig.entry())
        async with rig.client() as first, rig.client() as second:
            asked = asyncio.create_task(first.ask("/function/f", method="POST", body=b"one"))
            demand = await rig.demand()
            assert demand.waiting == 1
            also = asyncio.create_task(second.ask("/function/f"))
            await rig.hear(Demand, lambda message: message.waiting == 2)
            rig.tell(rig.delta(rig.entry(await rig.replica(rig.echo))))
            assert (await asked).body == b"one"
            assert (await also).body == b"empty"
        load = await rig.load(lambda load: sum(code[0] for code in load.functions[0].codes.values()) == 2)
        assert (load.functions[0].cold, load.functions[0].waiting, load.functions[0].inflight) == (2, 0, 0)

    play(scenario)


def test_a_large_body_waits_with_its_call(play: "Play") -> None:
    async def scenario(rig: "Rig") -> None:
        await rig.serve(rig.entry())
        body = bytes(range(256)) * 8_000
        async with rig.client() as client:
            asked = asyncio.create_task(client.ask("/function/f", method="POST", body=body))
            await rig.demand()
            rig.tell(rig.delta(rig.entry(await rig.replica(rig.echo))))
            assert (await asked).body == body

    play(scenario)


def test_a_call_is_not_held_for_ever(play: "Play") -> None:
    async def scenario(rig: "Rig") -> None:
        await rig.serve(rig.entry(hold_s=0.2))
        async with rig.client() as client:
            answer = await client.ask("/function/f")
            told = answer.problem()
            assert (answer.status, told["code"], answer.headers["retry-after"]) == (503, "no_replica", "1")
            assert "0.2 s" in told["detail"]
            assert "hold_s" in told["detail"]
        load = await rig.load(lambda load: 503 in load.functions[0].codes)
        assert load.functions[0].waiting == 0

    play(scenario)


def test_a_failing_function_answers_at_once(play: "Play") -> None:
    async def scenario(rig: "Rig") -> None:
        await rig.serve(rig.entry(), rig.entry(name="g", failing="no module named x"))
        async with rig.client() as client, rig.client() as other:
            answer = await other.ask("/function/g")
            assert answer.status == 503
            assert "no module named x" in answer.problem()["detail"]
            asked = asyncio.create_task(client.ask("/function/f"))
            await rig.demand()
            rig.tell(rig.delta(rig.entry(failing="it does not start")))
            answer = await asked
            assert answer.status == 503
            assert "it does not start" in answer.problem()["detail"]

    play(scenario)


def test_a_removed_function_answers_at_once(play: "Play") -> None:
    async def scenario(rig: "Rig") -> None:
        await rig.serve(rig.entry())
        async with rig.client() as client:
            asked = asyncio.create_task(client.ask("/function/f"))
            await rig.demand()
            rig.tell(Delta(2, (), ("f.openfaas-fn",)))
            assert (await asked).status == 404

    play(scenario)


def test_a_full_queue_is_429(play: "Play") -> None:
    async def scenario(rig: "Rig") -> None:
        await rig.serve(rig.entry(queue_limit=1))
        async with rig.client() as first, rig.client() as second:
            asked = asyncio.create_task(first.ask("/function/f"))
            await rig.demand()
            answer = await second.ask("/function/f")
            assert (answer.status, answer.headers["retry-after"]) == (429, "1")
            assert "queue_limit" in answer.problem()["detail"]
            rig.tell(rig.delta(rig.entry(await rig.replica(rig.echo))))
            assert (await asked).status == 200
            assert (await second.ask("/function/f")).status == 200

    play(scenario)


def test_max_inflight_queues_the_rest(play: "Play") -> None:
    async def scenario(rig: "Rig") -> None:
        running, most, go = 0, 0, asyncio.Event()

        async def script(conversation: "Conversation") -> None:
            nonlocal running, most
            while await conversation.request():
                running += 1
                most = max(most, running)
                await go.wait()
                running -= 1
                conversation.reply()

        await rig.serve(rig.entry(await rig.replica(script), max_inflight=2))
        async with rig.client() as a, rig.client() as b, rig.client() as c, rig.client() as d:
            asked = [asyncio.create_task(client.ask("/function/f")) for client in (a, b, c, d)]
            load = await rig.load(lambda load: load.functions[0].waiting == 2)
            assert load.functions[0].inflight == 2
            go.set()
            assert [answer.status for answer in await asyncio.gather(*asked)] == [200] * 4
        assert most == 2

    play(scenario)


def test_beyond_max_inflight_nothing_waits_where_the_function_says_so(play: "Play") -> None:
    async def scenario(rig: "Rig") -> None:
        go = asyncio.Event()

        async def script(conversation: "Conversation") -> None:
            while await conversation.request():
                await go.wait()
                conversation.reply()

        await rig.serve(rig.entry(max_inflight=1, turns_away=True))
        async with rig.client() as first, rig.client() as second:
            asked = asyncio.create_task(first.ask("/function/f"))
            await rig.demand()
            rig.tell(rig.delta(rig.entry(await rig.replica(script), max_inflight=1, turns_away=True)))
            await rig.load(lambda load: load.functions[0].inflight == 1)
            answer = await second.ask("/function/f")
            assert answer.status == 429
            assert answer.body == b"Concurrent request limit exceeded. Max concurrent requests: 1\n"
            assert answer.headers["content-type"] == "text/plain"
            assert answer.headers["x-openfaas-internal"] == "faas-middleware"
            assert (answer.headers["retry-after"], bool(answer.headers["x-call-id"])) == ("1", True)
            go.set()
            assert (await asked).status == 200, "a call waits for the first replica all the same"
            assert (await second.ask("/function/f")).status == 200

    play(scenario)


def test_waiting_too_long_for_a_busy_replica_is_429(play: "Play") -> None:
    async def scenario(rig: "Rig") -> None:
        go = asyncio.Event()

        async def script(conversation: "Conversation") -> None:
            while await conversation.request():
                await go.wait()
                conversation.reply()

        await rig.serve(rig.entry(await rig.replica(script), max_inflight=1, hold_s=0.2))
        async with rig.client() as first, rig.client() as second:
            asked = asyncio.create_task(first.ask("/function/f"))
            await rig.load(lambda load: load.functions[0].inflight == 1)
            answer = await second.ask("/function/f")
            assert (answer.status, answer.problem()["code"]) == (429, "queue_timeout")
            go.set()
            assert (await asked).status == 200

    play(scenario)


def test_timeout(play: "Play") -> None:
    async def scenario(rig: "Rig") -> None:
        gone = asyncio.Event()

        async def script(conversation: "Conversation") -> None:
            await conversation.request()
            assert not await conversation.head()
            gone.set()

        await rig.serve(rig.entry(await rig.replica(script), timeout_s=0.2))
        async with rig.client() as client:
            answer = await client.ask("/function/f")
            told = answer.problem()
            assert (answer.status, told["code"]) == (504, "timeout")
            assert "timeout of 0.2 s" in told["detail"]
            await gone.wait()
            assert (await client.ask("/function/nobody")).status == 404

    play(scenario)


def test_a_timeout_within_an_answer_breaks_it_off(play: "Play") -> None:
    async def scenario(rig: "Rig") -> None:
        async def script(conversation: "Conversation") -> None:
            await conversation.request()
            conversation.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")
            await conversation.head()

        await rig.serve(rig.entry(await rig.replica(script), timeout_s=0.2))
        async with rig.client() as client:
            with pytest.raises(asyncio.IncompleteReadError):
                await client.ask("/function/f")
        await rig.load(lambda load: 504 in load.functions[0].codes)

    play(scenario)


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (b"", "replica_lost"),
        (b"HTTP/1.1 200 OK\r\nContent-", "replica_lost"),
        (b"nonsense\r\n\r\n", "replica_lost"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", "replica_lost"),
        (b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n", "replica_lost"),
    ],
)
def test_a_replica_that_dies_before_its_answer(
    play: "Play", sent: bytes, code: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(endings, "WORD_S", 0.01)

    async def scenario(rig: "Rig") -> None:
        async def script(conversation: "Conversation") -> None:
            await conversation.request()
            conversation.send(sent)

        replica = await rig.replica(script)
        await rig.serve(rig.entry(replica))
        async with rig.client() as client:
            answer = await client.ask("/function/f")
            assert (answer.status, answer.problem()["code"]) == (502, code)
            replica.script = rig.echo
            assert (await client.ask("/function/f")).status == 200
            ident = answer.problem()["call_id"]
            said = f"call failed function=f.openfaas-fn call_id={ident} status=502 error={code}"
            assert [line for line in caplog.messages if "call_id" in line] == [said]
        assert replica.connections == 2

    play(scenario)


@pytest.mark.parametrize(
    "coding", [b"Content-Length: 10\r\n\r\nabc", b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"]
)
def test_a_replica_that_dies_within_its_answer(play: "Play", coding: bytes) -> None:
    async def scenario(rig: "Rig") -> None:
        async def script(conversation: "Conversation") -> None:
            await conversation.request()
            conversation.send(b"HTTP/1.1 200 OK\r\n" + coding)

        await rig.serve(rig.entry(await rig.replica(script)))
        async with rig.client() as client:
            with pytest.raises(asyncio.IncompleteReadError):
                await client.ask("/function/f")
        await rig.load(lambda load: 502 in load.functions[0].codes)

    play(scenario)


def test_a_call_of_which_nothing_was_sent_goes_to_another_replica(play: "Play") -> None:
    async def scenario(rig: "Rig") -> None:
        good = await rig.replica(rig.echo)
        await rig.serve(rig.entry(f"unix:{rig.folder}/nobody", good))
        async with rig.client() as client:
            for _ in range(4):
                assert (await client.ask("/function/f", method="POST", body=b"x")).body == b"x"

    play(scenario)


def test_a_machine_that_is_gone_costs_the_calls_under_way_there_and_no_others(
    play: "Play", monkeypatch: pytest.MonkeyPatch
) -> None:
    under_way: list[UpstreamConnection] = []
    begin, dial = UpstreamConnection.begin, Pool._dial

    def begun(upstream: UpstreamConnection, caller: Caller, method: bytes) -> None:
        under_way.append(upstream)
        begin(upstream, caller, method)

    async def scenario(rig: "Rig") -> None:
        async def dies(conversation: "Conversation") -> None:
            await conversation.request()
            under_way[-1].connection_lost(OSError(errno.ETIMEDOUT, "Connection timed out"))

        victim, heir = await rig.replica(dies), await rig.replica(rig.echo, "r2")

        async def none(pool: Pool) -> UpstreamConnection:
            if pool.address == victim.address and victim.connections:
                raise OSError(errno.EHOSTUNREACH, "No route to host")
            return await dial(pool)

        monkeypatch.setattr(Pool, "_dial", none)
        await rig.serve(rig.entry(victim))
        async with rig.client() as client:
            lost = await client.ask("/function/f")
            assert (lost.status, b"nothing is heard of its machine" in lost.body) == (502, True)
            rig.tell(rig.delta(rig.entry(victim, heir)))
            await rig.heard_all()
            assert [(await client.ask("/function/f")).status for _ in range(4)] == [200] * 4
            assert victim.connections == 1

    monkeypatch.setattr(UpstreamConnection, "begin", begun)
    play(scenario)


def test_a_call_of_which_nothing_was_sent_is_held(play: "Play") -> None:
    async def scenario(rig: "Rig") -> None:
        await rig.serve(rig.entry(f"unix:{rig.folder}/nobody"))
        async with rig.client() as client:
            asked = asyncio.create_task(client.ask("/function/f", method="POST", body=b"x"))
            await rig.demand()
            rig.tell(rig.delta(rig.entry(await rig.replica(rig.echo))))
            assert (await asked).body == b"x"

    play(scenario)


def test_an_endpoint_that_was_away_is_tried_again_without_news(play: "Play") -> None:
    async def scenario(rig: "Rig") -> None:
        replica = await rig.replica(rig.echo)
        await replica.stop()
        await rig.serve(rig.entry(replica))
        async with rig.client() as client:
            asked = asyncio.create_task(client.ask("/function/f"))
            await rig.demand()
            await replica.start()
            assert (await asked).status == 200

    play(scenario)


def test_a_killed_replica_loses_only_what_it_worked_on(play: "Play") -> None:
    async def scenario(rig: "Rig") -> None:
        async def script(conversation: "Conversation") -> None:
            await conversation.request()
            await conversation.head()

        victim, heir = await rig.replica(script), await rig.replica(rig.echo, "r2")
        await rig.serve(rig.entry(victim))
        async with rig.client() as client, rig.client() as other:
            asked = asyncio.create_task(client.ask("/function/f"))
            await rig.load(lambda load: load.functions[0].inflight == 1)
            await victim.stop()
            assert (await asked).status == 502
            held = asyncio.create_task(other.ask("/function/f"))
            await rig.demand()
            rig.tell(rig.delta(rig.entry(heir)))
            assert (await held).status == 200

    play(scenario)


def test_a_client_that_goes_cancels_its_call(play: "Play") -> None:
    async def scenario(rig: "Rig") -> None:
        gone, began = asyncio.Event(), asyncio.Event()

        async def script(conversation: "Conversation") -> None:
            await conversation.request()
            began.set()
            assert not await conversation.head()
            gone.set()

        await rig.serve(rig.entry(await rig.replica(script)), rig.entry(name="g"))
        async with rig.client() as client, rig.client() as waiting:
            client.send(b"GET /function/f HTTP/1.1\r\nHost: h\r\n\r\n")
            waiting.send(b"GET /function/g HTTP/1.1\r\nHost: h\r\n\r\n")
            await began.wait()
            await rig.demand("g.openfaas-fn")
        await gone.wait()

        def over(load: Load) -> bool:
            return any(499 in each.codes and not each.inflight and not each.waiting for each in load.functions)

        await rig.load(lambda load: over(load) and any(each.function.startswith("f.") for each in load.functions))
        await rig.load(lambda load: over(load) and any(each.function.startswith("g.") for each in load.functions))

    play(scenario)


def test_a_call_that_is_given_up_before_it_is_connected_is_never_sent(play: "Play") -> None:
    async def scenario(rig: "Rig") -> None:
        loop = asyncio.get_running_loop()
        path = str(rig.folder / "full")
        fillers: list[socket.socket] = []
        with socket.socket(socket.AF_UNIX) as listener:
            listener.setblocking(False)
            listener.bind(path)
            listener.listen(0)
            # Once its queue is full nobody can connect, until somebody accepts.
            while True:
                filler = socket.socket(socket.AF_UNIX)
                filler.setblocking(False)
                fillers.append(filler)
                try:
                    filler.connect(path)
                except BlockingIOError:
                    break
            await rig.serve(rig.entry(f"unix:{path}"))
            async with rig.client() as client, rig.client() as other:
                client.send(b"GET /function/f/first HTTP/1.1\r\nHost: h\r\n\r\n")
                await rig.load(lambda load: load.functions[0].inflight == 1)
                client.writer.transport.abort()
                await rig.load(lambda load: 499 in load.functions[0].codes)
                for _ in fillers[:-1]:
                    (await loop.sock_accept(listener))[0].close()
                seen: list[bytes] = []
                accepted: list[socket.socket] = []
                tasks: list[asyncio.Task[None]] = []

                async def answer(connection: socket.socket) -> None:
                    if request := await loop.sock_recv(connection, 65_536):
                        seen.append(request)
                        await loop.sock_sendall(connection, b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

                async def take() -> None:
                    while True:
                        connection, _ = await loop.sock_accept(listener)
                        connection.setblocking(False)
                        accepted.append(connection)
                        tasks.append(asyncio.create_task(answer(connection)))

                # The call that was given up may have made a connection as well, before or after: it stays silent.
                tasks.append(asyncio.create_task(take()))
                assert (await other.ask("/function/f/second")).status == 200
                assert [request[:12] for request in seen] == [b"GET /second "]
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
            for each in [*fillers, *accepted]:
                each.close()

    play(scenario)


def test_an_early_answer_ends_the_connection_after_it(play: "Play") -> None:
    async def scenario(rig: "Rig") -> None:
        async def script(conversation: "Conversation") -> None:
            while await conversation.head():
                conversation.reply(b"enough", status=422)
                await conversation.writer.drain()

        replica = await rig.replica(script)
        await rig.serve(rig.entry(replica))
        async with rig.client() as client:
            client.send(b"POST /function/f HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n\r\nabc")
            answer = await client.answer()
            assert (answer.status, answer.body, answer.headers["connection"]) == (422, b"enough", "close")
            client.send(b"a" * 500_000)
            assert await client.closed()
        async with rig.client() as client:
            assert (await client.ask("/function/f")).status == 422
        assert replica.connections == 2

    play(scenario)


def test_an_upgrade_is_a_tunnel(play: "Play") -> None:
    async def scenario(rig: "Rig") -> None:
        async def script(conversation: "Conversation") -> None:
            await conversation.head()
            assert conversation.headers["connection"] == "Upgrade"
            assert conversation.headers["upgrade"] == "websocket"
            conversation.send(
                b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nX-A: b\r\n\r\nfirst"
            )
            while data := await conversation.reader.read(1 << 16):
                conversation.send(data.upper())
                await conversation.writer.drain()

        await rig.serve(rig.entry(await rig.replica(script), timeout_s=0.2))
        async with rig.client() as client:
            answer = await client.ask("/function/f", "Connection: Upgrade", "Upgrade: websocket")
            assert (answer.status, answer.headers["upgrade"], answer.headers["x-a"]) == (101, "websocket", "b")
            assert await client.reader.readexactly(5) == b"first"
            data = b"abcdefgh" * 100_000
            client.send(data)
            assert await client.reader.readexactly(len(data)) == data.upper()
        await rig.load(lambda load: 101 in load.functions[0].codes and load.functions[0].inflight == 0)

    play(scenario)


def test_a_tunnel_ends_with_its_replica(play: "Play") -> None:
    async def scenario(rig: "Rig") -> None:
        async def script(conversation: "Conversation") -> None:
            await conversation.head()
            conversation.send(b"HTTP/1.1 101 X\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nbye")

        await rig.serve(rig.entry(await rig.replica(script)))
        async with rig.client() as client:
            assert (await client.ask("/function/f", "Connection: Upgrade", "Upgrade: websocket")).status == 101
            assert await client.reader.read() == b"bye"

    play(scenario)


def test_a_slow_reader_holds_its_replica_back(play: "Play") -> None:
    async def scenario(rig: "Rig") -> None:
        sent, size = 0, 64 << 20

        async def script(conversation: "Conversation") -> None:
            nonlocal sent
            await conversation.request()
            conversation.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
            while sent < size:
                conversation.send(b"a" * 65_536)
                await conversation.writer.drain()
                sent += 65_536
            await conversation.head()

        await rig.serve(rig.entry(await rig.replica(script)))
        async with rig.client() as client:
            client.writer.transport.pause_reading()  # type: ignore[attr-defined]
            client.send(b"GET /function/f HTTP/1.1\r\nHost: h\r\n\r\n")
            before = -1
            while sent != before or not sent:
                before = sent
                await asyncio.sleep(0.2)
            assert sent < size // 2
            client.writer.transport.resume_reading()  # type: ignore[attr-defined]
            assert len((await client.answer()).body) == size

    play(scenario)


def test_a_slow_replica_holds_its_client_back(play: "Play") -> None:
    async def scenario(rig: "Rig") -> None:
        go = asyncio.Event()

        async def script(conversation: "Conversation") -> None:
            await conversation.head()
            await go.wait()
            conversation.reply(str(len(await conversation.reader.readexactly(size))).encode())

        size = 64 << 20
        await rig.serve(rig.entry(await rig.replica(script)))
        async with rig.client() as client:
            client.send(b"POST /function/f HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n" % size)
            taken, before, fed = 0, -1, [0]
            client.writer.transport.set_write_buffer_limits(1)
            feeding = asyncio.create_task(feed(client.writer, size, fed))
            while taken != before or not taken:
                before = taken
                await asyncio.sleep(0.2)
                taken = fed[0]
            assert taken < size // 2
            go.set()
            await feeding
            assert (await client.answer()).body == str(size).encode()

    play(scenario, limits=Limits(body_bytes=64 << 20))


async def feed(writer: asyncio.StreamWriter, size: int, fed: list[int]) -> None:
    """Send `size` bytes and keep count in `fed`."""
    while fed[0] < size:
        writer.write(b"a" * 65_536)
        await writer.drain()
        fed[0] += 65_536
