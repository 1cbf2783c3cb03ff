"""The client's own book: what was sent, and what came back, on the disk before anybody relies on it.

A ledger is a file of JSON lines. Whoever writes an entry goes on at once; a thread writes and flushes (fdatasync) all
that has gathered, so that a thousand entries a second cost a hundred flushes. `settle` waits for the flush: a change of
the platform is sent only after its intent is on the disk. Times are those of the machine's monotonic clock, in seconds,
which all processes share and no clock jump touches.
"""

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec

GATHER_S = 0.01
"""How long entries gather before they are written and flushed together."""


class Sent(msgspec.Struct, frozen=True, tag="sent"):
    """A call is about to be sent."""

    id: str
    function: str
    at_s: float
    connection: int
    """The number of the client's connection, unique within its ledger."""
    fresh: bool
    """Whether the connection was made for this call."""


class Answered(msgspec.Struct, frozen=True, tag="answered"):
    """What came of a call. `reason` is `ok`, `STATUS CODE` of a problem, or what happened to the connection."""

    id: str
    at_s: float
    reason: str
    status: int = 0
    revision: int = 0
    replica: str = ""
    retry_after: bool = False
    detail: str = ""
    nbytes: int = 0


class Asked(msgspec.Struct, frozen=True, tag="asked"):
    """A change of the platform is about to be asked for: deploy, scale or remove."""

    id: int
    verb: str
    function: str
    at_s: float
    value: str = ""
    """What a deployment sets `VERSION` to, or the number of replicas."""


class Acknowledged(msgspec.Struct, frozen=True, tag="acknowledged"):
    """The platform said that the change is done; `revision` for a deployment."""

    id: int
    at_s: float
    revision: int = 0


class Refused(msgspec.Struct, frozen=True, tag="refused"):
    """The platform, or the lack of it, said no; the change may have happened all the same unless `certain`."""

    id: int
    at_s: float
    why: str
    certain: bool = False


Entry = Sent | Answered | Asked | Acknowledged | Refused
_ENCODER = msgspec.json.Encoder()
_DECODER: msgspec.json.Decoder[Entry] = msgspec.json.Decoder(Entry)


class Ledger:
    """A ledger being written. Entries may come from any thread."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._waiting: list[bytes] = []
        self._noted = 0
        self._flushed = 0
        self._closed = False
        self._condition = threading.Condition()
        self._thread = threading.Thread(target=self._write, name="ledger")
        self._thread.start()

    def note(self, entry: Entry) -> None:
        """Write the entry soon; returns at once."""
        with self._condition:
            self._waiting.append(_ENCODER.encode(entry) + b"\n")
            self._noted += 1
            self._condition.notify_all()

    def settle(self) -> None:
        """Return once all that was noted is on the disk."""
        with self._condition:
            noted = self._noted
            while self._flushed < noted:
                self._condition.wait()

    def close(self) -> None:
        """Write what is left and close. Idempotent."""
        with self._condition:
            self._closed = True
            self._condition.notify_all()
        self._thread.join()

    def _write(self) -> None:
        while True:
            with self._condition:
                while not self._waiting and not self._closed:
                    self._condition.wait()
                if not self._waiting:
                    os.close(self._fd)
                    return
            time.sleep(0 if self._closed else GATHER_S)
            with self._condition:
                entries, self._waiting = self._waiting, []
            data = b"".join(entries)
            while data:
                data = data[os.write(self._fd, data) :]
            os.fdatasync(self._fd)
            with self._condition:
                self._flushed += len(entries)
                self._condition.notify_all()


def read(path: Path) -> Iterator[Entry]:
    """Yield the entries on the disk; a last line that is still being written is left out."""
    if not path.exists():
        return
    with path.open("rb") as file:
        for line in file:
            if line.endswith(b"\n"):
                yield _DECODER.decode(line)


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """A call from its sending to its end, put together from the two entries."""

    id: str
    function: str
    sent_s: float
    ended_s: float
    reason: str
    connection: int
    fresh: bool
    status: int = 0
    revision: int = 0
    replica: str = ""
    retry_after: bool = False
    detail: str = ""
    nbytes: int = 0

    @property
    def ok(self) -> bool:
        """Whether the right answer came."""
        return self.reason == "ok"

    @property
    def took_s(self) -> float:
        """Seconds from the sending to the end."""
        return self.ended_s - self.sent_s


NEVER = "never ended"
"""The reason of a call whose end is not in the ledger."""


def calls_in(*paths: Path) -> list[Call]:
    """Return the calls of these ledgers in the order of their sending."""
    calls: list[Call] = []
    for path in paths:
        entries = list(read(path))
        answers = {entry.id: entry for entry in entries if isinstance(entry, Answered)}
        calls += [join(entry, answers.get(entry.id)) for entry in entries if isinstance(entry, Sent)]
    return sorted(calls, key=lambda call: call.sent_s)


def join(sent: Sent, answered: Answered | None) -> Call:
    """Return the call that the two entries tell of; without an answer it never ended."""
    if answered is None:
        answered = Answered(sent.id, float("inf"), NEVER)
    return Call(
        id=sent.id,
        function=sent.function,
        sent_s=sent.at_s,
        ended_s=answered.at_s,
        reason=answered.reason,
        connection=sent.connection,
        fresh=sent.fresh,
        status=answered.status,
        revision=answered.revision,
        replica=answered.replica,
        retry_after=answered.retry_after,
        detail=answered.detail,
        nbytes=answered.nbytes,
    )
