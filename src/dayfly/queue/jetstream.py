"""The queue's store on JetStream.

| stream | subject | holds |
|---|---|---|
| calls | `dayfly.call.ID.request` | the call as a header, its request as the payload; never changed |
| | `dayfly.call.ID.standing` | the standing as a header; each move replaces the one before |
| results | `dayfly.result.ID` | what came of a call, for a day |
| keys | `dayfly.key.HASH` | which call an idempotency key stands for, for a day |

A standing is replaced only if the last one has the sequence number we believe (`Nats-Expected-Last-Subject-Sequence`).
Every message has a number of its own (`Nats-Msg-Id`), so that one sent again, after its acknowledgement was lost, is
kept once. Calls and standings are in headers, so that all of them are read at start without their payloads.

Of three servers each keeps everything, and what is acknowledged is on two at least. Then the stream's leader alone is
asked: another server may not have heard yet of what was acknowledged a moment ago.
"""

import asyncio
import base64
import hashlib
from pathlib import Path
from typing import TypeVar

import msgspec
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy, DiscardPolicy, StreamConfig
from nats.js.errors import NotFoundError

from dayfly.model.queued import QueuedCall, Request, Result, Standing
from dayfly.queue.connection import REQUEST_S, Connection
from dayfly.queue.port import Kept, KeyClaim, Outrun, Taken
from dayfly.queue.room import Room
from dayfly.queue.wire import Wire

KEEP_S = 86_400.0
"""How long results and idempotency keys are kept."""
MAX_MESSAGE_BYTES = 16 * 2**20
_CALL, _STANDING = "Dayfly-Call", "Dayfly-Standing"
_DUPLICATES_S = 60.0
_BATCH = 500
_RESULT_BYTES = _KEY_BYTES = 2**28
T = TypeVar("T")


class JetStreamStore:
    """Keeps calls in nats-server. `run` must be running for anything else to come to an end."""

    def __init__(self, access_file: Path) -> None:
        self.connection = Connection(access_file, _make_streams)
        self._room = Room(lambda: self.connection.access)
        self._wire = Wire(self.connection, self._room)

    async def run(self) -> None:
        """Keep connected until cancelled."""
        watching = asyncio.create_task(self._room.watch())
        try:
            await self.connection.run()
        finally:
            watching.cancel()

    async def accept(self, call: QueuedCall, request: Request) -> None:
        """Keep a new call. Raises Taken."""
        try:
            await self._wire.publish(
                _subject(call.id, "request"), {_CALL: _text(call)}, 0, msgspec.msgpack.encode(request)
            )
        except Outrun:
            raise Taken(call.id) from None

    async def move(self, call_id: str, standing: Standing, revision: int) -> int:
        """Let the call stand there. Raises Outrun."""
        done = await self._wire.publish(_subject(call_id, "standing"), {_STANDING: _text(standing)}, revision)
        return done.seq

    async def forget(self, call_id: str) -> None:
        """Let go of a call. Idempotent."""
        await self._wire.write(lambda context: context.purge_stream("calls", subject=_subject(call_id, "*")))

    async def kept(self) -> list[Kept]:
        """Return every call, in the order they were accepted."""
        calls: dict[str, QueuedCall] = {}
        standings: dict[str, tuple[Standing, int]] = {}
        for subject, headers, sequence in await self._wire.ask(_headers):
            token = subject.split(".")[2]
            if _CALL in headers:
                calls[token] = _read(headers[_CALL], QueuedCall)
            elif _STANDING in headers:
                standings[token] = (_read(headers[_STANDING], Standing), sequence)
        return [
            Kept(call, *standings.get(token, (Standing(due_unix_ms=call.due_unix_ms), 0)))
            for token, call in calls.items()
        ]

    async def find(self, call_id: str) -> Kept | None:
        """Return the call as it stands now."""
        asked = await self._wire.last("calls", _subject(call_id, "request"))
        if asked is None or asked.headers is None:
            return None
        call = _read(asked.headers[_CALL], QueuedCall)
        stands = await self._wire.last("calls", _subject(call_id, "standing"))
        if stands is None or stands.headers is None:
            return Kept(call, Standing(due_unix_ms=call.due_unix_ms), 0)
        return Kept(call, _read(stands.headers[_STANDING], Standing), stands.seq or 0)

    async def request(self, call_id: str) -> Request | None:
        """Return what the function is to be sent."""
        found = await self._wire.last("calls", _subject(call_id, "request"))
        return msgspec.msgpack.decode(found.data or b"", type=Request) if found is not None else None

    async def keep_result(self, result: Result) -> None:
        """Keep what came of a call."""
        await self._wire.publish(f"dayfly.result.{_token(result.id)}", {}, None, msgspec.msgpack.encode(result))

    async def result(self, call_id: str) -> Result | None:
        """Return what came of a call."""
        found = await self._wire.last("results", f"dayfly.result.{_token(call_id)}")
        return msgspec.msgpack.decode(found.data or b"", type=Result) if found is not None else None

    async def kept_after(self, position: int) -> tuple[int, Result] | None:
        """Return the first result that was kept after the position, and its own."""
        for after in (position, 0):
            start = after + 1
            try:
                found = await self._wire.ask(
                    lambda context, start=start: context.get_msg(  # type: ignore[misc] # it is asked at once
                        "results", seq=start, subject="dayfly.result.>", direct=self._wire.is_alone, next=True
                    )
                )
            except NotFoundError:
                state = (await self._wire.ask(lambda context: context.stream_info("results"))).state
                if position <= state.last_seq:
                    return None
                continue
            return found.seq or 0, msgspec.msgpack.decode(found.data or b"", type=Result)
        return None

    async def first_position(self) -> int:
        """Return the position before which no result is kept any more."""
        state = (await self._wire.ask(lambda context: context.stream_info("results"))).state
        return state.first_seq if state.messages else 0

    async def claim_key(self, key: str, claim: KeyClaim) -> KeyClaim:
        """Return what the key stands for."""
        subject = _key_subject(key)
        try:
            await self._wire.publish(subject, {}, 0, msgspec.msgpack.encode(claim))
        except Outrun:
            found = await self._wire.last("keys", subject)
            return msgspec.msgpack.decode(found.data or b"", type=KeyClaim) if found is not None else claim
        return claim

    async def settle_key(self, key: str, claim: KeyClaim) -> None:
        """Let the key stand for this."""
        await self._wire.publish(_key_subject(key), {}, None, msgspec.msgpack.encode(claim))


