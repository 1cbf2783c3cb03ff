"""Subjects of a NATS server: as they are published, or from a JetStream stream that keeps them.

Core NATS sends a message once, to whoever listens then. A durable consumer of JetStream keeps its place in the stream
on the server, and gives a message again that nobody acknowledged. Each of a few workers asks it for one message,
delivers it, acknowledges it: so no more are held than there are workers.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

import nats.errors
import nats.js.errors
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy

from dayfly.control.clock import Clock
from dayfly.events.port import Deliver, Lost, Source
from dayfly.events.sources.batch import first_to_end, hand_on, heed_cancellation, refused
from dayfly.events.sources.binding import event_in
from dayfly.events.sources.inbox import Inbox
from dayfly.events.sources.tls import context_for
from dayfly.events.sources.trouble import lost
from dayfly.model.broker import NatsSource
from dayfly.model.event import Event
from dayfly.model.trigger import TriggerSpec
from dayfly.model.trigger_secret import Credentials

WORKERS = 8
WAIT_S = 20.0
"""How long a worker's question for a message stands."""
AGAIN_S = 15.0
"""After this time without an acknowledgement, or word that it is worked on, the server gives a message once more."""
LEFT_S = 1.0
"""After this time the server gives a message once more that was begun when we were stopped."""
ANSWER_S, GOODBYE_S = 10.0, 0.5
TYPE = "com.dayfly.nats.message"
_CE = "ce-"


def build(spec: TriggerSpec, credentials: Credentials, clock: Clock) -> Source:
    """Return the subjects that the trigger names."""
    assert isinstance(spec.source, NatsSource)
    return Nats(spec.source, credentials, clock)


