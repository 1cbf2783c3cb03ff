"""The ledger: every call in the queue as this process knows it, the figures, and who waits for news of which call."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Iterable, Iterator

import msgspec

from dayfly.model.queued import CallStatus, QueueFigures, Result, Standing
from dayfly.queue.port import Kept

ANY = ""
"""Instead of a call's id, for news of any call's end."""
_CALL_BYTES = 512
"""What a call takes beside its request."""


class News:
    """Word of a call since somebody began to listen; what comes while they look elsewhere is had when they wait."""

    def __init__(self) -> None:
        self._has_come = asyncio.Event()

    def tell(self) -> None:
        """Let it come."""
        self._has_come.set()

    async def come(self, wait_s: float) -> None:
        """Return once there is any that was not had before, or after `wait_s`."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                await self._has_come.wait()
        self._has_come.clear()


class Ledger:
    """Calls by id. `size_bytes` is what they take in the store, roughly."""

    def __init__(self) -> None:
        self.size_bytes = 0
        self._kept: dict[str, Kept] = {}
        self._counts: dict[str, Counter[str]] = {}
        """By function: how many calls are in which state."""
        self._submitted: Counter[str] = Counter()
        self._processed: dict[str, Counter[str]] = {}
        self._expired: Counter[str] = Counter()
        self._callbacks_failed: Counter[str] = Counter()
        self._bytes: Counter[str] = Counter()
        self._listening: dict[str, set[News]] = {}

    def __len__(self) -> int:
        """How many calls there are."""
        return len(self._kept)

    def __iter__(self) -> Iterator[Kept]:
        """Every call, in the order they came."""
        return iter(list(self._kept.values()))

    def get(self, call_id: str) -> Kept | None:
        """Return a call as it is known here."""
        return self._kept.get(call_id)

    def of(self, function: str) -> int:
        """Return how many calls of a function there are, the dead ones among them."""
        counts = self._counts.get(function)
        return counts.total() if counts else 0

    def bytes_of(self, function: str) -> int:
        """Return what a function's calls take of `size_bytes`."""
        return self._bytes[function]

    def accepted(self, kept: Kept) -> None:
        """Take in a call that was just accepted."""
        self._submitted[kept.call.function] += 1
        self.put(kept)

    def put(self, kept: Kept) -> None:
        """Take in a call, or where it stands now."""
        before = self._kept.get(kept.call.id)
        counts = self._counts.setdefault(kept.call.function, Counter())
        if before is None:
            self._weigh(kept, 1)
        else:
            counts[before.standing.state] -= 1
        counts[kept.standing.state] += 1
        self._kept[kept.call.id] = kept
        if kept.standing.phase == "dead" and (before is None or before.standing.phase != "dead"):
            self._count(kept.call.function, "dead", before is not None)
        self._tell(kept.call.id)

    def drop(self, call_id: str, verdict: str = "") -> None:
        """Let go of a call; `verdict` is what it came to, if it was not known before. Idempotent."""
        kept = self._kept.pop(call_id, None)
        if kept is None:
            return
        self._weigh(kept, -1)
        function = kept.call.function
        counts = self._counts[function]
        counts[kept.standing.state] -= 1
        if not counts.total():
            del self._counts[function]
        self._count(function, verdict, bool(verdict))
        self._tell(call_id)

    def expired(self, function: str) -> None:
        """Count a dead letter that nobody came for."""
        self._expired[function] += 1

    def callback_failed(self, function: str) -> None:
        """Count a callback that failed for good."""
        self._callbacks_failed[function] += 1

    def figures(self) -> list[QueueFigures]:
        """Return the figures of every function that has any."""
        names = sorted({*self._counts, *self._submitted, *self._processed, *self._expired, *self._callbacks_failed})
        return [self._figures(name) for name in names]

    def result_kept(self) -> None:
        """Tell those who wait for any call's end."""
        self._tell(ANY)

    @contextlib.contextmanager
    def listening(self, call_id: str) -> Iterator[News]:
        """Hear of a call. Listen first and look then: a look may take long, and what changes meanwhile is heard."""
        news = News()
        listeners = self._listening.setdefault(call_id, set())
        listeners.add(news)
        try:
            yield news
        finally:
            listeners.discard(news)
            if not listeners:
                del self._listening[call_id]

    def _figures(self, name: str) -> QueueFigures:
        counts = self._counts.get(name, Counter())
        return QueueFigures(
            function=name,
            pending=counts["queued"] + counts["retrying"],
            inflight=counts["running"] + counts["answering"],
            dead=counts["dead"],
            submitted=self._submitted[name],
            processed=dict(self._processed.get(name, {})),
            expired=self._expired[name],
            callbacks_failed=self._callbacks_failed[name],
        )

    def _weigh(self, kept: Kept, sign: int) -> None:
        size_bytes = sign * (kept.call.size_bytes + _CALL_BYTES)
        self.size_bytes += size_bytes
        self._bytes[kept.call.function] += size_bytes
        if not self._bytes[kept.call.function]:
            del self._bytes[kept.call.function]

    def _count(self, function: str, verdict: str, is_new: bool) -> None:
        if is_new:
            self._processed.setdefault(function, Counter())[verdict] += 1

    def _tell(self, call_id: str) -> None:
        for news in self._listening.get(call_id, ()):
            news.tell()


def status_of(kept: Kept, result: Result | None = None) -> CallStatus:
    """Return what a caller is told of a call in the queue, with the last answer if there was one."""
    call, standing = kept.call, kept.standing
    status = CallStatus(
        id=call.id,
        function=call.function,
        namespace=call.namespace,
        state=standing.state,
        attempts=standing.attempts,
        accepted_unix_ms=call.accepted_unix_ms,
        due_unix_ms=max(standing.due_unix_ms, call.due_unix_ms),
        status=standing.status,
        reason=standing.reason,
    )
    return status if result is None or not _has_run(standing) else _with(status, result)


def status_of_result(result: Result) -> CallStatus:
    """Return what a caller is told of a call that is over."""
    status = CallStatus(
        id=result.id,
        function=result.function,
        namespace=result.function.rpartition(".")[2],
        state=result.state,
        attempts=result.attempts,
        accepted_unix_ms=result.accepted_unix_ms,
        status=result.status,
        reason=result.reason,
    )
    return _with(status, result)


def _has_run(standing: Standing) -> bool:
    return standing.phase in ("answering", "dead")


def _with(status: CallStatus, result: Result) -> CallStatus:
    return msgspec.structs.replace(
        status,
        finished_unix_ms=result.finished_unix_ms,
        seconds=result.seconds,
        headers=tuple(headers_of(result.lines)),
        body=result.body,
        dropped_bytes=result.dropped_bytes,
    )


def headers_of(lines: bytes) -> Iterable[tuple[str, str]]:
    """Yield header lines as names in lower case and values."""
    for line in lines.split(b"\r\n"):
        name, colon, value = line.partition(b":")
        if colon:
            yield name.decode("latin-1").lower(), value.strip().decode("latin-1")
