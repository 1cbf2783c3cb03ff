"""Journals on JetStream: notes that outlive the control plane that writes them. The port is told in `storage.journal`.

| stream | subject | holds |
|---|---|---|
| flows, spending, audit, cursors | `dayfly.STREAM.NAME` | a note: its head as a header, its body as the payload |
| | `dayfly.STREAM.NAME.part.WORD.AT` | a piece of a body that is too long for one message |
| | `dayfly.STREAM.owner` | who has taken over last, and the layout of what they write |

Who does not own it any more is refused by the server itself: each note says which message of `owner` is to be the
last, or which one of its own subject. Whoever takes over says so behind the owner before, so that of two who do it at
once, or of one who does it while the one before still writes, the servers agree on an order.
"""

import asyncio
import base64
import contextlib
import json
import re
import secrets
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import NamedTuple

from nats.js import JetStreamContext
from nats.js.api import DiscardPolicy, StreamConfig
from nats.js.errors import NotFoundError

from dayfly.model.errors import StoreUnavailable, Unavailable
from dayfly.queue.connection import Connection
from dayfly.queue.journal_reading import last_heads, messages
from dayfly.queue.port import Outrun
from dayfly.queue.room import Room
from dayfly.queue.wire import Wire

FLOWS, SPENDING, AUDIT, CURSORS = "flows", "spending", "audit", "cursors"
STREAMS = {FLOWS: -1, SPENDING: 1, AUDIT: -1, CURSORS: -1}
"""How many notes of one name each stream keeps; -1 is all."""
PART_BYTES = 8 * 2**20
"""Longer bodies are kept in pieces: the server takes messages of 16 MiB, and short ones rather."""
_HEAD, _PARTS = "Dayfly-Head", "Dayfly-Parts"
_OWNER = "owner"
_NAME = re.compile(r"[\w-]+(\.[\w-]+)*", re.ASCII)
_DUPLICATES_S = 60.0
_ATTEMPTS = 20


class Note(NamedTuple):
    """What was written."""

    number: int
    head: bytes
    body: bytes


class _Owner(NamedTuple):
    number: int
    layout: int
    word: str


class Journals:
    """The journals of a control plane. `run` must be running for anything else to come to an end."""

    def __init__(self, access_file: Path) -> None:
        self.connection = Connection(access_file, _make_streams)
        wire = Wire(self.connection, Room(lambda: self.connection.access))
        self.flows = JetStreamJournal(wire, FLOWS)
        self.spending = JetStreamJournal(wire, SPENDING)
        self.audit = JetStreamJournal(wire, AUDIT)
        self.cursors = JetStreamJournal(wire, CURSORS)

    async def answer(self) -> bool:
        """Return True when all of them can be read. Raises StoreUnavailable."""
        for journal in (self.flows, self.spending, self.audit, self.cursors):
            await journal.last(_OWNER)
        return True

    async def run(self) -> None:
        """Keep connected until cancelled."""
        await self.connection.run()


