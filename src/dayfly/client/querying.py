"""What both clients have for queries and for searching logs, answered as the client's credential sees them."""

from abc import ABC, abstractmethod
from typing import TypeVar

from dayfly.client import query_calls as calls
from dayfly.client.calls import Call
from dayfly.client.gateway import Target
from dayfly.model.log import FoundLines
from dayfly.model.query import QueryAnswer, QueryFormat, SavedQuery, SavedQuerySpec, TableInfo

T = TypeVar("T")


class Querying(ABC):
    """The methods of the client for programs without asyncio."""

    _target: Target

    @abstractmethod
    def _send(self, call: Call[T]) -> T:
        """Carry a call out."""

    def query(self, sql: str, *, limit: int = 1000) -> QueryAnswer:
        """Return what a SELECT over the platform's tables finds, up to `limit` rows (10000 at most).

        Raises InvalidRequest, also for a query that takes too much.
        """
        return self._send(calls.query(sql, limit))

    def export_query(self, sql: str, format: QueryFormat = "csv", *, limit: int = 0, raw: bool = False) -> bytes:
        """Return what a query finds as a file, up to a million rows; with a `limit` the first of them.

        `raw` leaves texts in CSV as they are that a spreadsheet would take for formulas. Raises InvalidRequest,
        NotSupported for a format whose library the platform has not.
        """
        return self._send(calls.export(sql, format, limit, raw=raw))

    def list_query_tables(self) -> list[TableInfo]:
        """Return the tables that may be asked, and their columns."""
        return self._send(calls.list_tables())

    def list_queries(self) -> list[SavedQuery]:
        """Return the saved queries, and those that came with Dayfly."""
        return self._send(calls.list_queries())

    def get_query(self, name: str) -> SavedQuery:
        """Return a saved query. Raises NotFound."""
        return self._send(calls.get_query(name))

    def save_query(self, name: str, sql: str, *, note: str = "") -> SavedQuery:
        """Keep a query under a name. Raises InvalidRequest, Conflict for a name that came with Dayfly."""
        return self._send(calls.save_query(name, SavedQuerySpec(sql=sql, note=note)))

    def remove_query(self, name: str) -> None:
        """Forget a saved query. Raises NotFound, Conflict for one that came with Dayfly."""
        self._send(calls.remove_query(name))

    def export_saved_query(self, name: str, format: QueryFormat = "csv", *, limit: int = 0, raw: bool = False) -> bytes:
        """Return what a saved query finds as a file. Raises NotFound, and what `export_query` does."""
        return self._send(calls.export_saved(name, format, limit, raw=raw))

    def search_logs(
        self, search: str = "", *, function: str = "", namespace: str = "", since: str = "", until: str = "",
        level: str = "", instance: str = "", limit: int = 100, before: int = 0,
    ) -> FoundLines:  # fmt: skip
        """Return a page of a namespace's log lines, the newest first, also of functions and replicas that are gone.

        `search` is words that a line has (`timeout "order failed" time* -health`), `since` and `until` durations
        (`10m`) or RFC 3339 times, `level` what a line says of itself. `before` of the answer is where
        the next page goes on; 0 where there is none. Raises InvalidRequest.
        """
        wanted = {
            "search": search, "function": function, "since": since, "until": until, "level": level,
            "instance": instance, "limit": limit, "before": before,
        }  # fmt: skip
        return self._send(calls.search_logs(self._target.namespace(namespace), wanted))


class AsyncQuerying(ABC):
    """The methods of the client for asyncio."""

    _target: Target

    @abstractmethod
    async def _send(self, call: Call[T]) -> T:
        """Carry a call out."""

    async def query(self, sql: str, *, limit: int = 1000) -> QueryAnswer:
        """Return what a SELECT over the platform's tables finds, up to `limit` rows (10000 at most).

        Raises InvalidRequest, also for a query that takes too much.
        """
        return await self._send(calls.query(sql, limit))

    async def export_query(self, sql: str, format: QueryFormat = "csv", *, limit: int = 0, raw: bool = False) -> bytes:
        """Return what a query finds as a file, up to a million rows; with a `limit` the first of them.

        `raw` leaves texts in CSV as they are that a spreadsheet would take for formulas. Raises InvalidRequest,
        NotSupported for a format whose library the platform has not.
        """
        return await self._send(calls.export(sql, format, limit, raw=raw))

    async def list_query_tables(self) -> list[TableInfo]:
        """Return the tables that may be asked, and their columns."""
        return await self._send(calls.list_tables())

    async def list_queries(self) -> list[SavedQuery]:
        """Return the saved queries, and those that came with Dayfly."""
        return await self._send(calls.list_queries())

    async def get_query(self, name: str) -> SavedQuery:
        """Return a saved query. Raises NotFound."""
        return await self._send(calls.get_query(name))

    async def save_query(self, name: str, sql: str, *, note: str = "") -> SavedQuery:
        """Keep a query under a name. Raises InvalidRequest, Conflict for a name that came with Dayfly."""
        return await self._send(calls.save_query(name, SavedQuerySpec(sql=sql, note=note)))

    async def remove_query(self, name: str) -> None:
        """Forget a saved query. Raises NotFound, Conflict for one that came with Dayfly."""
        await self._send(calls.remove_query(name))

    async def export_saved_query(
        self, name: str, format: QueryFormat = "csv", *, limit: int = 0, raw: bool = False
    ) -> bytes:
        """Return what a saved query finds as a file. Raises NotFound, and what `export_query` does."""
        return await self._send(calls.export_saved(name, format, limit, raw=raw))

    async def search_logs(
        self, search: str = "", *, function: str = "", namespace: str = "", since: str = "", until: str = "",
        level: str = "", instance: str = "", limit: int = 100, before: int = 0,
    ) -> FoundLines:  # fmt: skip
        """Return a page of a namespace's log lines, the newest first, also of functions and replicas that are gone.

        `search` is words that a line has (`timeout "order failed" time* -health`), `since` and `until` durations
        (`10m`) or RFC 3339 times, `level` what a line says of itself. `before` of the answer is where
        the next page goes on; 0 where there is none. Raises InvalidRequest.
        """
        wanted = {
            "search": search, "function": function, "since": since, "until": until, "level": level,
            "instance": instance, "limit": limit, "before": before,
        }  # fmt: skip
        return await self._send(calls.search_logs(self._target.namespace(namespace), wanted))
