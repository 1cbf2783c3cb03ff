"""Function output as log lines: framing, cutting, and a pipe that nobody reads."""

import fcntl
import os
import sys
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dayfly.model.log import MAX_LINE_BYTES
from dayfly.runtimes.python import output
from dayfly.runtimes.python.output import LogPipe, Output, parse_line

Pipe = tuple[int, int]


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    """A pipe as the zygote makes it, as small as it can be."""
    reader, writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
    yield reader, writer
    os.close(reader)
    os.close(writer)


def lines(reader: int) -> list[tuple[str, str, str]]:
    """Return stream, call id and text of every line in the pipe."""
    data = b""
    while True:
        try:
            data += os.read(reader, 1 << 20)
        except BlockingIOError:
            break
    parsed = [parse_line(raw) for raw in data.split(b"\n")[:-1]]
    return [(stream, call, text) for stream, _, call, text in parsed]


def test_lines_are_framed_when_whole(pipe: Pipe) -> None:
    reader, writer = pipe
    out = Output(LogPipe(writer), "o", 1)
    print("one", 2, file=out)
    out.write("three\nfour")
    assert lines(reader) == [("stdout", "", "one 2"), ("stdout", "", "three")]
    out.write("!\n")
    out.buffer.write(b"bytes\n")
    assert lines(reader) == [("stdout", "", "four!"), ("stdout", "", "bytes")]


def test_long_lines_are_cut(pipe: Pipe) -> None:
    reader, writer = pipe
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 1 << 20)
    LogPipe(writer).line("e", "id", "x" * (MAX_LINE_BYTES * 2 + 1))
    assert [len(text) for _, _, text in lines(reader)] == [MAX_LINE_BYTES, MAX_LINE_BYTES, 1]


def test_a_pipe_nobody_reads_loses_lines_and_says_how_many(pipe: Pipe, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output, "FULL_WAIT_S", 0.01)
    reader, writer = pipe
    log = LogPipe(writer)
    for number in range(300):
        log.line("o", "", f"{number} " + "x" * 100)
    kept = len(lines(reader))
    log.line("o", "", "after")
    *notes, last = lines(reader)
    assert 0 < kept < 100
    assert last == ("stdout", "", "after")
    assert [note[2] for note in notes if note[0] == "platform"] == [
        f"{300 - kept} lines were lost because the log was not read in time"
    ]


def test_why_a_start_failed_waits_for_whoever_reads(pipe: Pipe, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output, "FULL_WAIT_S", 0.01)
    reader, writer = pipe
    log = LogPipe(writer)
    for _ in range(300):
        log.line("o", "", "x" * 100)
    waits: list[float] = []

    def read(fd: int, wait_s: float) -> None:
        assert fd == writer
        waits.append(wait_s)
        lines(reader)

    monkeypatch.setattr(output, "_wait_for_room", read)
    log.line("x", "", "this is why")
    assert waits[0] > 1
    assert ("failure", "", "this is why") in lines(reader)


def test_a_line_cut_by_a_full_pipe_does_not_spoil_the_next(pipe: Pipe, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output, "FULL_WAIT_S", 0.01)
    reader, writer = pipe
    log = LogPipe(writer)
    log.line("o", "", "y" * 10_000)
    assert lines(reader) == []
    log.line("e", "", "whole")
    assert ("stderr", "", "whole") in lines(reader)


def test_writing_after_the_reader_has_gone_is_no_error() -> None:
    reader, writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    os.close(reader)
    LogPipe(writer).line("o", "", "into the void")
    os.close(writer)


def test_the_stream_takes_text_only(pipe: Pipe) -> None:
    with pytest.raises(TypeError, match="must be str, not bytes"):
        Output(LogPipe(pipe[1]), "o", 1).write(b"x")  # type: ignore[arg-type]


@given(st.binary(max_size=200).filter(lambda raw: b"\n" not in raw))
def test_any_raw_line_is_taken_for_something(raw: bytes) -> None:
    stream, stamp, call_id, text = parse_line(raw)
    assert stream in ("stdout", "stderr", "platform", "failure")
    assert stamp >= 0
    assert isinstance(call_id + text, str)


@given(st.text().filter(lambda text: "\n" not in text), st.sampled_from("oep"))
def test_a_framed_line_comes_back_as_it_was(text: str, stream: str) -> None:
    reader, writer = os.pipe()
    LogPipe(writer).line(stream, "id", text[:500])
    raw = os.read(reader, 1 << 16)
    os.close(reader)
    os.close(writer)
    expected = text[:500].encode("utf-8", "replace").decode()
    assert parse_line(raw[:-1])[2:] == ("id", expected)
    assert sys.stdout is not None
