"""How the host runs calls: overlapping, streaming, ending."""

import asyncio
import contextlib
import json
import socket
import threading
import time
import types
from typing import Any

import pytest

from dayfly.runtimes.python import rescue

GATED = """
import threading
gate, begun = threading.Event(), threading.Semaphore(0)
def handle(event, context):
    if event.body == b"slow":
        begun.release()
        gate.wait(60)
    return event.body
"""


@pytest.mark.parametrize("quick_calls_before", [0, 50])
@pytest.mark.parametrize("second_on_old_connection", [False, True])
def test_a_slow_call_blocks_neither_another_nor_the_health_check(
    serve: Any, quick_calls_before: int, second_on_old_connection: bool
) -> None:
    served = serve(GATED)
    with contextlib.closing(served.connect()) as old:
        for _ in range(quick_calls_before + 1):
            old.request("POST", "/", b"quick")
            assert old.getresponse().read() == b"quick"
        slow: list[bytes] = []
        caller = threading.Thread(target=lambda: slow.append(served.call(b"slow").body))
        caller.start()
        assert served.module.begun.acquire(timeout=60)
        try:
            assert served.call(target="/_/health").body == b"OK"
            if second_on_old_connection:
                for _ in range(3):
                    old.request("POST", "/", b"second")
                    assert old.getresponse().read() == b"second"
            else:
                assert served.call(b"second").body == b"second"
            assert slow == []
        finally:
            served.module.gate.set()
            caller.join(60)
        assert slow == [b"slow"]
        old.request("POST", "/", b"third")
        assert old.getresponse().read() == b"third"


TWO_GATES = """
import threading
gates = {b"one": threading.Event(), b"two": threading.Event()}
begun = threading.Semaphore(0)
def handle(event, context):
    if event.body in gates:
        begun.release()
        gates[event.body].wait(60)
    return event.body
"""


