"""What stores on JetStream say to nats-server, said again where the answer was lost on the way.

A message is kept only if the last one of its subject, or of another, has the sequence number that we believe. Each has
a number of its own (`Nats-Msg-Id`), so that one sent again is kept once.
"""

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeVar

import nats.errors
from nats.js import JetStreamContext
from nats.js.api import PubAck, RawStreamMsg
from nats.js.errors import APIError, NotFoundError, ServiceUnavailableError

from dayfly.model.errors import StoreFull, StoreUnavailable, Unavailable
from dayfly.queue.connection import Connection
from dayfly.queue.port import Outrun
from dayfly.queue.room import Room

_EXPECTED, _EXPECTED_OF = "Nats-Expected-Last-Subject-Sequence", "Nats-Expected-Last-Subject-Sequence-Subject"
_MESSAGE_ID = "Nats-Msg-Id"
_WRONG_SEQUENCE, _STORE_FULL = 10071, frozenset((10023, 10047, 10077))
_IN_PROCESS = frozenset((10158, 10164))
"""The same message, or another one that expects something of the same subject, is being agreed on by the servers."""
_AGAIN_S = 0.1
_GONE = (nats.errors.Error, ServiceUnavailableError, OSError, TimeoutError)
T = TypeVar("T")


class Wire:
    """Asks the server that a connection leads to. All raise Unavailable, those that write StoreFull too."""

    def __init__(self, connection: Connection, room: Room) -> None:
        self._connection = connection
        self._room = room

    @property
    def is_alone(self) -> bool:
        """Whether any server that has a message has all: there is one."""
        return self._connection.copies == 1

    async def publish(
        self, subject: str, headers: Mapping[str, str], expected: int | None, payload: bytes = b"", of: str = ""
    ) -> PubAck:
        """Have a message be kept, if the last one of its subject, or of `of`, is the expected. Raises Outrun."""
        sent = {**headers, _MESSAGE_ID: secrets.token_hex(8)}
        if expected is not None:
            sent[_EXPECTED] = str(expected)
        if of:
            sent[_EXPECTED_OF] = of
        return await self.write(lambda context: context.publish(subject, payload, headers=dict(sent)), len(payload))

    async def last(self, stream: str, subject: str) -> RawStreamMsg | None:
        """Return the last message of the subject."""
        try:
            return await self.ask(lambda context: context.get_msg(stream, subject=subject, direct=self.is_alone))
        except NotFoundError:
            return None

    async def write(self, step: Callable[[JetStreamContext], Awaitable[T]], size_bytes: int = 0) -> T:
        """Have the server keep or remove something; as `ask`. Raises StoreFull."""
        self._room.check(size_bytes)
        return await self.ask(step, self._room.doubt)

    async def ask(
        self, step: Callable[[JetStreamContext], Awaitable[T]], unanswered: Callable[[], None] = lambda: None
    ) -> T:
        """Return what the server answers; one that was lost on the way is asked again once it is back.

        Raises Outrun, and NotFoundError as the server says it.
        """
        for last in (False, False, True):
            context = await self._connection.context()
            try:
                async with self._connection.asking():
                    return await step(context)
            except NotFoundError:
                raise
            except APIError as refused:
                if refused.err_code == _WRONG_SEQUENCE:
                    raise Outrun(str(refused.description)) from None
                if refused.err_code in _STORE_FULL or "no space" in str(refused.description).lower():
                    raise StoreFull(f"The queue's store is full: {refused.description}") from refused
                is_passing = isinstance(refused, ServiceUnavailableError) or refused.err_code in _IN_PROCESS
                if last or not is_passing:
                    raise StoreUnavailable(f"The queue's store refused: {refused.description}") from refused
                if refused.err_code in _IN_PROCESS:
                    await asyncio.sleep(_AGAIN_S)
            except _GONE as fault:
                self._connection.look()
                if self._connection.is_up:
                    unanswered()
                if last:
                    raise Unavailable(f"The queue does not answer: {fault!r}", retry_after_s=1) from fault
                await asyncio.sleep(_AGAIN_S)  # a connection that is gone may take a moment to be known as such
            except asyncio.CancelledError:
                # A client that loses its connection cancels what it was asked; that is not us being cancelled.
                task = asyncio.current_task()
                if last or task is None or task.cancelling():
                    raise
        raise AssertionError("the last turn ends in an answer or an error")
