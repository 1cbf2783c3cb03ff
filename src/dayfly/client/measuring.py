"""What both clients have for history, for the machine, and for what the API is."""

from abc import ABC, abstractmethod
from typing import Any, TypeVar

from dayfly.client import metric_calls as calls
from dayfly.client.calls import Call
from dayfly.client.gateway import Target
from dayfly.model.machine import Machine
from dayfly.model.metric import Metric, MetricAnswer

T = TypeVar("T")


class Measuring(ABC):
    """The methods of the client for programs without asyncio."""

    _target: Target

    @abstractmethod
    def _send(self, call: Call[T]) -> T:
        """Carry a call out."""

    def query_metrics(self, query: str, *, at: str = "") -> MetricAnswer:
        """Return what a PromQL query comes to at a moment, seconds since 1970 or an RFC 3339 time; now without it.

        Raises InvalidRequest with line and column, LimitExceeded, NotSupported where no history is kept.
        """
        return self._send(calls.query(query, at))

    def query_metrics_range(self, query: str, *, start: str, end: str, step: str) -> MetricAnswer:
        """Return what a PromQL query comes to from one moment to another, `step` apart (`30s`); raises as the other."""
        return self._send(calls.query_range(query, start, end, step))

    def list_metrics(self) -> list[Metric]:
        """Return what the metrics are, by name."""
        return self._send(calls.list_metrics())

    def get_metrics(self, namespace: str = "") -> str:
        """Return a namespace's figures now, in Prometheus' text format. Raises NotFound, Forbidden."""
        return self._send(calls.get_metrics(self._target.namespace(namespace)))

    def get_machine(self) -> Machine:
        """Return what the machine or cluster has and uses, and what runs there. Raises Forbidden."""
        return self._send(calls.get_machine())

    def describe_api(self) -> dict[str, Any]:
        """Return the API's description as an OpenAPI document."""
        return self._send(calls.describe_api())


class AsyncMeasuring(ABC):
    """The methods of the client for asyncio."""

    _target: Target

    @abstractmethod
    async def _send(self, call: Call[T]) -> T:
        """Carry a call out."""

    async def query_metrics(self, query: str, *, at: str = "") -> MetricAnswer:
        """Return what a PromQL query comes to at a moment, seconds since 1970 or an RFC 3339 time; now without it.

        Raises InvalidRequest with line and column, LimitExceeded, NotSupported where no history is kept.
        """
        return await self._send(calls.query(query, at))

    async def query_metrics_range(self, query: str, *, start: str, end: str, step: str) -> MetricAnswer:
        """Return what a PromQL query comes to from one moment to another, `step` apart (`30s`); raises as the other."""
        return await self._send(calls.query_range(query, start, end, step))

    async def list_metrics(self) -> list[Metric]:
        """Return what the metrics are, by name."""
        return await self._send(calls.list_metrics())

    async def get_metrics(self, namespace: str = "") -> str:
        """Return a namespace's figures now, in Prometheus' text format. Raises NotFound, Forbidden."""
        return await self._send(calls.get_metrics(self._target.namespace(namespace)))

    async def get_machine(self) -> Machine:
        """Return what the machine or cluster has and uses, and what runs there. Raises Forbidden."""
        return await self._send(calls.get_machine())

    async def describe_api(self) -> dict[str, Any]:
        """Return the API's description as an OpenAPI document."""
        return await self._send(calls.describe_api())
