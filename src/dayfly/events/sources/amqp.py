"""Events from queues of RabbitMQ and other brokers of AMQP 0-9-1.

A message is acknowledged once it is delivered; the broker hands it out again if the connection ends before that. None
is rejected: what no function will ever take is acknowledged as well. An exchange is read by a queue of the trigger's
own, which the broker drops when nobody has read it for a week.

A message has the id that its publisher gave it, `message_id`. Without one nothing tells a second message that is equal
from the same one that comes again, so that each has an id of its own and one that comes again calls once more.
"""

import asyncio
import contextlib
import hashlib
import logging
import uuid
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import aiormq
from aiormq.abc import AbstractChannel, AbstractConnection, DeliveredMessage

from dayfly.control.clock import Clock
from dayfly.events.port import Deliver, Lost, Source
from dayfly.events.sources.binding import event_in
from dayfly.events.sources.handing import hand_on
from dayfly.events.sources.tls import context_for
from dayfly.events.sources.trouble import lost
from dayfly.model.broker import AmqpSource
from dayfly.model.event import Event
from dayfly.model.trigger import TriggerSpec
from dayfly.model.trigger_secret import Credentials

HELD = 16
"""How many messages are held that nobody has acknowledged."""
UNREAD_MS = 7 * 86_400_000
"""How long a queue of our own is kept that nobody reads."""
HEARTBEAT_S, ANSWER_S = 15, 10.0
TYPE = "com.dayfly.amqp.message"
_PREFIXES = ("cloudevents:", "cloudevents_")
"""Of an attribute's name among the headers, in CloudEvents' binding of AMQP; both are as long."""

# What happens is told in the trigger's standing; the library would say it too, at length.
logging.getLogger("aiormq").setLevel(logging.CRITICAL + 1)


def build(spec: TriggerSpec, credentials: Credentials, clock: Clock, /) -> Source:  # noqa: ARG001 # see Build
    """Return the trigger's source."""
    assert isinstance(spec.source, AmqpSource)
    return Amqp(spec.source, credentials, f"dayfly.{spec.namespace}.{spec.name}")


