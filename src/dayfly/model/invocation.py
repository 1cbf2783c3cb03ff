"""Invocations: what is kept of every call of a function, after it is over.

A gateway notes a call in the bytes that it has at hand (`Note`), which costs a fraction of a microsecond and is sent on
many at a time. What people and programs read is the `Invocation` made of it, where nobody waits.
"""

import msgspec

from dayfly.model.errors import InvalidSpec
from dayfly.model.payload import TakenPayload
from dayfly.model.quantities import parse_duration, parse_memory
from dayfly.model.table import Endpoint

ORIGIN_PATH = 512
"""Bytes of a path that are kept."""
IDENT_BYTES = 320
"""Bytes of the lines with a call's id and trace that are kept; what is longer is a caller's tracestate."""


class Origin(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Where a call comes from: what follows from its head alone."""

    method: bytes
    path: bytes
    """As the function gets it, without its query."""
    trigger: str
    address: bytes
    caller: str = ""
    """Who calls, where a gateway has asked before this one."""


class Note(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A call as a gateway notes it. Times are seconds."""

    ident: bytes
    """The header lines that carry its id and its trace."""
    start: bytes
    """The header line that says when it came, in Unix nanoseconds."""
    function: str
    """`name.namespace`."""
    endpoint: Endpoint | None
    """The replica that got it."""
    origin: Origin
    caller: str
    wait_s: float
    cold: bool
    """Whether it was a replica's start that it waited for."""
    run_s: float
    status: int
    received: int
    sent: int
    error: str
    cpu_s: float = -1.0
    """Negative where nobody can tell."""
    memory_bytes: int = 0
    payload: TakenPayload | None = None


class Invocation(msgspec.Struct, frozen=True, kw_only=True):
    """A call that is over."""

    number: int = 0
    """Grows with every call that is kept: the place to go on reading from."""
    id: str
    function: str
    """Its name without the namespace."""
    namespace: str
    revision: int = 0
    """0 where no replica got the call."""
    replica: str = ""
    caller: str = ""
    """Who called, as a gate of the route knows it, with the gate's kind: `key:NAME`, `jwt:SUBJECT`, `basic:USER`; empty
    for anybody."""
    address: str = ""
    """Where the caller was, as the gateway saw it."""
    trigger: str
    """`http`, `route NAME`, `queue`, `cron` …"""
    method: str
    path: str
    """As the function got it, without its query."""
    started_unix_ms: int
    wait_ms: float = 0.0
    """How long the gateway held the call while all replicas were busy."""
    init_ms: float = 0.0
    """How long it waited for a replica to start."""
    run_ms: float = 0.0
    """From the first byte to the replica to the answer's end."""
    cold: bool = False
    cpu_ms: float | None = None
    """Processor time, where the runtime can tell."""
    memory_bytes: int | None = None
    """The most memory that the call's process had, where the runtime can tell."""
    status: int
    """What the caller was told; 499 for one who went away."""
    request_bytes: int = 0
    response_bytes: int = 0
    error: str = ""
    """Why the call failed: the code of a refusal or of the replica's end (`timeout`, `function_out_of_memory`), else
    `function_error`, `client_gone`, `answer_broken`; empty for a call that did not."""
    trace: str = ""

    @property
    def total_ms(self) -> float:
        """How long the caller waited."""
        return self.wait_ms + self.init_ms + self.run_ms


class RecordQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which of a namespace's calls are wanted, the newest first."""

    namespace: str
    function: str = ""
    failed: bool = False
    since_unix_ms: int = 0
    until_unix_ms: int | None = None
    """Only those that started before; None for up to now."""
    slow_ms: float = 0.0
    """Only those that took as long or longer."""
    status_from: int = 0
    status_to: int = 999
    trigger: str = ""
    limit: int = 100
    before: int = 0
    """Only those with lower numbers; 0 for all."""
    after: int = 0


class RecordLimits(msgspec.Struct, frozen=True, kw_only=True):
    """How many calls are recorded, and how long they are kept."""

    per_second: int = 500
    """Records of one function in a second, and in each gateway; as many again of calls that failed. 0: none."""
    keep_s: float = 7 * 86_400.0
    size_bytes: int = 512 * 2**20
    """What the records may take on the disk together."""
    payload_bytes: int = 65_536
    """Of a request's body and of an answer's, what is kept at most where a function has its payloads kept. 0: none."""
    payloads_bytes: int = 256 * 2**20
    """What payloads may take together."""


_LIMITS = ("keep", "size", "per_second", "payload_bytes", "payloads")
_LEAST_BYTES = 2**20
_MOST_PAYLOAD_BYTES = 2**20


def record_limits(text: str) -> RecordLimits:
    """Return the limits that somebody wrote, or `off`. Raises InvalidSpec.

    As `keep=168h,size=512Mi,per_second=500,payload_bytes=64Ki`.
    """
    if text.lower() == "off":
        return RecordLimits(per_second=0)
    pairs = (each.partition("=") for each in text.split(",") if each)
    given = {name.strip(): value.strip() for name, _, value in pairs}
    unknown = sorted(set(given) - set(_LIMITS))
    if unknown:
        raise InvalidSpec(f"{unknown[0][:40]!r} is not one of {', '.join(_LIMITS)}, each with its value, or off")
    limits = RecordLimits()
    text = given.get("per_second", str(limits.per_second))
    if not (text.isascii() and text.isdigit() and len(text) < 7):
        raise InvalidSpec(f"per_second: {text[:40]!r} is not a whole number below a million")
    limits = RecordLimits(
        per_second=int(text),
        keep_s=parse_duration(given["keep"]) if "keep" in given else limits.keep_s,
        size_bytes=parse_memory(given["size"]) if "size" in given else limits.size_bytes,
        payload_bytes=_payload_bytes(given.get("payload_bytes", str(limits.payload_bytes))),
        payloads_bytes=parse_memory(given["payloads"]) if "payloads" in given else limits.payloads_bytes,
    )
    if limits.size_bytes < _LEAST_BYTES or not limits.keep_s:
        raise InvalidSpec("size is 1Mi or more, and keep more than nothing")
    return limits


def _payload_bytes(text: str) -> int:
    size = 0 if text == "0" else parse_memory(text)
    if size > _MOST_PAYLOAD_BYTES:
        raise InvalidSpec(f"payload_bytes: {text[:40]!r} is more than 1Mi")
    return size


def invocation_of(note: Note) -> Invocation:
    """Return what a note says."""
    lines = note.ident.split(b"\r\n")
    name, _, namespace = note.function.rpartition(".")
    waited, origin, endpoint = note.wait_s * 1000, note.origin, note.endpoint
    return Invocation(
        id=_text(lines[0].partition(b": ")[2]),
        function=name,
        namespace=namespace,
        revision=endpoint.revision if endpoint is not None else 0,
        replica=endpoint.replica if endpoint is not None else "",
        caller=note.caller,
        address=_text(origin.address),
        trigger=origin.trigger,
        method=_text(origin.method),
        path=_text(origin.path),
        started_unix_ms=int(note.start.partition(b"\r\n")[0].partition(b": ")[2]) // 1_000_000,
        wait_ms=0.0 if note.cold else waited,
        init_ms=waited if note.cold else 0.0,
        run_ms=note.run_s * 1000,
        cold=note.cold,
        cpu_ms=note.cpu_s * 1000 if note.cpu_s >= 0 else None,
        memory_bytes=note.memory_bytes or None,
        status=note.status,
        request_bytes=note.received,
        response_bytes=note.sent,
        error=note.error,
        trace=_trace(lines),
    )


def _trace(lines: list[bytes]) -> str:
    for line in lines[1:]:
        if line[:12].lower() == b"traceparent:":
            parts = line.split(b"-")
            return _text(parts[1]) if len(parts) == 4 else ""
    return ""


def _text(data: bytes) -> str:
    return data.decode("ascii", "replace")
