"""Budgets in the state's SQLite file, through the one thread that writes it."""

import sqlite3

import msgspec

from dayfly.model.budget import Budget, BudgetSpec
from dayfly.model.errors import NotFound
from dayfly.model.names import NamespaceName
from dayfly.storage.budgets import BudgetStore, missing
from dayfly.storage.database import Database
from dayfly.storage.sqlite import read_json


class SqliteBudgets(BudgetStore):
    """What the table beside the functions' holds; open while the database is."""

    def __init__(self, database: Database) -> None:
        self._run = database.run

    async def budgets(self) -> list[Budget]:
        """Return every budget, ordered by namespace and name."""
        sql = "SELECT namespace, name, created_unix_ms, updated_unix_ms, spec FROM budgets ORDER BY namespace, name"
        return await self._run(lambda db: [_budget(*row) for row in db.execute(sql)])

    async def put_budget(self, budget: Budget) -> None:
        """Create or replace the budget."""
        spec = msgspec.json.encode(budget.spec).decode()
        row = (budget.spec.namespace, budget.spec.name, budget.created_unix_ms, budget.updated_unix_ms, spec)
        await self._run(lambda db: db.execute("INSERT OR REPLACE INTO budgets VALUES (?, ?, ?, ?, ?)", row).rowcount)

    async def delete_budget(self, namespace: NamespaceName, name: str) -> None:
        """Remove the budget. Raises NotFound."""

        def write(db: sqlite3.Connection) -> None:
            if db.execute("DELETE FROM budgets WHERE namespace = ? AND name = ?", (namespace, name)).rowcount == 0:
                raise NotFound(missing(namespace, name))

        await self._run(write)


def _budget(namespace: str, name: str, created: int, updated: int, spec: str) -> Budget:
    read = read_json(spec, BudgetSpec, f"the budget {name} of the namespace {namespace}")
    return Budget(spec=read, created_unix_ms=created, updated_unix_ms=updated)
