"""Reading a replica's log pipe: whatever is in it was written by somebody else's code."""

import asyncio
import os
import time
from types import SimpleNamespace

import pytest

from dayfly.model.errors import ConfigError
from dayfly.model.function import DEFAULT_LOG_RATE_BYTES
from dayfly.model.log import MAX_LINE_BYTES, LogLine
from dayfly.model.names import DEFAULT_NAMESPACE, FunctionKey, FunctionName, new_replica_id
from dayfly.model.replica import StartOrder
from dayfly.providers.local.logs import LogReader
from dayfly.providers.local.provider import LocalProvider

KEY = FunctionKey(DEFAULT_NAMESPACE, FunctionName("fn"))


def order(rate_bytes: int = DEFAULT_LOG_RATE_BYTES) -> StartOrder:
    return StartOrder(
        replica=new_replica_id(), key=KEY, revision=1, lang="python", dialect="auto", handler="handler",
        code_dir="/code", timeout_s=1.0, log_rate_bytes=rate_bytes,
    )  # fmt: skip


def read(*written: bytes) -> tuple[list[LogLine], LogReader]:
    """Return the lines of a pipe that held `written` when it was finished."""

    async def main() -> tuple[list[LogLine], LogReader]:
        lines: list[LogLine] = []
        reader, writer = os.pipe()
        log = LogReader(reader, order(), lines.append)
        for data in written:
            os.write(writer, data)
        log.finish()
        log.finish()
        os.close(writer)
        return lines, log

    return asyncio.run(main())


def test_raw_lines_are_stdout_without_a_call() -> None:
    lines, _ = read(b"one\ntw", b"o\nthree")
    assert [(line.stream, line.call_id, line.text) for line in lines] == [
        ("stdout", "", "one"),
        ("stdout", "", "two"),
        ("stdout", "", "three"),
    ]


@pytest.mark.parametrize("stamp", [0, 1, 2**62])
def test_impossible_times_are_replaced(stamp: int) -> None:
    before = time.time_ns()
    lines, _ = read(b"\x1eo%x id\x1ftext\n" % stamp)
    assert before <= lines[0].unix_ns <= time.time_ns()
    assert (lines[0].call_id, lines[0].text) == ("id", "text")


def test_possible_times_are_kept() -> None:
    stamp = time.time_ns() - 10**9
    assert read(b"\x1ee%x id\x1ftext\n" % stamp)[0][0].unix_ns == stamp


def test_a_line_without_end_is_cut_not_collected() -> None:
    lines, _ = read(b"x" * 50_000)
    assert {len(line.text) for line in lines[:-1]} == {MAX_LINE_BYTES}
    assert sum(len(line.text) for line in lines) == 50_000


def test_what_is_no_text_is_still_a_line() -> None:
    assert read(b"\xff\xfe\x00\n\n")[0][0].text == "\ufffd\ufffd\x00"


def test_a_failure_is_kept_for_the_event_and_logged_by_the_platform() -> None:
    lines, log = read(b"\x1ex1 \x1fTraceback\x1f  line 2\n")
    assert log.failure == "Traceback\n  line 2"
    assert (lines[0].stream, lines[0].text) == ("platform", log.failure)


@pytest.mark.parametrize(("rate_bytes", "kept", "said"), [
    (1_000, 120, "0.001 MB/s"), (100_000, 420, "0.1 MB/s"), (DEFAULT_LOG_RATE_BYTES, 2400, ""),
])  # fmt: skip
def test_a_replica_logs_no_more_than_its_order_says(
    rate_bytes: int, kept: int, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dayfly.providers.log_rate.time", SimpleNamespace(monotonic=lambda: 0.0))

    async def main() -> list[LogLine]:
        lines: list[LogLine] = []
        reader, writer = os.pipe()
        log = LogReader(reader, order(rate_bytes), lines.append)
        for _ in range(40):
            os.write(writer, (b"x" * 999 + b"\n") * 60)
            log._read()
        log.finish()
        os.close(writer)
        return lines

    lines = asyncio.run(main())
    told = [line.text for line in lines if line.stream == "platform"]
    assert len(lines) - len(told) == kept
    assert [f"more than {said} for a while (max_log_rate)" in text for text in told] == ([True] if said else [])


def test_a_folder_too_long_for_a_socket_is_refused() -> None:
    from pathlib import Path

    with pytest.raises(ConfigError, match="too long"):
        LocalProvider(Path("/run/zygote.sock"), Path("/" + "x" * 100))
