"""Logs as OpenFaaS's clients read them: JSON documents, one a line."""

import datetime
import json
import re
from urllib.parse import quote

import pytest
from tests.compat_openfaas import golike
from tests.compat_openfaas.wire import Wire
from tests.system.driver import eventually

STAMP = re.compile(r"^[0-9/: ]+")
"""What the certifier takes off a line before it looks at it: a date and a time."""


def texts(wire: Wire, name: str, query: str = "") -> list[str]:
    """Return what the log of a function says; the answer has to end by itself."""
    answer = wire.send("GET", f"/system/logs?name={name}&follow=false{query}")
    assert answer.status == 200, answer.text
    lines = [golike.decode(line, golike.LOG_LINE) for line in answer.body.splitlines()]
    assert {line["name"] for line in lines} <= {name.partition(".")[0]}  # type: ignore[index] # a struct, by the check
    return [line["text"] for line in lines]  # type: ignore[index] # as above


def has(lines: list[str], start: str) -> bool:
    """Whether a line starts with this, a date and a time left aside."""
    return any(STAMP.sub("", line).startswith(start) for line in lines)


def test_a_forked_program_leaves_its_two_lines(wire: Wire) -> None:
    """Behaviour 39: all lines are the function's, and say that a program was started and what it wrote."""
    wire.deploy("forked")
    wire.call("forked", b"openfaas-fn")
    eventually("both lines", lambda: has(texts(wire, "forked"), "Wrote 11 Bytes"))
    assert has(texts(wire, "forked"), "Forking fprocess")
    assert texts(wire, "forked.openfaas-fn") == texts(wire, "forked", "&namespace=openfaas-fn") == texts(wire, "forked")


def test_what_comes_is_sent_as_it_comes(wire: Wire) -> None:
    """Behaviour 40: `follow` sends lines that were written after it was asked for."""
    wire.deploy("followed")
    for truth in ("true", "1"):
        with wire.asked("GET", f"/system/logs?name=followed&follow={truth}&tail=-1") as answer:
            assert answer.status == 200
            wire.call("followed", truth.encode())
            wanted = f"Wrote {len(truth)} Bytes"
            while not json.loads(answer.readline())["text"].startswith(wanted):
                pass


def test_lines_can_be_chosen(wire: Wire) -> None:
    """Behaviour 40: the newest, those since a time, those of one replica; `tail` below one is all."""
    wire.deploy("chosen")
    for count in (1, 2, 3):
        wire.call("chosen", b"x" * count)
    eventually("all are there", lambda: len(texts(wire, "chosen")) == 6)
    everything = texts(wire, "chosen")
    assert texts(wire, "chosen", "&tail=2") == everything[-2:]
    assert texts(wire, "chosen", "&tail=-1") == texts(wire, "chosen", "&tail=0") == everything
    now = datetime.datetime.now(datetime.UTC)
    hour = datetime.timedelta(hours=1)
    for before in ((now - hour).isoformat(), (now - hour).isoformat(timespec="seconds").replace("+00:00", "Z")):
        assert texts(wire, "chosen", f"&since={quote(before)}") == everything
    assert texts(wire, "chosen", f"&since={quote((now + hour).isoformat())}") == []
    answer = wire.send("GET", "/system/logs?name=chosen")
    (replica,) = {json.loads(line)["instance"] for line in answer.body.splitlines()}
    assert texts(wire, "chosen", f"&instance={replica}") == everything
    assert texts(wire, "chosen", f"&instance={'0' * len(replica)}") == []


def test_of_a_repeated_parameter_the_last_counts(wire: Wire) -> None:
    """Behaviour 40: as Go's decoder has it."""
    wire.deploy("repeated")
    wire.call("repeated")
    eventually("both are there", lambda: len(texts(wire, "repeated")) == 2)
    assert len(texts(wire, "repeated", "&tail=2&tail=1")) == 1


@pytest.mark.parametrize("query", ["since=yesterday", "since=10m", "tail=some", "follow=perhaps", "since=2026-11-29"])
def test_what_does_not_parse_is_422(wire: Wire, query: str) -> None:
    """Behaviour 40: a text that is no time, number or truth is told, and no log is sent."""
    wire.deploy("unasked")
    answer = wire.send("GET", f"/system/logs?name=unasked&{query}")
    assert answer.status == 422
    assert answer.text.startswith(query.partition("=")[0])


def test_nobody_has_no_log(wire: Wire) -> None:
    """Behaviour 40: 404 for what is not there, 400 for what has no name."""
    assert wire.send("GET", "/system/logs?name=nobody").status == 404
    assert wire.send("GET", "/system/logs").status == 400
