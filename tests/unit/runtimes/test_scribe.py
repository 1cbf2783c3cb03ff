"""What children say, passed on as lines: none lost at the end, none too long, none too many, and nobody waits."""

import contextlib
import json
import os
from collections.abc import Iterator

import pytest

from dayfly.runtimes import scribe as module
from dayfly.runtimes.log_event import read_line
from dayfly.runtimes.scribe import Scribe

CALL = "5e0f3c1a-7d52-4b8e-9a3f-0123456789ab"


class Listener:
    """A scribe whose standard error is a pipe."""

    def __init__(self, form: str) -> None:
        self.kept: list[str] = []
        self.reader, self.out = os.pipe2(os.O_NONBLOCK)
        os.set_blocking(self.out, True)
        self.scribe = Scribe("supervisor", form, self.kept.append, self.out)

    def lines(self) -> list[str]:
        found = b""
        while True:
            try:
                found += os.read(self.reader, 1 << 20)
            except BlockingIOError:
                return found.decode().splitlines()


@pytest.fixture(params=["text", "json"])
def listener(request: pytest.FixtureRequest) -> Iterator[Listener]:
    made = Listener(request.param)
    yield made
    os.close(made.reader)
    os.close(made.out)


def in_json() -> Listener:
    return Listener("json")


def test_lines_are_passed_on_and_one_without_an_end_is_not_lost(listener: Listener) -> None:
    feed, writer = listener.scribe.listen("control")
    os.write(writer, b"2026-11-30 10:00:00,123 WARNING control dayfly.x one\nha")
    listener.scribe.turn(listener.scribe.reads)
    assert len(listener.lines()) == 1
    os.write(writer, b"lf")
    os.close(writer)
    listener.scribe.flush(feed)
    assert len(listener.lines()) == 1
    assert [json.loads(line)["message"] for line in listener.kept] == ["one", "half"]
    assert listener.scribe.reads == []


def test_a_pipe_that_others_still_hold_is_read_on() -> None:
    listener = in_json()
    feed, writer = listener.scribe.listen("zygote")
    os.write(writer, b"half")
    listener.scribe.flush(feed)  # the zygote is gone
    (line,) = listener.lines()
    assert json.loads(line)["message"] == "half"
    os.write(writer, b"a template says\n")
    listener.scribe.turn(listener.scribe.reads)
    (line,) = listener.lines()
    assert json.loads(line)["message"] == "a template says"


def test_a_line_that_is_too_long_is_cut() -> None:
    listener = in_json()
    feed, writer = listener.scribe.listen("control")
    listener.kept.clear()
    long = module.MOST_BYTES + 10
    sent = b"x" * long + b"\nnext\n"
    while sent:
        sent = sent[os.write(writer, sent[:4096]) :]
        listener.scribe.turn([feed.fd])
        listener.lines()
    first, second = (json.loads(line)["message"] for line in listener.kept)
    assert first == "x" * module.MOST_BYTES + " … 10 more bytes of this line are left out"
    assert second == "next"


def test_a_flood_is_left_out_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_RATE", 0)
    monkeypatch.setattr(module, "_BURST", 5)
    listener = in_json()
    feed, writer = listener.scribe.listen("control")
    os.write(writer, b"".join(b"%d\n" % number for number in range(20)))
    listener.scribe.turn([feed.fd])
    assert [json.loads(line)["message"] for line in listener.kept] == ["0", "1", "2", "3", "4"]
    monkeypatch.setattr(module, "_RATE", 10**12)
    os.write(writer, b"after\n")
    listener.scribe.turn([feed.fd])
    assert "15 lines of control are left out" in listener.kept[-1]


def test_while_nobody_reads_children_are_held_up_and_nothing_grows() -> None:
    listener = in_json()
    _, writer = listener.scribe.listen("control")
    os.set_blocking(writer, False)
    taken = 0
    with contextlib.suppress(BlockingIOError):
        while taken < 10_000_000:
            taken += os.write(writer, b"x" * 1000 + b"\n")
            listener.scribe.turn(listener.scribe.reads)
    assert taken < 2_000_000
    assert listener.scribe.reads == []
    assert listener.scribe.writes == [listener.out]
    for _ in range(10_000):
        listener.scribe.say("y" * 1000)
    assert len(listener.scribe._pending) < 2_000_000  # what it holds is its own business, but for how much
    listener.lines()
    while listener.scribe.writes:
        listener.scribe.turn(listener.scribe.reads)
        assert all(json.loads(line) for line in listener.lines() if line.startswith("{") and line.endswith("}"))
    assert listener.scribe.reads


def test_where_the_other_end_is_gone_it_goes_on() -> None:
    listener = in_json()
    os.close(listener.reader)
    listener.scribe.say("to nobody")
    assert listener.scribe.writes == []
    assert len(listener.kept) == 1


def test_as_text_the_queues_server_is_heard_when_it_warns() -> None:
    listener = Listener("text")
    feed, writer = listener.scribe.listen("nats-server")
    os.write(writer, b"[7] 2026/11/30 12:31:46.844385 [INF] Server is ready\n")
    os.write(writer, b"[7] 2026/11/30 12:31:46.844385 [WRN] Slow Consumer\n")
    listener.scribe.turn([feed.fd])
    (line,) = listener.lines()
    assert line.endswith("WARNING nats-server nats-server Slow Consumer")
    assert len(listener.kept) == 2


@pytest.mark.parametrize(("line", "told"), [
    ("[7] 2026/11/30 12:31:46.844385 [WRN]   Slow", ("warning", "nats-server", "nats-server", "Slow")),
    ("[7] 2026/11/30 12:31:46.844385 [FTL] Can't", ("critical", "nats-server", "nats-server", "Can't")),
    ("2026-11-30 10:00:00,123 INFO dayfly.runtimes.zygote a b", ("info", "zygote", "dayfly.runtimes.zygote", "a b")),
    ("2026-11-30 10:00:00,123 ERROR gw0.1 asyncio bug", ("error", "gw0.1", "asyncio", "bug")),
    ("Fatal Python error: Aborted", ("error", "zygote", "stderr", "Fatal Python error: Aborted")),
    ('{"a": 1}', ("error", "zygote", "stderr", '{"a": 1}')),
    ("{broken", ("error", "zygote", "stderr", "{broken")),
    ('{"at":"x","level":"info","process":"p","logger":"l","message":"m"}', ("info", "p", "l", "m")),
])  # fmt: skip
def test_every_form_becomes_the_same(line: str, told: tuple[str, ...]) -> None:
    process = "nats-server" if line.startswith("[") else "zygote"
    said = read_line(line, process, 0)
    assert tuple(said[name] for name in ("level", "process", "logger", "message")) == told


def test_a_call_is_told_of_in_a_line_of_text() -> None:
    said = read_line(f"2026-11-30 10:00:00,123 INFO queue dayfly.queue x call={CALL}", "queue", 0)
    assert said["call_id"] == CALL


def test_a_password_is_shown_and_not_kept() -> None:
    listener = in_json()
    assert json.loads(listener.scribe.aside("login admin / s3cret"))["message"] == "login admin / s3cret"
    assert (listener.kept, listener.lines()) == ([], [])


def test_what_the_parent_dies_of_is_one_line() -> None:
    listener = in_json()
    try:
        raise ValueError("broken")
    except ValueError as error:
        listener.scribe.last_words(ValueError, error, error.__traceback__)
    (line,) = listener.lines()
    assert json.loads(line)["level"] == "critical"
    assert json.loads(line)["message"].endswith("ValueError: broken")
