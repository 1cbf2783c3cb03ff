"""A broker that speaks Kafka's protocol, as far as aiokafka asks for it: no real one can be had from our registries.

One node, topics in memory, groups with the protocol's own life: join, sync, heartbeats, generations, members that are
forgotten when they are silent. Requests and answers are aiokafka's own structures, so that both sides agree on the
bytes; what a broker does with them is written after the protocol's description and is checked by nobody else. It runs
in a thread, survives being stopped, and advertises to each client the port by which that client came to it.
"""

import asyncio
import ssl
import struct
import threading
from collections.abc import Callable
from io import BytesIO
from typing import Any, ClassVar

from aiokafka.protocol.admin import (
    ApiVersionRequest_v0,
    SaslAuthenticateRequest_v0,
    SaslHandShakeRequest_v1,
)
from aiokafka.protocol.api import RequestHeader_v1, RequestStruct, Response
from aiokafka.protocol.commit import OffsetCommitRequest_v3, OffsetFetchRequest_v3
from aiokafka.protocol.coordination import FindCoordinatorRequest_v1
from aiokafka.protocol.fetch import FetchRequest_v4
from aiokafka.protocol.group import (
    HeartbeatRequest_v1,
    JoinGroupRequest_v2,
    LeaveGroupRequest_v1,
    SyncGroupRequest_v1,
)
from aiokafka.protocol.metadata import MetadataRequest_v1
from aiokafka.protocol.offset import OffsetRequest_v2
from aiokafka.protocol.produce import ProduceRequest_v3
from tests.contract.source.servers.kafka.group import Group
from tests.contract.source.servers.kafka.log import Log

SPOKEN: tuple[type[RequestStruct], ...] = (
    ProduceRequest_v3, FetchRequest_v4, OffsetRequest_v2, MetadataRequest_v1, OffsetCommitRequest_v3,
    OffsetFetchRequest_v3, FindCoordinatorRequest_v1, JoinGroupRequest_v2, HeartbeatRequest_v1, LeaveGroupRequest_v1,
    SyncGroupRequest_v1, SaslHandShakeRequest_v1, ApiVersionRequest_v0, SaslAuthenticateRequest_v0,
)  # fmt: skip
BEFORE_LOGIN = {17, 18, 36}
UNKNOWN_TOPIC, OFFSET_OUT_OF_RANGE, SASL_FAILED = 3, 1, 58


class KafkaBroker:
    """The broker; `ports` are the plain one and that with TLS."""

    def __init__(self, ports: tuple[int, int], context: ssl.SSLContext, user: str, password: str) -> None:
        self.topics: dict[str, list[Log]] = {}
        self.committed: dict[tuple[str, str, int], int] = {}
        self.advertised: dict[str, int] = {}
        """The port that a client is told, by its client id."""
        self._ports, self._context = ports, context
        self._password = f"{user}\0{password}".encode()
        self._groups: dict[str, Group] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._stop: asyncio.Event | None = None
        self.appended = asyncio.Event()

    def start(self) -> None:
        """Listen; return once it does."""
        listening = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run(listening)))
        self._thread.start()
        listening.wait()

    def stop(self) -> None:
        """Break every connection and forget who was in which group, and nothing else."""
        if self._thread is not None and self._loop is not None and self._stop is not None:
            self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join()
            self._thread = None

    def make_topic(self, name: str, partitions: int) -> None:
        """Have a topic."""
        self.topics[name] = [Log() for _ in range(partitions)]

    async def _run(self, listening: threading.Event) -> None:
        self._loop, self._stop, self._groups = asyncio.get_running_loop(), asyncio.Event(), {}
        plain, sealed = self._ports
        serving: set[asyncio.Task[None]] = set()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            serving.add(task)
            try:
                await _Connection(self, reader, writer).serve()
            except (asyncio.IncompleteReadError, OSError, asyncio.CancelledError):
                writer.transport.abort()
            finally:
                serving.discard(task)
                writer.close()

        servers = [
            await asyncio.start_server(serve, "127.0.0.1", plain, limit=2**24),
            await asyncio.start_server(serve, "127.0.0.1", sealed, ssl=self._context, limit=2**24),
        ]
        listening.set()
        await self._stop.wait()
        for server in servers:
            server.close()
        for group in self._groups.values():
            group.close()
        for task in serving:
            task.cancel()
        await asyncio.gather(*serving, return_exceptions=True)

    def group(self, name: str) -> Group:
        """Return the group of a name."""
        return self._groups.setdefault(name, Group())

    def log_of(self, topic: str, partition: int) -> Log | None:
        """Return a partition's log."""
        logs = self.topics.get(topic, [])
        return logs[partition] if partition < len(logs) else None

    def authentic(self, answer: bytes) -> bool:
        """Whether that is the user and the password."""
        return answer.partition(b"\0")[2] == self._password  # Before it is as whom the user would like to act.

    def note_append(self) -> None:
        """Wake those who wait for messages."""
        self.appended.set()
        self.appended = asyncio.Event()