class Nats:
    """Subjects of one server or cluster."""

    def __init__(self, source: NatsSource, credentials: Credentials, clock: Clock, *, again_s: float = AGAIN_S) -> None:
        self._source = source
        self._credentials = credentials
        self._address = f"{'tls' if source.tls else 'nats'}://{source.endpoints[0]}"
        self._life = f"{clock.unix_ms():x}"
        self._number = 0
        self._again_s = again_s

    async def run(self, deliver: Deliver, ready: Callable[[], None]) -> None:
        """See the port."""
        inbox = Inbox()
        try:
            async with self._connected(inbox) as client:
                if self._source.durable:
                    await self._work(client.jetstream(timeout=ANSWER_S), inbox, deliver, ready)
                else:
                    await self._listen(client, inbox, deliver, ready)
        except (nats.js.errors.APIError, nats.errors.BadSubjectError) as refusal:
            said = getattr(refusal, "description", None) or str(refusal)
            raise refused(self._address, said, self._credentials) from None
        except nats.errors.NoServersError as fault:
            # Why it could not connect was said to the inbox.
            await inbox.empty(deliver)
            raise self._lost(fault) from None
        except (nats.errors.Error, OSError) as fault:
            raise self._lost(fault) from None

    @contextlib.asynccontextmanager
    async def _connected(self, inbox: Inbox) -> AsyncIterator[Client]:
        credentials, source, client = self._credentials, self._source, _Client()

        async def gone() -> None:
            inbox.lost(f"{self._address}: the connection was lost")

        async def failed(error: Exception) -> None:
            # As a subject that we may not have; it is told on the connection, and not to whoever asked.
            if not isinstance(error, nats.errors.StaleConnectionError):
                inbox.lost(str(self._lost(error)))

        context = await asyncio.to_thread(context_for, self._address, credentials) if source.tls else None
        try:
            await client.connect(
                [f"{'tls' if source.tls else 'nats'}://{endpoint}" for endpoint in source.endpoints],
                user=credentials.user or None,
                password=credentials.password or None,
                token=credentials.token or None,
                tls=context,
                name="dayfly",
                allow_reconnect=False,
                max_reconnect_attempts=1,
                reconnect_time_wait=0,
                connect_timeout=int(ANSWER_S),
                ping_interval=20,
                closed_cb=gone,
                disconnected_cb=gone,
                error_cb=failed,
            )
            yield client
        finally:
            # However it fails to say goodbye, it is gone for us.
            with contextlib.suppress(OSError, TimeoutError, nats.errors.Error):
                async with asyncio.timeout(GOODBYE_S):
                    await client.close()

    async def _listen(self, client: Client, inbox: Inbox, deliver: Deliver, ready: Callable[[], None]) -> None:
        async def take(message: Msg) -> None:
            self._number += 1
            inbox.put(self._event(message, f"{message.subject}/{self._life}/{self._number}"))

        for subject in self._source.subjects:
            await client.subscribe(subject, queue=self._source.queue, cb=take)
        await client.flush(int(ANSWER_S))
        heed_cancellation()
        if not inbox.is_over:
            ready()
        await inbox.empty(deliver)

    async def _work(self, context: JetStreamContext, inbox: Inbox, deliver: Deliver, ready: Callable[[], None]) -> None:
        stream = await self._consumer(context)
        heed_cancellation()
        ready()
        workers = (self._worker(context, stream, deliver) for _ in range(WORKERS))
        await first_to_end(inbox.empty(deliver), *workers)

    async def _worker(self, context: JetStreamContext, stream: str, deliver: Deliver) -> None:
        asking = await context.pull_subscribe_bind(durable=self._source.durable, stream=stream)
        while True:
            try:
                (message,) = await asking.fetch(1, timeout=WAIT_S)
            except nats.errors.TimeoutError:
                continue
            kept = message.metadata
            # A stream that is made anew counts from one again.
            stamp = int(kept.timestamp.timestamp() * 1_000_000)
            event = self._event(message, f"{kept.stream}/{kept.sequence.stream}/{stamp:x}")
            try:
                await first_to_end(hand_on(deliver, event), self._tell_of_work(message))
            except asyncio.CancelledError:
                with contextlib.suppress(nats.errors.Error, OSError):
                    # Not at once: the other workers' questions still stand, and it would be given to one of them.
                    await message.nak(delay=LEFT_S)
                raise
            await message.ack()

    async def _tell_of_work(self, message: Msg) -> None:
        while True:
            await asyncio.sleep(self._again_s / 3)
            await message.in_progress()

    async def _consumer(self, context: JetStreamContext) -> str:
        """Have the consumer be there, and be of our subjects; return its stream."""
        durable, subjects = self._source.durable, list(self._source.subjects)
        try:
            stream = await context.find_stream_name_by_subject(subjects[0])
        except nats.js.errors.NotFoundError:
            raise Lost(f"{self._address}: no JetStream stream keeps the subject {subjects[0]}") from None
        try:
            config = (await context.consumer_info(stream, durable)).config
        except nats.js.errors.NotFoundError:
            policy = DeliverPolicy.NEW if self._source.start == "latest" else DeliverPolicy.ALL
            config = ConsumerConfig(
                durable_name=durable, deliver_policy=policy, ack_policy=AckPolicy.EXPLICIT, ack_wait=self._again_s
            )
        if config.deliver_subject or config.ack_policy != AckPolicy.EXPLICIT:
            raise Lost(f"{self._address}: the consumer {durable} is none to pull from with explicit acknowledgements")
        if (config.filter_subjects or [config.filter_subject]) != subjects:
            await context.add_consumer(stream, config.evolve(filter_subject=None, filter_subjects=subjects))
        return stream

    def _event(self, message: Msg, number: str) -> Event:
        headers = {name.lower(): value for name, value in (message.headers or {}).items()}
        content_type = headers.get("content-type", "")
        attributes = {name.removeprefix(_CE): value for name, value in headers.items() if name.startswith(_CE)}
        return event_in(content_type, message.data, attributes) or Event(
            id=number,
            source=self._address,
            type=TYPE,
            subject=message.subject,
            content_type=content_type,
            data=message.data,
        )

    def _lost(self, fault: Exception) -> Lost:
        match fault:
            case nats.errors.AuthorizationError():
                return Lost(f"{self._address}: the user, the password or the token is wrong")
            case nats.errors.SlowConsumerError():
                return Lost(f"{self._address}: more messages came than could be held, and some were lost")
            case nats.errors.SecureConnRequiredError():
                return Lost(f"{self._address}: the server has no TLS, so it was told nothing")
            case nats.errors.NoServersError() | nats.errors.ConnectionClosedError():
                return lost(self._address, ConnectionError())
            case OSError():
                return lost(self._address, fault)
        return refused(self._address, str(fault), self._credentials)


class _Client(Client):
    """A client that tells a server nothing in the clear when it was told to use TLS: the library would, where the
    server, or somebody in between, says that it has none.
    """

    def _connect_command(self) -> bytes:
        if "tls" in self.options and not self._server_info.get("tls_required"):
            raise nats.errors.SecureConnRequiredError
        return super()._connect_command()