class JetStreamJournal:
    """The notes of one stream."""

    def __init__(self, wire: Wire, stream: str) -> None:
        self._wire = wire
        self._stream = stream
        self._word = secrets.token_hex(8)
        self._claim, self._mark = 0, b""
        self._in_doubt = False
        self._turn = asyncio.Lock()

    async def take_over(self, layout: int) -> None:
        """Be the one that owns it."""
        for _ in range(_ATTEMPTS):
            before = await self._owner()
            if before.layout > layout:
                raise StoreUnavailable(
                    f"{self._stream} in the queue's store were written by a newer Dayfly (layout {before.layout}, this"
                    f" one knows {layout})",
                    hint="install that version again",
                )
            mark = json.dumps({"layout": layout, "owner": self._word}).encode()
            number = await self.write(_OWNER, mark, b"", before.number)
            if number is not None:
                self._claim, self._mark = number, mark
                await self._check_fence()
                return
        raise StoreUnavailable(f"others took over {self._stream} in the queue's store again and again")

    async def settle(self) -> None:
        """Have nothing be written any more that was on its way."""
        async with self._turn:
            await self._settle()

    async def write(self, name: str, head: bytes, body: bytes, after: int) -> int | None:
        """Write behind the note of this number."""
        async with _asking():
            return await self._publish(name, head, body, after)

    async def write_as_owner(self, name: str, head: bytes, body: bytes) -> int:
        """Write, unless somebody has taken over."""
        async with self._turn, _asking():
            await self._settle()
            self._in_doubt = True  # also when this is cancelled: the message may be on its way
            number = await self._publish(name, head, body, self._claim, of=self._subject(_OWNER))
            self._in_doubt = False
        if number is None:
            raise _deposed()
        return number

    async def is_gone(self) -> bool:
        """Whether the store came back without its disk: it knows of nobody who has taken over."""
        return self._claim > 0 and (await self._owner()).number == 0

    async def last(self, name: str) -> Note | None:
        """Return the last note under the name."""
        async with _asking():
            found = await self._wire.last(self._stream, self._subject(name))
            if found is None:
                return None
            return await self._note(name, found.seq or 0, found.headers or {}, found.data or b"")

    async def heads(self, pattern: str) -> dict[str, tuple[int, bytes]]:
        """Return number and head of the last note under each name."""
        async with _asking():
            prefix, owner = f"dayfly.{self._stream}.", self._subject(_OWNER)
            found = await self._wire.ask(
                lambda context: last_heads(context, self._stream, prefix + pattern, owner, self._claim)
            )
            return {
                subject.removeprefix(prefix): (number, _head(headers)) for subject, (number, headers) in found.items()
            }

    async def read(self, name: str, upto: int) -> list[Note]:
        """Return all notes under the name."""
        async with _asking():
            found, is_more = await self._page(name, 0, upto)
            while is_more:
                page, is_more = await self._page(name, found[-1].number, upto)
                found += page
            return found

    async def read_page(self, name: str, after: int, upto: int) -> list[Note]:
        """Return the first notes behind a number."""
        async with _asking():
            return (await self._page(name, after, upto))[0]

    async def drop_through(self, name: str, number: int) -> None:
        """Let go of the first notes; the pieces of those behind them came later, as one owner wrote them in turn."""
        async with _asking():
            for subject in (self._subject(name), f"{self._subject(name)}.>"):
                await self._purge(subject, number)

    async def drop(self, name: str) -> None:
        """Let go of all notes under the name and below it."""
        async with _asking():
            for subject in (self._subject(name), f"{self._subject(name)}.>"):
                await self._purge(subject)

    async def _purge(self, subject: str, through: int | None = None) -> None:
        before = through + 1 if through is not None else None
        await self._wire.write(lambda context: context.purge_stream(self._stream, subject=subject, seq=before))

    async def _settle(self) -> None:
        """After a write of which nobody knows whether it was kept, take over anew: from then on it is or is not."""
        if not self._in_doubt:
            return
        async with _asking():
            now = await self._owner()
            if now.word != self._word:
                raise _deposed()
            number = await self._publish(_OWNER, self._mark, b"", now.number)
        if number is None:
            raise StoreUnavailable(f"the owner of {self._stream} in the queue's store has changed meanwhile")
        self._claim, self._in_doubt = number, False

    async def _owner(self) -> _Owner:
        found = await self.last(_OWNER)
        if found is None:
            return _Owner(0, 0, "")
        told = json.loads(found.head)
        return _Owner(found.number, int(told["layout"]), str(told["owner"]))

    async def _check_fence(self) -> None:
        """Refuse a server that does not look at the owner: it finds what is expected of that wrong of the rest."""
        async with _asking():
            kept = await self._publish("fence", b"", b"", self._claim, of=self._subject(_OWNER))
        if kept is None and (await self._owner()).word == self._word:
            raise StoreUnavailable(
                "nats-server does not know Nats-Expected-Last-Subject-Sequence-Subject, without which a control plane"
                " could not keep out the one before it",
                hint="it is older than this Dayfly's; let the queue's servers have this version's image",
            )

    async def _publish(self, name: str, head: bytes, body: bytes, expected: int, of: str = "") -> int | None:
        subject, sent = self._subject(name), {_HEAD: base64.b64encode(head).decode()}
        parts = ""
        if len(body) > PART_BYTES:
            parts = f"{subject}.part.{secrets.token_hex(8)}"
            pieces = [body[at : at + PART_BYTES] for at in range(0, len(body), PART_BYTES)]
            for at, piece in enumerate(pieces):
                await self._wire.publish(f"{parts}.{at}", {}, None, piece)
            sent[_PARTS], body = f"{parts.rpartition('.')[2]} {len(pieces)}", b""
        try:
            return (await self._wire.publish(subject, sent, expected, body, of)).seq
        except Outrun:
            if parts:
                await self._purge(f"{parts}.*")
            return None

    async def _page(self, name: str, after: int, upto: int) -> tuple[list[Note], bool]:
        subject = self._subject(name)
        raw, is_more = await self._wire.ask(lambda context: messages(context, self._stream, subject, after, upto))
        return [await self._note(name, *each) for each in raw], is_more

    async def _note(self, name: str, number: int, headers: Mapping[str, str], data: bytes) -> Note:
        if parts := headers.get(_PARTS):
            word, count = parts.split()
            pieces = []
            for at in range(int(count)):
                piece = await self._wire.last(self._stream, f"{self._subject(name)}.part.{word}.{at}")
                if piece is None:
                    raise StoreUnavailable(f"a piece of {name} is missing in the queue's store; was it just removed?")
                pieces.append(piece.data or b"")
            data = b"".join(pieces)
        return Note(number, _head(headers), data)

    def _subject(self, name: str) -> str:
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name!r} is no name of a note")
        return f"dayfly.{self._stream}.{name}"


def _head(headers: Mapping[str, str]) -> bytes:
    return base64.b64decode(headers.get(_HEAD, ""))


@contextlib.asynccontextmanager
async def _asking() -> AsyncIterator[None]:
    try:
        yield
    except StoreUnavailable:
        raise
    except Unavailable as away:
        raise StoreUnavailable(away.message, hint=away.hint, retry_after_s=away.retry_after_s) from away


def _deposed() -> StoreUnavailable:
    return StoreUnavailable("another control plane has taken over; this one writes nothing any more")


async def _make_streams(context: JetStreamContext, copies: int) -> None:
    for name, most in STREAMS.items():
        stream = StreamConfig(name=name, subjects=[f"dayfly.{name}.>"], discard=DiscardPolicy.NEW)
        stream.max_msgs_per_subject, stream.duplicate_window, stream.num_replicas = most, _DUPLICATES_S, copies
        stream.allow_direct = True  # logs are read so from any server, and looked at whether they are whole
        try:
            await context.update_stream(stream)
        except NotFoundError:
            await context.add_stream(stream)
