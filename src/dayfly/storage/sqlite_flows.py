"""Flows in the state's SQLite file, through the one thread that writes it."""

import sqlite3

import msgspec

from dayfly.model.errors import NotFound
from dayfly.model.flow import Flow, FlowSpec
from dayfly.model.names import NamespaceName
from dayfly.storage.database import Database
from dayfly.storage.flows import FlowStore, missing
from dayfly.storage.sqlite import read_json


class SqliteFlows(FlowStore):
    """What the table beside the functions' holds; open while the database is."""

    def __init__(self, database: Database) -> None:
        self._run = database.run

    async def flows(self) -> list[Flow]:
        """Return every flow, ordered by namespace and name."""
        sql = "SELECT namespace, name, created_unix_ms, updated_unix_ms, spec FROM flows ORDER BY namespace, name"
        return await self._run(lambda db: [_flow(*row) for row in db.execute(sql)])

    async def put_flow(self, flow: Flow) -> None:
        """Create or replace the flow."""
        spec = msgspec.json.encode(flow.spec).decode()
        row = (flow.spec.namespace, flow.spec.name, flow.created_unix_ms, flow.updated_unix_ms, spec)
        await self._run(lambda db: db.execute("INSERT OR REPLACE INTO flows VALUES (?, ?, ?, ?, ?)", row).rowcount)

    async def delete_flow(self, namespace: NamespaceName, name: str) -> None:
        """Remove the flow. Raises NotFound."""

        def write(db: sqlite3.Connection) -> None:
            if db.execute("DELETE FROM flows WHERE namespace = ? AND name = ?", (namespace, name)).rowcount == 0:
                raise NotFound(missing(namespace, name))

        await self._run(write)


def _flow(namespace: str, name: str, created: int, updated: int, spec: str) -> Flow:
    read = read_json(spec, FlowSpec, f"the flow {name} of the namespace {namespace}")
    return Flow(spec=read, created_unix_ms=created, updated_unix_ms=updated)