async def _make_streams(context: JetStreamContext, copies: int) -> None:
    # What the calls may take is bounded where they are accepted: their standings must move even when it is full.
    calls = StreamConfig(name="calls", subjects=["dayfly.call.*.request", "dayfly.call.*.standing"])
    calls.discard = DiscardPolicy.NEW
    results = StreamConfig(name="results", subjects=["dayfly.result.*"], max_age=KEEP_S, max_bytes=_RESULT_BYTES)
    results.discard = DiscardPolicy.OLD
    # Anybody who may call can make keys: the oldest go before they fill the disk.
    keys = StreamConfig(name="keys", subjects=["dayfly.key.*"], max_age=KEEP_S, max_bytes=_KEY_BYTES)
    keys.discard = DiscardPolicy.OLD
    for stream in (calls, results, keys):
        stream.max_msgs_per_subject, stream.allow_direct, stream.duplicate_window = 1, copies == 1, _DUPLICATES_S
        stream.num_replicas = copies
        try:
            await context.update_stream(stream)
        except NotFoundError:
            await context.add_stream(stream)


async def _headers(context: JetStreamContext) -> list[tuple[str, dict[str, str], int]]:
    state = (await context.stream_info("calls")).state
    found: list[tuple[str, dict[str, str], int]] = []
    if not state.messages:
        return found
    config = ConsumerConfig(
        headers_only=True, ack_policy=AckPolicy.NONE, deliver_policy=DeliverPolicy.ALL, mem_storage=True,
        inactive_threshold=30.0,
    )  # fmt: skip
    reader = await context.pull_subscribe("dayfly.call.>", stream="calls", config=config)
    while True:
        messages = await reader.fetch(_BATCH, timeout=REQUEST_S)
        found += [(each.subject, each.headers or {}, each.metadata.sequence.stream) for each in messages]
        if not messages[-1].metadata.num_pending:
            await reader.unsubscribe()
            break
    if len(found) < (state.messages or 0):  # the reader is at a server that has not heard of everything yet
        raise TimeoutError("a server of the queue is behind the others")
    return found


def _subject(call_id: str, part: str) -> str:
    return f"dayfly.call.{_token(call_id)}.{part}"


def _key_subject(key: str) -> str:
    return f"dayfly.key.{hashlib.sha256(key.encode()).hexdigest()}"


def _token(call_id: str) -> str:
    """Return the id as one token of a subject, in which a dot would begin another."""
    return call_id.replace("_", "__").replace(".", "_d")


def _text(value: msgspec.Struct) -> str:
    return base64.b64encode(msgspec.json.encode(value)).decode()


def _read(text: str, kind: type[T]) -> T:
    return msgspec.json.decode(base64.b64decode(text), type=kind)
