"""Events from Kafka's topics, as a member of a consumer group.

The group's place in a partition is moved past a message once that is delivered, one after another. A message has its
partition, offset and time as its id, so that one which is read again, by us or by whom a rebalance gave its partition
to, is the same event. A group that has no place yet gets one before the source is ready: what comes while nobody reads
is read later, also when nothing had come before.

aiokafka mends its connections by itself and never says that the cluster is gone; it is asked again and again instead.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from typing import Any, TypeVar
from urllib.parse import quote

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition, errors
from aiokafka.conn import create_conn

from dayfly.control.clock import Clock
from dayfly.events.port import Deliver, Lost, Source
from dayfly.events.sources.binding import event_in
from dayfly.events.sources.handing import hand_on
from dayfly.events.sources.tls import context_for
from dayfly.events.sources.trouble import lost
from dayfly.model.broker import KafkaSource
from dayfly.model.event import Event
from dayfly.model.trigger import TriggerSpec
from dayfly.model.trigger_secret import Credentials

HELD_OF_PARTITION = 2**18
"""How much of a partition is held that nobody has taken, in bytes; or one batch, if that is larger."""
ANSWER_S, LOOK_S = 10.0, 3.0
SILENCE_MS = 10_000
"""After how long a member that says nothing loses its partitions."""
PATIENCE_MS = 7 * 86_400_000
"""How long the queue may be full before the group gives our partitions to others."""
TYPE = "com.dayfly.kafka.message"
T = TypeVar("T")

# What happens is told in the trigger's standing; the library would say it too, at length.
logging.getLogger("aiokafka").setLevel(logging.CRITICAL + 1)


def build(spec: TriggerSpec, credentials: Credentials, clock: Clock, /) -> Source:  # noqa: ARG001 # see Build
    """Return the trigger's source."""
    assert isinstance(spec.source, KafkaSource)
    return Kafka(spec.source, credentials, f"dayfly.{spec.namespace}.{spec.name}")


