"""A call's spans, made of what a gateway noted of it: nothing is done for them where calls are made.

| span | from, to |
|---|---|
| `queue` | accepted for later, taken up |
| `gateway` | came to the gateway, answered; what its function makes is below it |
| `hold` | waited for a replica that was busy |
| `start` | waited for a replica's start |
| `run` | was with the replica |

A call that came without a trace has the one that the gateway gave it, whose root this is. One that came with a trace is
a part of that, below whoever made it, who also decides whether any of it is told.
"""

from typing import NamedTuple

from dayfly.model.invocation import Note, invocation_of
from dayfly.model.span import Span, SpanKind, Value, span_id

_SHORT_NS = 100_000
"""What waits for less than this has not been held."""
_PREFIX = b"traceparent: 00-"
_QUEUED, _QUEUED_FOR = ("queue", "cron"), ("trigger ", "flow ")


class Parent(NamedTuple):
    """What a traceparent says."""

    trace: str
    span: str
    sampled: bool


def parent_of(ident: bytes) -> Parent | None:
    """Return what the lines of a call's id and trace say; None where there is no trace in them."""
    for line in ident.split(b"\r\n"):
        if line[: len(_PREFIX)].lower() == _PREFIX and len(line) >= len(_PREFIX) + 52:
            text = line[len(_PREFIX) :].decode("ascii", "replace")
            return Parent(text[:32], text[33:49], sampled=bool(int(text[50:52], 16) & 1))
    return None


def spans_of(note: Note, accepted_ns: int = 0) -> list[Span]:
    """Return a call's spans, its parts first; none where its trace is not to be told, or cannot be read.

    `accepted_ns` says when a queued call was accepted, where this was its first attempt; 0 for others.
    """
    parent = parent_of(note.ident)
    if parent is None or not parent.sampled:
        return []
    call = invocation_of(note)
    start_ns = int(note.start.partition(b"\r\n")[0].partition(b": ")[2])
    seated_ns = start_ns + round(note.wait_s * 1e9)
    end_ns = seated_ns + round(note.run_s * 1e9)
    is_ours = parent.trace == call.id.replace("-", "")
    above = "" if is_ours else parent.span
    found: list[Span] = []
    told: dict[str, Value] = {
        "faas.name": call.function, "dayfly.namespace": call.namespace, "dayfly.call_id": call.id,
    }  # fmt: skip

    def part(name: str, own: str, over: str, begin_ns: int, until_ns: int, kind: SpanKind = "internal",
             error: str = "", **attributes: Value) -> None:  # fmt: skip
        found.append(
            Span(
                name=name,
                trace=parent.trace,
                id=own,
                parent=over,
                kind=kind,
                start_ns=begin_ns,
                end_ns=max(begin_ns, until_ns),
                error=error,
                attributes=told | {key.replace("__", "."): value for key, value in attributes.items()},
            )
        )

    def below(name: str) -> str:
        return span_id(parent.trace, call.id, name, str(start_ns))

    own = below("gateway")
    if is_queued(note):
        queue = parent.span if is_ours else span_id(parent.trace, call.id, "queue")
        if accepted_ns:
            part("queue", queue, above, accepted_ns, start_ns, "consumer")
        above = queue
    elif is_ours:
        own = parent.span
    if note.wait_s * 1e9 >= _SHORT_NS:
        part("start" if call.cold else "hold", below("wait"), own, start_ns, seated_ns)
    if note.endpoint is not None:
        part("run", below("run"), own, seated_ns, end_ns, "client", call.error,
             dayfly__revision=call.revision, dayfly__replica=call.replica)  # fmt: skip
    part(
        "gateway", own, above, start_ns, end_ns, "server", call.error, faas__coldstart=call.cold,
        faas__trigger=call.trigger, http__request__method=call.method, url__path=call.path,
        http__response__status_code=call.status, http__request__body__size=call.request_bytes,
        http__response__body__size=call.response_bytes,
    )  # fmt: skip
    return found


def is_queued(note: Note) -> bool:
    """Whether a queue has made the call, which knows when it was accepted."""
    return note.origin.trigger in _QUEUED or note.origin.trigger.startswith(_QUEUED_FOR)
