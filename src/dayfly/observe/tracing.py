"""Tracing: spans of calls and of flows' runs, sent on by OTLP over HTTP. Where it is not configured nothing is loaded.

Where calls are made nothing is done for it. Gateways note calls anyway; the control plane makes spans of the notes and
puts them on a bounded list, which a thread sends on, many at a time. What the receiver does not take in time is lost
and counted: tracing never slows a call, and never keeps the platform from stopping.
"""

import asyncio
import logging
import os
import queue
import threading
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Protocol

import msgspec

from dayfly import __version__
from dayfly.decide.call_spans import is_queued, spans_of
from dayfly.model.errors import ConfigError, DayflyError
from dayfly.model.invocation import Note
from dayfly.model.span import Span
from dayfly.model.table import Load

MAX_WAITING = 20_000
"""Spans that wait to be sent."""
MAX_SENT, LINGER_S, TIMEOUT_S = 512, 1.0, 10.0
_REMEMBERED = 10_000
_NOTES = msgspec.msgpack.Decoder(list[Note])
_log = logging.getLogger("dayfly.observe")
Accepted = Callable[[str], Awaitable[int]]
"""Returns when a queued call was accepted, in Unix milliseconds; 0 where nobody knows."""


class Export(Protocol):
    """Who sends spans on."""

    def send(self, spans: list[Span]) -> bool:
        """Return whether the receiver took them; blocks."""

    def close(self) -> None:
        """Let go of connections."""


class Tracing:
    """Spans on their way out. `start` and `stop` it on an event loop; `take` and `tell` never block and never raise."""

    def __init__(self, export: Export, accepted: Accepted) -> None:
        self.lost = 0
        """Spans that nobody took, a total."""
        self._export = export
        self._accepted = accepted
        self._waiting: queue.Queue[list[Span] | None] = queue.Queue()
        self._counting = threading.Lock()
        self._count = 0
        self._notes: asyncio.Queue[bytes] = asyncio.Queue()
        self._begun: OrderedDict[str, None] = OrderedDict()
        self._thread = threading.Thread(target=self._send_on, name="tracing", daemon=True)
        self._task: asyncio.Task[None] | None = None
        self._failing = False
        self._asking: set[asyncio.Task[None]] = set()

    def start(self) -> None:
        """Begin to send."""
        self._thread.start()
        self._task = asyncio.create_task(self._read())

    async def stop(self) -> None:
        """Send what waits, for a short while, and end. Idempotent."""
        task, self._task = self._task, None
        if task is None:
            return
        task.cancel()
        await asyncio.gather(task, *self._asking, return_exceptions=True)
        while not self._notes.empty():
            await self._of_notes(self._notes.get_nowait(), ask=False)
        self._waiting.put(None)
        await asyncio.to_thread(self._thread.join, TIMEOUT_S)

    def take(self, load: Load) -> None:
        """Take in what came of a gateway."""
        if load.records and self._notes.qsize() < MAX_WAITING // MAX_SENT:
            self._notes.put_nowait(load.records)

    def tell(self, spans: Iterable[Span]) -> None:
        """Have spans sent."""
        told = list(spans)
        with self._counting:
            has_room = self._count + len(told) <= MAX_WAITING
            self._count += len(told) * has_room
            self.lost += len(told) * (not has_room)
        if told and has_room:
            self._waiting.put(told)

    def tell_soon(self, spans: Awaitable[Iterable[Span]]) -> None:
        """Have spans sent that have to be asked for."""

        async def ask() -> None:
            try:
                self.tell(await spans)
            except DayflyError as error:
                _log.warning("a flow's run is not told of as spans reason=%s", error)

        task = asyncio.ensure_future(ask())
        self._asking.add(task)
        task.add_done_callback(self._asking.discard)

    async def _read(self) -> None:
        while True:
            await self._of_notes(await self._notes.get())

    async def _of_notes(self, message: bytes, *, ask: bool = True) -> None:
        try:
            notes = _NOTES.decode(message)
        except msgspec.MsgspecError as error:
            _log.error("records of calls that cannot be read reason=%s", error)
            return
        for note in notes:
            self.tell(spans_of(note, await self._accepted_ns(note) if ask else 0))

    async def _accepted_ns(self, note: Note) -> int:
        """Return when a queued call was accepted, at its first attempt that we hear of; else 0."""
        if not is_queued(note):
            return 0
        call_id = note.ident.partition(b"\r\n")[0].partition(b": ")[2].decode("ascii", "replace")
        if call_id in self._begun:
            return 0
        self._begun[call_id] = None
        if len(self._begun) > _REMEMBERED:
            self._begun.popitem(last=False)
        try:
            return await self._accepted(call_id) * 1_000_000
        except DayflyError:  # the queue is away, or has forgotten it: the attempt is told without it
            return 0

    def _send_on(self) -> None:
        ending = False
        while not ending:
            batch: list[Span] = []
            try:
                told = self._waiting.get()
                while told is not None:
                    batch += told
                    if len(batch) >= MAX_SENT:
                        break
                    told = self._waiting.get(timeout=LINGER_S)
                ending = told is None
            except queue.Empty:
                pass
            if batch:
                with self._counting:
                    self._count -= len(batch)
                self._send(batch)
        self._export.close()

    def _send(self, batch: list[Span]) -> None:
        taken = self._export.send(batch)
        if not taken:
            with self._counting:
                self.lost += len(batch)
        if taken is self._failing:
            level = logging.INFO if taken else logging.WARNING
            _log.log(level, "spans are taken again" if taken else "spans are not taken, and lost until they are")
        self._failing = not taken