class Kafka:
    """Topics of one cluster; `name` is the client's, and the group's where the specification gives none."""

    def __init__(self, spec: KafkaSource, credentials: Credentials, name: str) -> None:
        self._spec = spec
        self._credentials = credentials
        self._name = name
        self._address = f"kafka://{spec.endpoints[0]}"

    async def run(self, deliver: Deliver, ready: Callable[[], None]) -> None:
        """See the port."""
        gone: asyncio.Future[Lost] = asyncio.get_running_loop().create_future()
        async with self._reading() as consumer:
            looking = asyncio.ensure_future(self._look(consumer, gone))
            try:
                await _unless(gone, self._take_place(consumer))
                ready()
                while True:
                    record = await _unless(gone, consumer.getone())
                    await hand_on(deliver, self._event(record), gone)
                    await _unless(gone, self._commit(consumer, record))
            finally:
                looking.cancel()
                await asyncio.wait((looking,))

    @contextlib.asynccontextmanager
    async def _reading(self) -> AsyncIterator[AIOKafkaConsumer]:
        consumer = AIOKafkaConsumer(
            *self._spec.topics,
            group_id=self._spec.group or self._name,
            enable_auto_commit=False,
            auto_offset_reset=self._spec.start,
            isolation_level="read_committed",
            max_partition_fetch_bytes=HELD_OF_PARTITION,
            session_timeout_ms=SILENCE_MS,
            max_poll_interval_ms=PATIENCE_MS,
            **await self._access(),
        )
        try:
            async with asyncio.timeout(2 * ANSWER_S):
                await consumer.start()
            yield consumer
        except (errors.KafkaError, OSError, TimeoutError) as error:
            raise await self._lost(error) from None
        finally:
            await consumer.stop()

    async def _access(self) -> dict[str, Any]:
        """Return what connections are made with."""
        spec, credentials = self._spec, self._credentials
        access: dict[str, Any] = {
            "bootstrap_servers": [str(endpoint) for endpoint in spec.endpoints],
            "client_id": self._name,
            "request_timeout_ms": int(ANSWER_S * 1000),
        }
        if spec.tls:
            access["ssl_context"] = await asyncio.to_thread(context_for, self._address, credentials)
        if credentials.user:
            access |= {
                "sasl_mechanism": spec.sasl.upper(),
                "sasl_plain_username": credentials.user,
                "sasl_plain_password": credentials.password,
            }
        access["security_protocol"] = f"SASL_{'SSL' if spec.tls else 'PLAINTEXT'}" if credentials.user else "PLAINTEXT"
        if spec.tls and not credentials.user:
            access["security_protocol"] = "SSL"
        return access

    async def _take_place(self, consumer: AIOKafkaConsumer) -> None:
        """Have a place in each partition of ours, which the group then keeps."""
        for partition in consumer.assignment():
            position = await consumer.position(partition)
            if await consumer.committed(partition) is None:
                await consumer.commit({partition: position})

    async def _commit(self, consumer: AIOKafkaConsumer, record: "ConsumerRecord[bytes, bytes]") -> None:
        # If the partition is another's by now, who reads the message again, it is the same event.
        with contextlib.suppress(errors.CommitFailedError, errors.IllegalStateError):
            await consumer.commit({TopicPartition(record.topic, record.partition): record.offset + 1})

    async def _look(self, consumer: AIOKafkaConsumer, gone: "asyncio.Future[Lost]") -> None:
        """Say when the cluster is gone."""
        while not gone.done():
            await asyncio.sleep(LOOK_S)
            if not await consumer._client.force_metadata_update():  # There is no public way to ask for so little.
                gone.set_result(Lost(f"{self._address}: no broker of the cluster answers"))

    async def _lost(self, error: BaseException) -> Lost:
        match error:
            case errors.UnknownTopicOrPartitionError():
                return Lost(f"{self._address}: the cluster does not have the topics {', '.join(self._spec.topics)}")
            case errors.TopicAuthorizationFailedError():
                return Lost(f"{self._address}: the cluster does not let this user read the topics")
            case errors.GroupAuthorizationFailedError():
                return Lost(f"{self._address}: the cluster does not let this user be in the group")
            case errors.UnsupportedCodecError():
                return Lost(f"{self._address}: a message is compressed in a way that needs `pip install cramjam`")
            case errors.KafkaConnectionError() | TimeoutError():
                return await self._why_unreachable()
        return lost(self._address, error)

    async def _why_unreachable(self) -> Lost:
        """Return why there is no connection: the consumer says no more than that there is none."""
        access = await self._access()
        access.pop("bootstrap_servers")
        endpoint = self._spec.endpoints[0]
        try:
            connection = await create_conn(endpoint.host, endpoint.port, **access)
        except (errors.AuthenticationFailedError, errors.SaslAuthenticationFailed):
            return Lost(f"{self._address}: the cluster refused the user or the password")
        except (errors.UnsupportedSaslMechanismError, errors.IllegalSaslStateError):
            return Lost(f"{self._address}: the cluster does not take {self._spec.sasl} of SASL")
        except (errors.KafkaError, OSError, TimeoutError) as error:
            return lost(self._address, error if isinstance(error, OSError | TimeoutError) else ConnectionError())
        connection.close()
        return Lost(f"{self._address}: the cluster did not answer in time")

    def _event(self, record: "ConsumerRecord[bytes, bytes]") -> Event:
        headers = {name.lower(): value.decode(errors="replace") for name, value in record.headers if value is not None}
        attributes = {name[3:]: value for name, value in headers.items() if name.startswith("ce_")}
        content_type, data = headers.get("content-type", ""), record.value or b""
        return event_in(content_type, data, attributes) or Event(
            id=f"{record.partition}-{record.offset}-{record.timestamp}",
            source=f"{self._address}/{quote(record.topic)}",
            type=TYPE,
            subject=record.topic,
            time=_time(record.timestamp),
            content_type=content_type,
            data=data,
            extensions={"partitionkey": record.key.decode(errors="replace")} if record.key else {},
        )


async def _unless(gone: "asyncio.Future[Lost]", awaitable: Awaitable[T]) -> T:
    """Return what it returns. Raises Lost as soon as the cluster is gone."""
    task = asyncio.ensure_future(awaitable)
    try:
        await asyncio.wait((task, gone), return_when=asyncio.FIRST_COMPLETED)
        if gone.done():
            raise gone.result()
        return task.result()
    finally:
        if not task.done():
            task.cancel()
            await asyncio.wait((task,))


def _time(unix_ms: int) -> str:
    if unix_ms < 0:
        return ""
    return datetime.fromtimestamp(unix_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
