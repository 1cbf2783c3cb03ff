"""A container's output: whole frames however the bytes come, and times as they were written."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dayfly.providers.docker.frames import Cursor, Frames, Resumption, split_time


def frame(stream: int, content: bytes) -> bytes:
    return struct.pack(">B3xI", stream, len(content)) + content


@given(
    st.lists(st.tuples(st.sampled_from([1, 2]), st.binary(max_size=40)), max_size=8),
    st.lists(st.integers(1, 12), max_size=60),
)
def test_frames_are_whole_however_they_are_cut(contents: list[tuple[int, bytes]], cuts: list[int]) -> None:
    data = b"".join(frame(*each) for each in contents)
    frames, found = Frames(), []
    for cut in [*cuts, len(data)]:
        found += list(frames.feed(data[:cut]))
        data = data[cut:]
    assert found == [({1: "stdout", 2: "stderr"}[stream], content) for stream, content in contents]


@pytest.mark.parametrize(
    ("content", "unix_ns", "text"),
    [
        (b"2026-11-29T08:31:05.678695070Z hello world\n", 1_795_941_065_678_695_070, "hello world"),
        (b"2026-11-29T08:31:05.6Z x\r\n", 1_795_941_065_600_000_000, "x"),
        (b"2026-11-29T08:31:05Z \n", 1_795_941_065_000_000_000, ""),
        (b"2026-11-29T09:31:05.000000001+01:00 x", 1_795_941_065_000_000_001, "x"),
        (b"no time here\n", 0, "no time here"),
        (b"2026-13-45 x", 0, "2026-13-45 x"),
        (b"2026-11-29T08:31:05Z \xff\n", 1_795_941_065_000_000_000, "\ufffd"),
    ],
)
def test_a_line_bears_its_time(content: bytes, unix_ns: int, text: str) -> None:
    assert split_time(content) == (unix_ns, text)


@given(st.binary(max_size=80))
def test_whatever_is_printed_is_a_line(content: bytes) -> None:
    _, text = split_time(b"2026-11-29T08:31:05.1Z " + content)
    assert "\n" not in text[-1:]
    split_time(content)


@given(
    st.lists(st.integers(0, 2), max_size=30),
    st.lists(st.integers(1, 6), max_size=20),
    st.booleans(),
)
def test_each_line_is_told_once_however_often_reading_begins_anew(
    gaps: list[int], reads: list[int], hear: bool
) -> None:
    # What the engine keeps: lines with times that rise, several to the same one.
    at, kept = 1_795_941_065, []
    for number, gap in enumerate(gaps):
        at += gap
        kept.append((at * 10**9, number))
    cursor, told = Cursor(), []
    for count in [*reads, len(kept)]:
        # An engine gives what is asked for since a time with the lines that bear it, or, deaf, all of them.
        resumed = Resumption(cursor)
        given_lines = [line for line in kept if line[0] >= cursor.unix_ns] if hear else kept
        fresh = [line for line in given_lines if not resumed.is_known(line[0])]
        for unix_ns, number in fresh[:count]:
            cursor = cursor.after(unix_ns)
            told.append(number)
    assert told == list(range(len(kept)))


def test_a_cursor_is_a_time_as_engines_take_it() -> None:
    assert Cursor().since == "0.000000000"
    assert Cursor(1_795_941_065_000_000_007, 1).since == "1795941065.000000007"
