"""Routes and grants of hosts in the state's SQLite file, through the one thread that writes it."""

import sqlite3

from dayfly.model.errors import NotFound
from dayfly.model.names import NamespaceName
from dayfly.model.route import HostGrant, Route
from dayfly.storage.database import Database
from dayfly.storage.routes import RouteStore
from dayfly.storage.sqlite_things import SqliteThings


class SqliteRoutes(SqliteThings[Route], RouteStore):
    """What the tables beside the functions' hold; open while the database is."""

    def __init__(self, database: Database) -> None:
        super().__init__(database, Route)

    async def grants(self) -> list[HostGrant]:
        """Return every grant, ordered by host and namespace."""
        sql = "SELECT host, namespace FROM hosts ORDER BY host, namespace"
        return await self._run(
            lambda db: [HostGrant(host=host, namespace=NamespaceName(name)) for host, name in db.execute(sql)]
        )

    async def put_grant(self, grant: HostGrant) -> None:
        """Keep the grant. Idempotent."""
        row = (grant.host, grant.namespace)
        await self._run(lambda db: db.execute("INSERT OR IGNORE INTO hosts VALUES (?, ?)", row).rowcount)

    async def delete_grant(self, grant: HostGrant) -> None:
        """Forget the grant. Raises NotFound."""

        def write(db: sqlite3.Connection) -> None:
            row = (grant.host, grant.namespace)
            if db.execute("DELETE FROM hosts WHERE host = ? AND namespace = ?", row).rowcount == 0:
                raise NotFound(f"the host {grant.host or '*'} is not granted to the namespace {grant.namespace}")

        await self._run(write)
