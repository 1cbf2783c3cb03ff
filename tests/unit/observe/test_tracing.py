"""Spans on their way to a real receiver: as they were told, in bounds, and never in anybody's way."""

import asyncio
import builtins
import sys
from collections.abc import Iterable
from typing import Any

import msgspec
import pytest
from tests.otlp import receiver

from dayfly.model.errors import ConfigError, Unavailable
from dayfly.model.invocation import Note, Origin
from dayfly.model.span import Span
from dayfly.model.table import Endpoint, Load
from dayfly.observe import tracing
from dayfly.observe.tracing import OtlpExport, Tracing

CALL = "5e0f3c1a-7d52-4b8e-9a3f-0123456789ab"
SPAN = Span(
    name="run", trace="4bf92f3577b34da6a3ce929d0e0e4736", id="00f067aa0ba902b7", parent="00f067aa0ba902b8",
    kind="client", start_ns=10, end_ns=30, attributes={"faas.name": "hello", "n": 3, "cold": True, "s": 0.5},
    error="timeout",
)  # fmt: skip


def note(trigger: str = "http") -> Note:
    ident = f"X-Call-Id: {CALL}\r\ntraceparent: 00-{CALL.replace('-', '')}-00f067aa0ba902b7-01\r\n".encode()
    origin = Origin(b"GET", b"/", trigger, b"")
    return Note(
        ident, b"X-Start-Time: 5000000\r\n", "hello.team", Endpoint("r", "unix:r", 1), origin, "", 0.0, False, 0.1, 200,
        0, 0, "",
    )  # fmt: skip


def load(*notes: Note) -> Load:
    return Load((), records=msgspec.msgpack.encode(list(notes)))


class Kept:
    """Keeps what it is given, or does not take it."""

    def __init__(self, *, takes: bool = True) -> None:
        self.takes = takes
        self.spans: list[Span] = []
        self.closed = False

    def send(self, spans: list[Span]) -> bool:
        self.spans += spans if self.takes else []
        return self.takes

    def close(self) -> None:
        self.closed = True


async def known(_call_id: str) -> int:
    return 2


def test_spans_reach_a_receiver_as_they_were_told() -> None:
    with receiver() as found:
        export = OtlpExport(found.endpoint + "/", "instance-1")
        assert export.send([SPAN, msgspec.structs.replace(SPAN, parent="", error="", kind="internal")])
        export.close()
    first, second = found.spans
    assert (first.name, first.trace, first.id, first.parent) == ("run", SPAN.trace, SPAN.id, SPAN.parent)
    assert (first.start_ns, first.end_ns, first.kind, first.error) == (10, 30, 3, "timeout")
    assert first.attributes == {"faas.name": "hello", "n": 3, "cold": True, "s": 0.5, "error.type": "timeout"}
    assert (second.parent, second.error, second.kind, second.service) == ("", "", 1, "dayfly")


def test_calls_become_spans_and_what_waits_is_sent_at_the_end() -> None:
    kept, asked = Kept(), []

    async def accepted(call_id: str) -> int:
        asked.append(call_id)
        return 2

    async def main() -> None:
        told = Tracing(kept, accepted)
        told.start()
        told.take(load(note(), note("queue")))
        told.take(load(note("queue")))
        told.take(load())
        told.take(Load((), records=b"no notes"))

        async def later() -> Iterable[Span]:
            return [SPAN]

        told.tell_soon(later())
        await told.stop()
        await told.stop()

    asyncio.run(main())
    assert kept.closed
    names = sorted(each.name for each in kept.spans)
    assert names.count("gateway") == 3
    assert names.count("run") == 4
    assert len(asked) <= 1, "the queue is asked once for a call"


def test_a_queued_call_s_acceptance_is_asked_for_and_may_be_unknown() -> None:
    async def named(accepted: tracing.Accepted) -> set[str]:
        kept = Kept()
        told = Tracing(kept, accepted)
        await told._of_notes(load(note("queue")).records)
        told.start()
        await told.stop()
        return {each.name for each in kept.spans}

    async def away(_call_id: str) -> int:
        raise Unavailable("the queue is away")

    assert asyncio.run(named(known)) == {"queue", "gateway", "run"}
    assert asyncio.run(named(away)) == {"gateway", "run"}


def test_what_nobody_takes_is_lost_and_counted(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(tracing, "MAX_WAITING", 10)

    async def main() -> Tracing:
        told = Tracing(Kept(takes=False), known)
        told.tell([SPAN] * 8)
        told.tell([SPAN] * 8)
        assert told.lost == 8, "there is no room for them"
        told.start()
        await told.stop()
        return told

    told = asyncio.run(main())
    assert told.lost == 16
    assert [each.getMessage() for each in caplog.records].count("spans are not taken, and lost until they are") == 1


def test_a_receiver_that_refuses_loses_spans_and_nothing_else() -> None:
    with receiver() as found:
        found.status = 400
        export = OtlpExport(found.endpoint, "instance-1")
        assert not export.send([SPAN])
        found.status = 200
        assert export.send([SPAN])
        export.close()
    assert len(found.spans) == 1


def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def missing(name: str, *rest: Any, **more: Any) -> Any:
        if name.startswith("opentelemetry"):
            raise ImportError(name)
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(ConfigError) as refused:
        OtlpExport("http://127.0.0.1:4318", "i")
    assert "dayfly[otel]" in (refused.value.hint or "")


def test_nothing_of_opentelemetry_is_loaded_where_it_is_not_used() -> None:
    import subprocess

    script = (
        "import sys, dayfly.server.control_process;"
        "print([n for n in sys.modules if n.startswith(('opentelemetry', 'google.protobuf'))])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
