"""What both clients have for the records of calls. A namespace that is left empty is the client's own."""

from abc import ABC, abstractmethod
from typing import TypeVar

from dayfly.client import record_calls as calls
from dayfly.client.calls import Call
from dayfly.client.gateway import Target
from dayfly.client.measuring import AsyncMeasuring, Measuring
from dayfly.client.record_calls import Wanted
from dayfly.model.invocation import Invocation
from dayfly.model.log import LogLine
from dayfly.model.payload import CallPayload
from dayfly.model.replay import Replay, ReplayedRequest, ReplayOrder
from dayfly.model.rollup import Rollup, Span

T = TypeVar("T")


class Recording(Measuring, ABC):
    """The methods of the client for programs without asyncio."""

    _target: Target

    @abstractmethod
    def _send(self, call: Call[T]) -> T:
        """Carry a call out."""

    def list_records(
        self,
        namespace: str = "",
        *,
        function: str = "",
        failed: bool = False,
        since: str = "",
        until: str = "",
        slow: str = "",
        status: str = "",
        trigger: str = "",
        limit: int = 100,
        before: int = 0,
        after: int = 0,
    ) -> list[Invocation]:
        """Return a namespace's calls that are over, the newest first.

        `since` and `until` are durations (`10m`) or RFC 3339 times, `slow` is the least duration, `status` one or a
        class (`5xx`), `trigger` one or a kind (`route`). `before` the last one's number is the next page. Raises
        InvalidRequest.
        """
        wanted = Wanted(
            function=function, failed=failed, since=since, until=until, slow=slow, status=status, trigger=trigger,
            limit=limit, before=before, after=after,
        )  # fmt: skip
        return self._send(calls.list_records(self._target.namespace(namespace), wanted))

    def list_rollups(
        self, namespace: str = "", *, by: Span = "hour", function: str = "", since: str = "", limit: int = 1000
    ) -> list[Rollup]:
        """Return what a namespace's calls came to in each minute or hour, the newest first. Raises InvalidRequest."""
        return self._send(calls.list_rollups(self._target.namespace(namespace), by, function, since, limit))

    def get_records(self, call_id: str) -> list[Invocation]:
        """Return what is recorded of a call, the oldest attempt first. Raises NotFound."""
        return self._send(calls.get_records(call_id))

    def get_payloads(self, call_id: str) -> list[CallPayload]:
        """Return what is kept of what a call was sent and answered, the oldest attempt first.

        Raises NotFound, Forbidden.
        """
        return self._send(calls.get_payloads(call_id))

    def replay_call(
        self,
        call_id: str,
        namespace: str = "",
        *,
        number: int = 0,
        revision: int = 0,
        request: ReplayedRequest | None = None,
    ) -> Replay:
        """Make a recorded call once more, with `request` instead of what is kept if given; return both answers.

        `number` is the record's where several have the id; `revision` refuses any other. Raises NotFound, NotSupported,
        Conflict when what is kept is not all that was sent, InvalidRequest.
        """
        order = ReplayOrder(number=number, revision=revision, request=request)
        return self._send(calls.replay_call(self._target.namespace(namespace), call_id, order))

    def get_call_log(self, call_id: str) -> list[LogLine]:
        """Return what was printed while a call was worked on. Raises NotFound."""
        return self._send(calls.get_call_log(call_id))


class AsyncRecording(AsyncMeasuring, ABC):
    """The methods of the client for asyncio."""

    _target: Target

    @abstractmethod
    async def _send(self, call: Call[T]) -> T:
        """Carry a call out."""

    async def list_records(
        self,
        namespace: str = "",
        *,
        function: str = "",
        failed: bool = False,
        since: str = "",
        until: str = "",
        slow: str = "",
        status: str = "",
        trigger: str = "",
        limit: int = 100,
        before: int = 0,
        after: int = 0,
    ) -> list[Invocation]:
        """Return a namespace's calls that are over, the newest first.

        `since` and `until` are durations (`10m`) or RFC 3339 times, `slow` is the least duration, `status` one or a
        class (`5xx`), `trigger` one or a kind (`route`). `before` the last one's number is the next page. Raises
        InvalidRequest.
        """
        wanted = Wanted(
            function=function, failed=failed, since=since, until=until, slow=slow, status=status, trigger=trigger,
            limit=limit, before=before, after=after,
        )  # fmt: skip
        return await self._send(calls.list_records(self._target.namespace(namespace), wanted))

    async def list_rollups(
        self, namespace: str = "", *, by: Span = "hour", function: str = "", since: str = "", limit: int = 1000
    ) -> list[Rollup]:
        """Return what a namespace's calls came to in each minute or hour, the newest first. Raises InvalidRequest."""
        return await self._send(calls.list_rollups(self._target.namespace(namespace), by, function, since, limit))

    async def get_records(self, call_id: str) -> list[Invocation]:
        """Return what is recorded of a call, the oldest attempt first. Raises NotFound."""
        return await self._send(calls.get_records(call_id))

    async def get_payloads(self, call_id: str) -> list[CallPayload]:
        """Return what is kept of what a call was sent and answered, the oldest attempt first.

        Raises NotFound, Forbidden.
        """
        return await self._send(calls.get_payloads(call_id))

    async def replay_call(
        self,
        call_id: str,
        namespace: str = "",
        *,
        number: int = 0,
        revision: int = 0,
        request: ReplayedRequest | None = None,
    ) -> Replay:
        """Make a recorded call once more, with `request` instead of what is kept if given; return both answers.

        `number` is the record's where several have the id; `revision` refuses any other. Raises NotFound, NotSupported,
        Conflict when what is kept is not all that was sent, InvalidRequest.
        """
        order = ReplayOrder(number=number, revision=revision, request=request)
        return await self._send(calls.replay_call(self._target.namespace(namespace), call_id, order))

    async def get_call_log(self, call_id: str) -> list[LogLine]:
        """Return what was printed while a call was worked on. Raises NotFound."""
        return await self._send(calls.get_call_log(call_id))
