"""Streams of a Redis server, read as one consumer of a group.

The group keeps which entries were given to whom and not acknowledged. So after a restart the consumer, whose name stays
the same, first gets what it had begun; and what a consumer that never came back had begun is claimed after a while.
Entries are acknowledged a batch at a time, once all of it is delivered.
"""

import asyncio
import socket
import ssl
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec
import redis.asyncio
import redis.exceptions
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from dayfly.control.clock import Clock
from dayfly.events.port import Deliver, Lost, Source
from dayfly.events.sources.batch import first_to_end, hand_on_all, refused
from dayfly.events.sources.tls import context_for
from dayfly.events.sources.trouble import lost
from dayfly.model.broker import RedisSource
from dayfly.model.event import Event
from dayfly.model.trigger import TriggerSpec
from dayfly.model.trigger_secret import Credentials

BATCH = 16
BLOCK_S = 5.0
"""How long the server is asked to wait for something new."""
PATIENCE_S = 15.0
"""How long it may stay silent; longer than it was asked to."""
SIGN_OF_LIFE_S = 1.0
ABANDONED_S = 300.0
"""After this time without an acknowledgement an entry is taken from whoever it was given to."""
TYPE = "com.dayfly.redis.entry"
_EARLIEST_MS = 10**12
_Entry = tuple[bytes, Mapping[bytes, bytes] | None]


def build(spec: TriggerSpec, credentials: Credentials, _clock: Clock) -> Source:
    """Return the streams that the trigger names."""
    assert isinstance(spec.source, RedisSource)
    return RedisStreams(spec.source, credentials, f"{spec.namespace}.{spec.name}")