class Amqp:
    """A queue of one broker; `name` begins the name of a queue of our own."""

    def __init__(self, spec: AmqpSource, credentials: Credentials, name: str) -> None:
        self._spec = spec
        self._credentials = credentials
        self._address = f"{'amqps' if spec.tls else 'amqp'}://{spec.endpoints[0]}"
        self._queue = spec.queue
        if not spec.queue:
            # A binding cannot be listed, so that those of before would never go: with others it is another queue.
            bound = "\n".join((spec.exchange, *sorted(spec.routing_keys)))
            self._queue = f"{name}.{hashlib.sha256(bound.encode()).hexdigest()[:8]}"

    async def run(self, deliver: Deliver, ready: Callable[[], None]) -> None:
        """See the port."""
        gone: asyncio.Future[Lost] = asyncio.get_running_loop().create_future()
        came: asyncio.Queue[DeliveredMessage] = asyncio.Queue()
        async with self._connected() as connection:
            _tell(connection.closing, gone, Lost(f"{self._address}: the connection was lost"))
            channel = await self._consuming(connection, came, gone)
            ready()
            while True:
                message = await _next(came, gone)
                await hand_on(deliver, self._event(message), gone)
                with contextlib.suppress(aiormq.AMQPError, ConnectionError):  # Then it is lost, as `gone` will say.
                    await channel.basic_ack(message.delivery_tag or 0)

    @contextlib.asynccontextmanager
    async def _connected(self) -> AsyncIterator[AbstractConnection]:
        context = await asyncio.to_thread(context_for, self._address, self._credentials) if self._spec.tls else None
        connection = aiormq.Connection(self._url(), context=context)
        try:
            async with asyncio.timeout(ANSWER_S):
                await connection.connect()
            yield connection
        except (aiormq.AMQPError, OSError, TimeoutError) as error:
            raise self._lost(error) from None
        finally:
            await connection.close()

    def _url(self) -> str:
        spec, user = self._spec, quote(self._credentials.user or "guest", safe="")
        password = quote(self._credentials.password or self._credentials.token or "guest", safe="")
        vhost = "" if spec.vhost == "/" else quote(spec.vhost, safe="")
        scheme = self._address.partition(":")[0]
        return f"{scheme}://{user}:{password}@{spec.endpoints[0]}/{vhost}?heartbeat={HEARTBEAT_S}&name=dayfly"

    async def _consuming(
        self, connection: AbstractConnection, came: "asyncio.Queue[DeliveredMessage]", gone: "asyncio.Future[Lost]"
    ) -> AbstractChannel:
        """Return a channel by which messages come."""
        async with asyncio.timeout(ANSWER_S):
            if self._spec.exchange:
                await self._own_queue(connection)
            channel = await connection.channel(publisher_confirms=False)
            _tell(channel.closing, gone, Lost(f"{self._address}: the broker closed the channel"))
            channel.on_consumer_cancel_callbacks.add(
                lambda _: _set(gone, Lost(f"{self._address}: the queue {self._queue} was deleted"))
            )
            await channel.basic_qos(prefetch_count=HELD)
            await channel.basic_consume(self._queue, came.put)
        return channel

    async def _own_queue(self, connection: AbstractConnection) -> None:
        """See that there is the queue, and that it is bound."""
        try:
            channel = await connection.channel(publisher_confirms=False)
            await channel.queue_declare(self._queue, passive=True)
        except aiormq.ChannelNotFoundEntity:
            channel = await connection.channel(publisher_confirms=False)
            await channel.queue_declare(self._queue, durable=True, arguments={"x-expires": UNREAD_MS})
        for key in self._spec.routing_keys or ("#",):
            await channel.queue_bind(self._queue, self._spec.exchange, routing_key=key)
        await channel.close()

    def _lost(self, error: BaseException) -> Lost:
        reason = ""
        match error:
            case aiormq.AuthenticationError() | aiormq.ProbableAuthenticationError():
                reason = "the broker refused the user or the password"
            case aiormq.ConnectionNotAllowed() | aiormq.exceptions.InvalidFrameError():
                # While the connection is opened aiormq takes the refusal for a frame that does not belong there.
                reason = f"there is no virtual host {self._spec.vhost}, or it is not open to this user"
            case aiormq.ChannelNotFoundEntity():
                there = f"an exchange {self._spec.exchange}" if self._spec.exchange else f"a queue {self._queue}"
                reason = f"the broker does not have {there}"
            case aiormq.ChannelAccessRefused() | aiormq.ChannelLockedResource():
                reason = f"the broker does not let this user read the queue {self._queue}"
            case aiormq.ChannelPreconditionFailed():
                reason = f"there is a queue {self._queue} that is declared otherwise"
            case aiormq.AMQPError(__cause__=OSError() as cause):
                return lost(self._address, cause)
            case aiormq.AMQPConnectionError():
                return lost(self._address, ConnectionError())
        return Lost(f"{self._address}: {reason}") if reason else lost(self._address, error)

    def _event(self, message: DeliveredMessage) -> Event:
        properties, spec = message.header.properties, self._spec
        headers = {name.lower(): _text(value) for name, value in (properties.headers or {}).items()}
        attributes = {name[len(_PREFIXES[0]) :]: headers[name] for name in headers if name.startswith(_PREFIXES)}
        content_type = properties.content_type or ""
        return event_in(content_type, message.body, attributes) or Event(
            id=properties.message_id or uuid.uuid4().hex,
            source=f"{self._address}/{quote(spec.vhost, safe='')}/{quote(spec.exchange or self._queue)}",
            type=TYPE,
            subject=message.routing_key or "",
            time=_text(properties.timestamp) if properties.timestamp else "",
            content_type=content_type,
            data=message.body,
        )


async def _next(came: "asyncio.Queue[DeliveredMessage]", gone: "asyncio.Future[Lost]") -> DeliveredMessage:
    taking = asyncio.ensure_future(came.get())
    try:
        await asyncio.wait((taking, gone), return_when=asyncio.FIRST_COMPLETED)
        if gone.done():
            raise gone.result()
        return taking.result()
    finally:
        taking.cancel()


def _tell(closing: "asyncio.Future[Any]", gone: "asyncio.Future[Lost]", error: Lost) -> None:
    closing.add_done_callback(lambda _: _set(gone, error))


def _set(gone: "asyncio.Future[Lost]", error: Lost) -> None:
    if not gone.done():
        gone.set_result(error)


def _text(value: Any) -> str:
    match value:
        case datetime():
            return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
        case bytes() | bytearray():
            return value.decode(errors="replace")
        case bool():
            return str(value).lower()
    return str(value)