class _Connection:
    """One client's requests, answered one after another as the protocol demands."""

    def __init__(self, broker: KafkaBroker, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._broker, self._reader, self._writer = broker, reader, writer
        self._client_id = ""
        self._is_in = False
        self._requests = {each.API_KEY: each for each in SPOKEN}

    async def serve(self) -> None:
        """Answer until the client goes."""
        while True:
            (size,) = struct.unpack(">i", await self._reader.readexactly(4))
            buffer = BytesIO(await self._reader.readexactly(size))
            header = RequestHeader_v1.SCHEMA.decode(buffer)
            key, version, correlation, self._client_id = header
            kind = self._requests.get(key)
            if kind is None or version != kind.API_VERSION or not (self._is_in or key in BEFORE_LOGIN):
                return
            answer = self._answers[key](self, kind.decode(buffer))
            response = await answer if asyncio.iscoroutine(answer) else answer
            body = struct.pack(">i", correlation) + response.encode()
            self._writer.write(struct.pack(">i", len(body)) + body)
            await self._writer.drain()

    def _versions(self, _request: Any) -> Response:
        known = [(each.API_KEY, each.API_VERSION, each.API_VERSION) for each in SPOKEN]
        return ApiVersionRequest_v0.RESPONSE_TYPE(0, known)

    def _handshake(self, _request: Any) -> Response:
        return SaslHandShakeRequest_v1.RESPONSE_TYPE(0, ["PLAIN"])

    def _authenticate(self, request: Any) -> Response:
        self._is_in = self._broker.authentic(request.sasl_auth_bytes)
        said = (0, None) if self._is_in else (SASL_FAILED, "Authentication failed: Invalid username or password")
        return SaslAuthenticateRequest_v0.RESPONSE_TYPE(*said, b"")

    def _metadata(self, request: Any) -> Response:
        names = list(self._broker.topics) if request.topics is None else request.topics
        topics: list[Any] = []
        for name in names:
            logs = self._broker.topics.get(name)
            partitions = [(0, number, 0, [0], [0]) for number in range(len(logs or ()))]
            topics.append((0 if logs else UNKNOWN_TOPIC, name, False, partitions))
        return MetadataRequest_v1.RESPONSE_TYPE([(0, *self._here, None)], 0, topics)

    @property
    def _here(self) -> tuple[str, int]:
        port = self._writer.get_extra_info("sockname")[1]
        return "localhost", self._broker.advertised.get(self._client_id, port)

    def _coordinator(self, _request: Any) -> Response:
        return FindCoordinatorRequest_v1.RESPONSE_TYPE(0, 0, None, 0, *self._here)

    def _produce(self, request: Any) -> Response:
        topics: list[Any] = []
        for topic, partitions in request.topics:
            done: list[Any] = []
            for partition, batches in partitions:
                log = self._broker.log_of(topic, partition)
                done.append((partition, *((0, log.append(batches)) if log else (UNKNOWN_TOPIC, -1)), -1))
            topics.append((topic, done))
        self._broker.note_append()
        return ProduceRequest_v3.RESPONSE_TYPE(topics, 0)

    async def _fetch(self, request: Any) -> Response:
        deadline = asyncio.get_running_loop().time() + request.max_wait_time / 1000
        while True:
            appended = self._broker.appended
            topics, size = self._fetched(request)
            left = deadline - asyncio.get_running_loop().time()
            if size >= request.min_bytes or left <= 0:
                return FetchRequest_v4.RESPONSE_TYPE(0, topics)
            try:
                await asyncio.wait_for(appended.wait(), left)
            except TimeoutError:
                continue

    def _fetched(self, request: Any) -> tuple[list[Any], int]:
        topics: list[Any] = []
        size = 0
        for topic, partitions in request.topics:
            found: list[Any] = []
            for partition, offset, max_bytes in partitions:
                log = self._broker.log_of(topic, partition)
                if log is None:
                    found.append((partition, UNKNOWN_TOPIC, -1, -1, [], b""))
                elif offset > log.end:
                    found.append((partition, OFFSET_OUT_OF_RANGE, log.end, log.end, [], b""))
                else:
                    batches = log.read(offset, min(max_bytes, max(request.max_bytes - size, 0)), first=size == 0)
                    size += len(batches)
                    found.append((partition, 0, log.end, log.end, [], batches))
            topics.append((topic, found))
        return topics, size

    def _offsets(self, request: Any) -> Response:
        topics: list[Any] = []
        for topic, partitions in request.topics:
            ends: list[Any] = []
            for partition, timestamp in partitions:
                log = self._broker.log_of(topic, partition)
                ends.append((partition, 0 if log else UNKNOWN_TOPIC, -1, log.end if log and timestamp == -1 else 0))
            topics.append((topic, ends))
        return OffsetRequest_v2.RESPONSE_TYPE(0, topics)

    def _commit(self, request: Any) -> Response:
        group = self._broker.group(request.consumer_group)
        error = group.why_not(request.consumer_id, request.consumer_group_generation_id)
        for topic, partitions in request.topics:
            for partition, offset, _metadata in partitions:
                if not error:
                    self._broker.committed[request.consumer_group, topic, partition] = offset
        topics = [(topic, [(each[0], error) for each in partitions]) for topic, partitions in request.topics]
        return OffsetCommitRequest_v3.RESPONSE_TYPE(0, topics)

    def _committed(self, request: Any) -> Response:
        known = self._broker.committed
        topics = [
            (topic, [(each, known.get((request.consumer_group, topic, each), -1), "", 0) for each in partitions])
            for topic, partitions in request.topics
        ]
        return OffsetFetchRequest_v3.RESPONSE_TYPE(0, topics, 0)

    async def _join(self, request: Any) -> Response:
        group = self._broker.group(request.group)
        return JoinGroupRequest_v2.RESPONSE_TYPE(
            0, *await group.join(request.member_id, request.group_protocols, request.session_timeout / 1000)
        )

    async def _sync(self, request: Any) -> Response:
        group = self._broker.group(request.group)
        answer = await group.sync(request.member_id, request.generation_id, dict(request.group_assignment))
        return SyncGroupRequest_v1.RESPONSE_TYPE(0, *answer)

    def _heartbeat(self, request: Any) -> Response:
        group = self._broker.group(request.group)
        return HeartbeatRequest_v1.RESPONSE_TYPE(0, group.beat(request.member_id, request.generation_id))

    def _leave(self, request: Any) -> Response:
        self._broker.group(request.group).leave(request.member_id)
        return LeaveGroupRequest_v1.RESPONSE_TYPE(0, 0)

    _answers: ClassVar[dict[int, Callable[["_Connection", Any], Any]]] = {
        0: _produce, 1: _fetch, 2: _offsets, 3: _metadata, 8: _commit, 9: _committed, 10: _coordinator, 11: _join,
        12: _heartbeat, 13: _leave, 14: _sync, 17: _handshake, 18: _versions, 36: _authenticate,
    }  # fmt: skip
