"""What both clients have for things that change: they are told of as long as somebody reads on."""

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import aclosing

from dayfly.client import follow_calls as calls
from dayfly.client.calls import Call
from dayfly.client.connection import API_TIMEOUT_S, INVOKE_TIMEOUT_S
from dayfly.client.event_lines import EventLines
from dayfly.client.log_lines import LogLines
from dayfly.client.metric_calls import machine_log
from dayfly.model.glance import GlanceNews
from dayfly.model.machine import PartLine
from dayfly.model.queued import CallStatus


class Following(ABC):
    """The methods of the client for programs without asyncio."""

    @abstractmethod
    def _stream(self, call: Call[None], silence_s: float = API_TIMEOUT_S) -> Iterator[bytes]:
        """Carry a call out and yield its answer as it comes."""

    def machine_log(self, name: str, *, tail: int = 200, follow: bool = False) -> Iterator[PartLine]:
        """Yield what a process, container or pod of the platform has said, oldest first; with `follow` for ever.

        A process is named by its `log` in `get_machine`, a container or pod by its name. `tail` is the number of last
        lines (-1: all that are kept). Raises NotFound, Forbidden.
        """
        lines = LogLines(PartLine)
        call = machine_log(name, tail=tail, follow=follow)
        for piece in self._stream(call, INVOKE_TIMEOUT_S if follow else API_TIMEOUT_S):
            yield from lines.feed(piece)
        yield from lines.finish()

    def follow_functions(self, namespace: str = "") -> Iterator[GlanceNews]:
        """Yield all functions of a namespace, or all that the credential is good for, and then what changes in them.

        It goes on for ever. Raises NotFound, LimitExceeded when too many follow, Unauthenticated when the credential
        is good no more.
        """
        events = EventLines(GlanceNews)
        for piece in self._stream(calls.follow_functions(namespace)):
            yield from events.feed(piece)

    def follow_call(self, call_id: str) -> Iterator[CallStatus]:
        """Yield where a queued call stands, and again whenever that changes, until it is over. Raises NotFound."""
        events = EventLines(CallStatus)
        for piece in self._stream(calls.follow_call(call_id)):
            yield from events.feed(piece)


class AsyncFollowing(ABC):
    """The methods of the client for asyncio."""

    @abstractmethod
    def _stream(self, call: Call[None], silence_s: float = API_TIMEOUT_S) -> AsyncGenerator[bytes, None]:
        """Carry a call out and yield its answer as it comes."""

    async def machine_log(self, name: str, *, tail: int = 200, follow: bool = False) -> AsyncIterator[PartLine]:
        """Yield what a process, container or pod of the platform has said, oldest first; with `follow` for ever.

        A process is named by its `log` in `get_machine`, a container or pod by its name. `tail` is the number of last
        lines (-1: all that are kept). Raises NotFound, Forbidden.
        """
        lines = LogLines(PartLine)
        call = machine_log(name, tail=tail, follow=follow)
        async with aclosing(self._stream(call, INVOKE_TIMEOUT_S if follow else API_TIMEOUT_S)) as pieces:
            async for piece in pieces:
                for line in lines.feed(piece):
                    yield line
        for line in lines.finish():
            yield line

    async def follow_functions(self, namespace: str = "") -> AsyncIterator[GlanceNews]:
        """Yield all functions of a namespace, or all that the credential is good for, and then what changes in them.

        It goes on for ever. Raises NotFound, LimitExceeded when too many follow, Unauthenticated when the credential
        is good no more.
        """
        events = EventLines(GlanceNews)
        async with aclosing(self._stream(calls.follow_functions(namespace))) as pieces:
            async for piece in pieces:
                for news in events.feed(piece):
                    yield news

    async def follow_call(self, call_id: str) -> AsyncIterator[CallStatus]:
        """Yield where a queued call stands, and again whenever that changes, until it is over. Raises NotFound."""
        events = EventLines(CallStatus)
        async with aclosing(self._stream(calls.follow_call(call_id))) as pieces:
            async for piece in pieces:
                for status in events.feed(piece):
                    yield status
