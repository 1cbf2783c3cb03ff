"""What the control plane hands to the queue."""

import asyncio
from pathlib import Path

import pytest

from dayfly.http1.head import judge
from dayfly.model.errors import InvalidRequest
from dayfly.queue.asking import Socket, Whole
from dayfly.queue.remote import RemoteQueue
from dayfly.queue.submission import Terms, read_submission


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The heads of what the queue is sent, which it accepts."""
    heads: list[bytes] = []

    async def ask(_socket: Socket, head: bytes, _body: bytes) -> Whole:
        heads.append(head)
        return Whole(202, b"X-Call-Id: c1\r\n", b"", 0)

    monkeypatch.setattr(Socket, "ask", ask)
    return heads


def submit(**headers: str) -> str:
    async def body() -> str:
        return await RemoteQueue(Path("queue.sock")).submit("f.n", Terms(), key="cron now", headers=headers)

    return asyncio.run(body())


def test_the_platforms_own_calls_have_a_scope_of_keys_of_their_own(sent: list[bytes]) -> None:
    assert submit(Subject="a b") == "c1"
    line, *rest = sent[0].removesuffix(b"\r\n\r\n").split(b"\r\n")
    method, target, version = line.split()
    headers = [(name, value) for name, _, value in (each.partition(b": ") for each in rest)]
    given = read_submission(judge(method, target, version, headers), b"", 1)
    assert given.key == "f.n\ncron now"


def test_what_the_queue_would_not_read_is_refused_for_good(sent: list[bytes]) -> None:
    """A topic may have 64 KiB, and three times that in percent encoding: its source must not wait for ever."""
    with pytest.raises(InvalidRequest, match="131072"):
        submit(Subject="x" * 131_072)
    assert not sent


@pytest.mark.parametrize("value", ["x\r\nX-Dayfly-Subject: admin", "x\n", "x\0", "é"])
def test_what_is_no_headers_value_never_reaches_the_socket(sent: list[bytes], value: str) -> None:
    with pytest.raises(InvalidRequest, match="Subject"):
        submit(Subject=value)
    assert not sent
