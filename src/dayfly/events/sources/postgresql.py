"""What a PostgreSQL database tells: by NOTIFY, or by the rows of a table that serves as an outbox.

A notification is sent once, to whoever listens then. An outbox keeps its rows: those that were written in a transaction
which came to its end are read, delivered and deleted in a transaction of ours, so that whatever is killed in between
leaves them. Rows that somebody else reads are passed over, so several may share the work.
"""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Callable
from typing import Any

import asyncpg

from dayfly.control.clock import Clock
from dayfly.events.port import Deliver, Lost, Source
from dayfly.events.sources.batch import first_to_end, refused
from dayfly.events.sources.inbox import Inbox
from dayfly.events.sources.outbox import Outbox
from dayfly.events.sources.tls import context_for
from dayfly.events.sources.trouble import lost
from dayfly.model.broker import PostgresqlSource
from dayfly.model.event import Event
from dayfly.model.trigger import TriggerSpec
from dayfly.model.trigger_secret import Credentials

POLL_S = 5.0
"""How often an outbox is read that nobody notifies us of."""
SIGN_OF_LIFE_S, ANSWER_S, COMMAND_S = 20.0, 10.0, 60.0
TYPE = "com.dayfly.postgresql.notification"
_AWAY = (asyncpg.InterfaceError, asyncpg.PostgresConnectionError, asyncpg.OperatorInterventionError, OSError)


def build(spec: TriggerSpec, credentials: Credentials, clock: Clock) -> Source:
    """Return the channels or the outbox that the trigger names."""
    assert isinstance(spec.source, PostgresqlSource)
    return Postgresql(spec.source, credentials, clock)


class Postgresql:
    """One database."""

    def __init__(self, source: PostgresqlSource, credentials: Credentials, clock: Clock) -> None:
        self._source = source
        self._credentials = credentials
        self._endpoint = source.endpoints[0]
        self._address = f"postgresql://{self._endpoint}/{source.database}"
        self._life = f"{clock.unix_ms():x}"
        self._number = 0
        self._woken = asyncio.Event()

    async def run(self, deliver: Deliver, ready: Callable[[], None]) -> None:
        """See the port."""
        inbox = Inbox()
        try:
            async with self._connected(inbox) as connection:
                for channel in self._source.channels:
                    await connection.add_listener(channel, self._wake if self._source.outbox else self._taker(inbox))
                if self._source.outbox:
                    outbox = Outbox(connection, self._source.outbox, self._address)
                    await outbox.check()
                    ready()
                    await first_to_end(inbox.empty(deliver), self._poll(outbox, deliver))
                else:
                    ready()
                    await first_to_end(inbox.empty(deliver), _signs_of_life(connection))
        except _AWAY as fault:
            away = not isinstance(fault, OSError)
            raise lost(self._address, ConnectionError() if away else fault) from None
        except asyncpg.InvalidAuthorizationSpecificationError:
            raise Lost(f"{self._address}: the user or the password is wrong") from None
        except asyncpg.PostgresError as refusal:
            raise refused(self._address, str(refusal), self._credentials) from None

    @contextlib.asynccontextmanager
    async def _connected(self, inbox: Inbox) -> AsyncIterator[Any]:
        credentials = self._credentials
        tls: ssl.SSLContext | bool = False
        if self._source.tls:
            tls = await asyncio.to_thread(context_for, self._address, credentials)
        # What is not given here would be looked for in the environment and the home folder.
        connection = await asyncpg.connect(
            host=self._endpoint.host,
            port=self._endpoint.port,
            database=self._source.database,
            user=credentials.user or "dayfly",
            password=credentials.password or credentials.token,
            ssl=tls,
            timeout=ANSWER_S,
            command_timeout=COMMAND_S,
            server_settings={"application_name": "dayfly"},
        )
        try:
            connection.add_termination_listener(lambda _: inbox.lost(f"{self._address}: the connection was lost"))
            yield connection
        finally:
            with contextlib.suppress(OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
                await connection.close(timeout=1)

    def _taker(self, inbox: Inbox) -> Callable[[Any, int, str, Any], None]:
        def take(_connection: Any, process: int, channel: str, payload: Any) -> None:
            self._number += 1
            inbox.put(
                Event(
                    id=f"{process}/{self._life}/{self._number}",
                    source=self._address,
                    type=TYPE,
                    subject=channel,
                    content_type="text/plain; charset=utf-8",
                    data=str(payload).encode(),
                )
            )

        return take

    def _wake(self, *_notification: Any) -> None:
        self._woken.set()

    async def _poll(self, outbox: Outbox, deliver: Deliver) -> None:
        while True:
            self._woken.clear()
            while await outbox.take(deliver):
                pass
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._woken.wait(), POLL_S)


async def _signs_of_life(connection: Any) -> None:
    """Ask something again and again: of a server that is gone without a word nobody would hear otherwise."""
    while True:
        await asyncio.sleep(SIGN_OF_LIFE_S)
        await connection.fetchval("SELECT 1", timeout=ANSWER_S)