class OtlpExport:
    """Sends spans to an OTLP receiver at `endpoint`, `http://HOST:4318`. Raises ConfigError without the extra."""

    def __init__(self, endpoint: str, instance: str) -> None:
        try:
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
            from opentelemetry.sdk.resources import Resource
            from opentelemetry.sdk.trace.export import SpanExportResult
            from opentelemetry.sdk.util.instrumentation import InstrumentationScope
        except ImportError as error:
            raise ConfigError(
                "DAYFLY_OTLP_ENDPOINT is set, but OpenTelemetry's exporter is not installed",
                hint="pip install 'dayfly[otel]', or unset it",
            ) from error
        self._exporter: Any = OTLPSpanExporter(endpoint=endpoint.rstrip("/") + "/v1/traces", timeout=TIMEOUT_S)
        self._taken = SpanExportResult.SUCCESS
        self._scope = InstrumentationScope("dayfly", __version__)
        name = os.environ.get("OTEL_SERVICE_NAME") or "dayfly"
        told = {"service.name": name, "service.version": __version__, "service.instance.id": instance}
        self._resource = Resource.create(told)

    def send(self, spans: list[Span]) -> bool:
        """Return whether the receiver took them; it is asked again for a short while."""
        return bool(self._exporter.export([self._read(span) for span in spans]) is self._taken)

    def close(self) -> None:
        """Let go of connections."""
        self._exporter.shutdown()

    def _read(self, span: Span) -> Any:
        from opentelemetry.sdk.trace import ReadableSpan
        from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags

        def context(digits: str) -> SpanContext:
            flags = TraceFlags(TraceFlags.SAMPLED)
            return SpanContext(int(span.trace, 16), int(digits, 16), is_remote=False, trace_flags=flags)

        return ReadableSpan(
            name=span.name,
            context=context(span.id),
            parent=context(span.parent) if span.parent else None,
            resource=self._resource,
            attributes=span.attributes | ({"error.type": span.error} if span.error else {}),
            kind=SpanKind[span.kind.upper()],
            instrumentation_scope=self._scope,
            status=Status(StatusCode.ERROR, span.error) if span.error else Status(StatusCode.UNSET),
            start_time=span.start_ns,
            end_time=span.end_ns,
        )