def test_a_call_helped_along_outlasts_the_one_that_held_the_loop(serve: Any) -> None:
    served = serve(TWO_GATES)
    with contextlib.closing(served.connect()) as old:
        for _ in range(20):
            old.request("POST", "/", b"quick")
            assert old.getresponse().read() == b"quick"
        first: list[bytes] = []
        caller = threading.Thread(target=lambda: first.append(served.call(b"one").body))
        caller.start()
        assert served.module.begun.acquire(timeout=60)
        old.request("POST", "/", b"two")
        assert served.module.begun.acquire(timeout=60)
        served.module.gates[b"one"].set()
        caller.join(60)
        assert first == [b"one"]
        # The loop is back while the old connection is still borrowed: what comes on it now must wait its turn.
        assert old.sock is not None
        old.sock.sendall(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\nthird")
        assert served.call(b"other").body == b"other"
        served.module.gates[b"two"].set()
        data = b""
        while not data.endswith(b"third"):
            piece = old.sock.recv(4096)
            assert piece
            data += piece
        assert data.index(b"two") < data.index(b"third")


def test_a_request_half_read_beside_the_loop_is_read_to_its_end_there(serve: Any) -> None:
    served = serve(TWO_GATES)
    with served.socket() as old:
        for _ in range(20):
            old.sendall(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\nquick")
            assert old.recv(4096).endswith(b"quick")
        caller = threading.Thread(target=lambda: served.call(b"one"))
        caller.start()
        assert served.module.begun.acquire(timeout=60)
        old.sendall(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 8\r\n\r\nhalf")
        deadline = time.monotonic() + 60
        while not any(thread.name == "dayfly-rescued" for thread in threading.enumerate()):
            assert time.monotonic() < deadline
            time.sleep(0.005)
        served.module.gates[b"one"].set()
        caller.join(60)
        assert served.call(b"other").body == b"other"
        old.sendall(b"half")
        assert old.recv(4096).endswith(b"halfhalf")
        old.sendall(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\nafter")
        assert old.recv(4096).endswith(b"after")


def test_quick_calls_move_to_the_loop_and_stay_there(serve: Any) -> None:
    source = "import threading\ndef handle(event, context):\n    return threading.current_thread().name\n"
    served = serve(source)
    assert served.call().body.startswith(b"dayfly-call")
    moved, give_up = 0, time.monotonic() + 60
    while moved < 5:  # one after the other; a machine that is busy makes a call slow, which moves it back
        assert time.monotonic() < give_up
        moved = 0 if served.call().body.startswith(b"dayfly-call") else moved + 1


def test_what_is_given_back_to_a_loop_that_is_closed_is_hung_up_on() -> None:
    loop = asyncio.new_event_loop()
    loop.close()
    host: Any = types.SimpleNamespace(call_soon=loop.call_soon_threadsafe, adopt=None)
    near, far = socket.socketpair()
    near.settimeout(60)
    with near:
        rescue._Guest(None, far).give_back(host)
        assert near.recv(1) == b""
    known: Any = types.SimpleNamespace(given_back=None)
    near, far = socket.socketpair()
    with near:
        guest = rescue._Guest(known, far)
        guest.served = True
        guest.give_back(host)
        assert near.recv(1) == b""


@pytest.mark.parametrize("concurrency", ["inline", "threads"])
def test_the_author_may_say_where_calls_run(serve: Any, concurrency: Any) -> None:
    source = "import threading\ndef handle(event, context):\n    return threading.current_thread().name\n"
    served = serve(source, concurrency=concurrency)
    on_threads = {served.call().body.startswith(b"dayfly-call") for _ in range(10)}
    assert on_threads == {concurrency == "threads"}


STREAMS = """
import asyncio, threading
go, closed = threading.Event(), threading.Event()
def handle(event, context):
    def pieces():
        try:
            yield "one\\n"
            go.wait(60)
            yield b"two\\n"
            yield {"three": 3}
        finally:
            closed.set()
    return {"statusCode": 202, "headers": {"x-a": "b"}, "body": pieces()} if event.body else pieces()
"""
ASYNC_STREAMS = """
import asyncio, threading
go, closed = threading.Event(), threading.Event()
async def handle(event, context):
    async def pieces():
        try:
            yield "one\\n"
            await asyncio.to_thread(go.wait, 20)
            yield b"two\\n"
            yield {"three": 3}
        finally:
            closed.set()
    return {"statusCode": 202, "headers": {"x-a": "b"}, "body": pieces()} if event.body else pieces()
"""
GENERATOR = """
import threading
go, closed = threading.Event(), threading.Event()
def handle(event, context):
    yield "one\\n"
    go.wait(60)
    yield "two\\n"
    yield {"three": 3}
"""
ASYNC_GENERATOR = """
import asyncio, threading
go, closed = threading.Event(), threading.Event()
async def handle(event, context):
    yield "one\\n"
    await asyncio.to_thread(go.wait, 20)
    yield "two\\n"
    yield {"three": 3}
"""


@pytest.mark.parametrize("source", [STREAMS, ASYNC_STREAMS, GENERATOR, ASYNC_GENERATOR])
def test_pieces_go_out_as_they_come(serve: Any, source: str) -> None:
    served = serve(source)
    with contextlib.closing(served.connect()) as connection:
        connection.request("GET", "/")
        response = connection.getresponse()
        assert response.headers["transfer-encoding"] == "chunked"
        assert response.headers["content-type"] == "text/plain; charset=utf-8"
        assert response.read(4) == b"one\n"
        served.module.go.set()
        assert response.read() == b'two\n{"three":3}\n'
        connection.request("GET", "/_/ready")
        assert connection.getresponse().read() == b"OK"


@pytest.mark.parametrize("source", [STREAMS, ASYNC_STREAMS])
def test_a_stream_may_have_a_status_and_ends_with_its_caller(serve: Any, source: str) -> None:
    served = serve(source)
    with contextlib.closing(served.connect()) as connection:
        connection.request("POST", "/", b"x")
        response = connection.getresponse()
        assert (response.status, response.headers["x-a"], response.read(4)) == (202, "b", b"one\n")
    served.module.go.set()
    assert served.module.closed.wait(60)


@pytest.mark.parametrize("prefix", ["", "async "])
@pytest.mark.parametrize("pieces_before", [0, 1])
def test_a_stream_that_fails_is_a_500_or_visibly_cut(serve: Any, prefix: str, pieces_before: int) -> None:
    served = serve(
        f"{prefix}def handle(event, context):\n    if {pieces_before}: yield 'x'\n    raise ValueError\n    yield 'y'\n"
    )
    with served.socket() as sock:
        sock.sendall(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        data = b""
        with contextlib.suppress(ConnectionResetError):
            while piece := sock.recv(4096):
                data += piece
    if pieces_before:
        assert data.startswith(b"HTTP/1.1 200")
        assert not data.endswith(b"0\r\n\r\n")
    else:
        assert data.startswith(b"HTTP/1.1 500")


def test_a_large_stream_waits_for_a_slow_reader(serve: Any) -> None:
    source = """
made = 0
def handle(event, context):
    global made
    for _ in range(2000):
        made += 1
        yield b"x" * 65536
"""
    served = serve(source)
    with served.socket() as sock:
        sock.sendall(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        assert sock.recv(16)
        before = -1
        while served.module.made != before:  # until it stands still
            before = served.module.made
            time.sleep(0.3)
        assert 0 < before < 500


def test_an_async_handler_is_cancelled_when_its_caller_goes_away(serve: Any) -> None:
    source = """
import asyncio, threading
begun, cancelled = threading.Event(), threading.Event()
async def handle(event, context):
    begun.set()
    try:
        await asyncio.sleep(60)
    except asyncio.CancelledError:
        cancelled.set()
        raise
"""
    served = serve(source)
    with served.socket() as sock:
        sock.sendall(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        assert served.module.begun.wait(60)
    assert served.module.cancelled.wait(60)
    assert served.call(target="/_/health").status == 200


def test_pipelined_requests_are_answered_in_order(serve: Any) -> None:
    served = serve("def handle(event, context):\n    return event.path\n")
    with served.socket() as sock:
        sock.sendall(b"".join(b"GET /%d HTTP/1.1\r\nhost: x\r\n\r\n" % n for n in range(5)))
        data = b""
        while data.count(b"\r\n\r\n/") < 5:
            data += sock.recv(4096)
    assert [data.find(b"\r\n\r\n/%d" % n) for n in range(5)] == sorted(data.find(b"\r\n\r\n/%d" % n) for n in range(5))


def test_an_upgrade_is_answered_as_a_plain_request_and_hung_up_on(serve: Any) -> None:
    served = serve("def handle(event, context):\n    return 'plain'\n")
    with served.socket() as sock:
        sock.sendall(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\nmore")
        data = b""
        while piece := sock.recv(4096):
            data += piece
    assert data.startswith(b"HTTP/1.1 200")
    assert data.endswith(b"\r\n\r\nplain")


def test_what_is_no_http_is_refused_and_hung_up_on(serve: Any) -> None:
    served = serve("def handle(event, context):\n    return ''\n")
    with served.socket() as sock:
        sock.sendall(b"\x16\x03\x01 nonsense\r\n\r\n")
        assert sock.recv(4096).startswith(b"HTTP/1.1 400")


def test_a_drain_finishes_the_call_at_hand_and_closes_the_rest(serve: Any) -> None:
    served = serve(GATED, concurrency="threads")
    idle = served.connect()
    idle.request("GET", "/_/health")
    idle.getresponse().read()
    answers: list[Any] = []
    caller = threading.Thread(target=lambda: answers.append(served.call(b"slow")))
    caller.start()
    assert served.module.begun.acquire(timeout=60)
    served.channel.send(b"d")
    assert idle.sock.recv(10) == b""
    idle.close()
    served.module.gate.set()
    caller.join(60)
    assert answers[0].body == b"slow"
    assert served.wait() == 0


def test_ready_says_no_while_draining(serve: Any) -> None:
    served = serve(GATED, concurrency="threads")
    caller = threading.Thread(target=lambda: served.call(b"slow"))
    caller.start()
    assert served.module.begun.acquire(timeout=60)
    with contextlib.closing(served.connect()) as connection:
        connection.request("GET", "/_/ready")
        assert connection.getresponse().read() == b"OK"
        served.channel.send(b"d")
        connection.request("GET", "/_/ready")
        with contextlib.suppress(ConnectionError):
            assert connection.getresponse().status in (200, 503)
    served.module.gate.set()
    caller.join(60)
    assert served.wait() == 0


def test_a_refusal_is_told_and_not_logged(serve: Any, capfd: pytest.CaptureFixture[str]) -> None:
    answer = serve("def add(a: int) -> int:\n    return a\n").call(b'{"a": "x"}', headers={"X-Call-Id": "id-3"})
    assert json.loads(answer.body)["call_id"] == "id-3"
    assert capfd.readouterr().err == ""


BURNS = """
import time
def handle(event, context):
    if event.body == b"sleep":
        time.sleep(0.005)
    if event.body == b"burn":
        end = time.thread_time() + 0.02
        while time.thread_time() < end:
            pass
    return event.body if event.body != b"odd" else {"statusCode": 201, "headers": {"X-Own": "1"}, "body": "odd"}
"""


def test_processor_time_is_told_of_calls_that_follow_one_that_took_some(serve: Any) -> None:
    served = serve(BURNS)
    assert "x-dayfly-used" not in served.call(b"burn").headers
    burnt = served.call(b"burn")
    assert burnt.body == b"burn"
    assert int(burnt.headers["x-dayfly-used"]) >= 20_000
    served.call(b"sleep")
    odd = served.call(b"odd")
    assert (odd.status, odd.headers["x-own"], odd.body) == (201, "1", b"odd")
    assert odd.headers["x-dayfly-used"].isdigit()