class RedisStreams:
    """Reads what the trigger `name` says; no two that run at the same time may have one name and one host."""

    def __init__(
        self, source: RedisSource, credentials: Credentials, name: str, *, abandoned_s: float = ABANDONED_S
    ) -> None:
        self._source = source
        self._credentials = credentials
        self._endpoint = source.endpoints[0]
        self._address = f"{'rediss' if source.tls else 'redis'}://{self._endpoint}"
        self._group = source.group or f"dayfly.{name}"
        self._consumer = f"{socket.gethostname()}.{name}"
        self._abandoned_s = abandoned_s

    async def run(self, deliver: Deliver, ready: Callable[[], None]) -> None:
        """Read and deliver until cancelled. Raises Lost."""
        try:
            context = None
            if self._source.tls:
                context = await asyncio.to_thread(context_for, self._address, self._credentials)
            async with self._client(context) as client:
                for stream in self._source.streams:
                    await self._join(client, stream)
                ready()
                for stream in self._source.streams:
                    await self._resume(client, stream, deliver)
                await self._read(client, deliver)
        except (redis.exceptions.ConnectionError, redis.exceptions.TimeoutError, OSError) as fault:
            raise self._lost(fault) from None
        except redis.exceptions.RedisError as refusal:
            raise refused(self._address, str(refusal), self._credentials) from None

    def _lost(self, fault: Exception) -> Lost:
        match fault:
            case redis.exceptions.AuthenticationError():
                return Lost(f"{self._address}: the user or the password is wrong")
            case redis.exceptions.TimeoutError():
                return lost(self._address, TimeoutError())
            case redis.exceptions.ConnectionError():
                # The library tells of the system's error in words of its own.
                return lost(self._address, fault.__cause__ or fault.__context__ or ConnectionError())
        return lost(self._address, fault)

    def _client(self, context: ssl.SSLContext | None) -> redis.asyncio.Redis:
        source, credentials = self._source, self._credentials
        tls: dict[str, Any] = {"connection_class": _Tls, "context": context} if context is not None else {}
        pool = redis.asyncio.ConnectionPool(
            host=self._endpoint.host,
            port=self._endpoint.port,
            db=source.db,
            username=credentials.user or None,
            password=credentials.password or credentials.token or None,
            socket_timeout=None,
            socket_connect_timeout=PATIENCE_S,
            client_name="dayfly",
            retry=Retry(NoBackoff(), 0),
            protocol=2,
            **tls,
        )
        client = redis.asyncio.Redis(connection_pool=pool, single_connection_client=True)
        client.auto_close_connection_pool = True
        return client

    async def _join(self, client: redis.asyncio.Redis, stream: str) -> None:
        start = "$" if self._source.start == "latest" else "0"
        try:
            await _within(client.xgroup_create(stream, self._group, id=start, mkstream=True))
        except redis.exceptions.ResponseError as refused:
            if "BUSYGROUP" not in str(refused):
                raise

    async def _resume(self, client: redis.asyncio.Redis, stream: str, deliver: Deliver) -> None:
        """Deliver what we were given in an earlier life."""
        while True:
            # What was delivered is acknowledged, so that the first that are left are always the next.
            answer = await _within(client.xreadgroup(self._group, self._consumer, {stream: "0"}, count=BATCH))
            entries = answer[0][1] if answer else []
            if not entries:
                return
            await self._take(client, stream, entries, deliver)

    async def _read(self, client: redis.asyncio.Redis, deliver: Deliver) -> None:
        loop = asyncio.get_running_loop()
        streams: dict[Any, Any] = dict.fromkeys(self._source.streams, ">")
        claim_at = loop.time()
        while True:
            if loop.time() >= claim_at:
                for stream in self._source.streams:
                    await self._claim(client, stream, deliver)
                claim_at = loop.time() + self._abandoned_s / 2
            wait_s = max(0.001, min(BLOCK_S, claim_at - loop.time()))
            answer = await _within(
                client.xreadgroup(self._group, self._consumer, streams, count=BATCH, block=int(wait_s * 1000) or 1)
            )
            for stream, entries in answer or ():
                await self._take(client, stream.decode(), entries, deliver)

    async def _claim(self, client: redis.asyncio.Redis, stream: str, deliver: Deliver) -> None:
        """Deliver what others were given and left."""
        start: bytes | str = "0-0"
        while True:
            idle_ms = int(self._abandoned_s * 1000)
            answer = await _within(client.xautoclaim(stream, self._group, self._consumer, idle_ms, start, count=BATCH))
            start, entries = answer[0], answer[1]
            await self._take(client, stream, entries, deliver)
            if start in (b"0-0", "0-0"):
                return

    async def _take(self, client: redis.asyncio.Redis, stream: str, entries: list[_Entry], deliver: Deliver) -> None:
        if not entries:
            return
        # An entry that was deleted since it was given to us comes without fields.
        events = [self._event(stream, number.decode(), fields) for number, fields in entries if fields]
        await first_to_end(hand_on_all(deliver, events), _signs_of_life(client))
        await _within(client.xack(stream, self._group, *(number for number, _ in entries)))

    def _event(self, stream: str, number: str, fields: Mapping[bytes, bytes]) -> Event:
        data, content_type = _body(fields, self._source.field.encode())
        return Event(
            id=f"{stream}/{number}",
            source=f"{self._address}/{self._source.db}",
            type=TYPE,
            subject=stream,
            time=_time(number),
            content_type=content_type,
            data=data,
        )


async def _within(answer: Any) -> Any:
    """Return the answer. Raises TimeoutError after PATIENCE_S; the library's own way sometimes loses a cancellation."""
    async with asyncio.timeout(PATIENCE_S):
        return await answer


async def _signs_of_life(client: redis.asyncio.Redis) -> None:
    """Ask something again and again: while nothing is read, nobody would hear that the server has gone."""
    while True:
        await asyncio.sleep(SIGN_OF_LIFE_S)
        await _within(client.ping())


class _Tls(redis.asyncio.SSLConnection):
    """A connection under a context of ours, which trusts and shows what the secret says."""

    def __init__(self, *, context: ssl.SSLContext, **options: Any) -> None:
        super().__init__(**options)
        self.ssl_context.context = context


def _body(fields: Mapping[bytes, bytes], field: bytes) -> tuple[bytes, str]:
    """Return the one field as it is; or all of them as JSON, in which what is not UTF-8 is replaced."""
    if field:
        return fields.get(field, b""), ""
    texts = {name.decode(errors="replace"): value.decode(errors="replace") for name, value in fields.items()}
    return msgspec.json.encode(texts), "application/json"


def _time(number: str) -> str:
    """Return when the server numbered the entry; nothing for a number that somebody chose."""
    milliseconds = int(number.partition("-")[0])
    if not _EARLIEST_MS <= milliseconds < 100 * _EARLIEST_MS:
        return ""
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
