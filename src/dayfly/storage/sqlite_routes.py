"""Routes and grants of hosts in the state's SQLite file, through the one thread that writes it."""

import sqlite3

import msgspec

from dayfly.model.errors import NotFound
from dayfly.model.names import NamespaceName
from dayfly.model.route import HostGrant, Route, RouteSpec
from dayfly.storage.database import Database
from dayfly.storage.routes import RouteStore
from dayfly.storage.sqlite import read_json


class SqliteRoutes(RouteStore):
    """What the tables beside the functions' hold; open while the database is."""

    def __init__(self, database: Database) -> None:
        self._run = database.run

    async def routes(self) -> list[Route]:
        """Return every route, ordered by namespace and name."""
        sql = "SELECT namespace, name, created_unix_ms, updated_unix_ms, spec FROM routes ORDER BY namespace, name"
        return await self._run(lambda db: [_route(*row) for row in db.execute(sql)])

    async def put_route(self, route: Route) -> None:
        """Create or replace the route."""
        spec = msgspec.json.encode(route.spec).decode()
        row = (*route.key, route.created_unix_ms, route.updated_unix_ms, spec)
        await self._run(lambda db: db.execute("INSERT OR REPLACE INTO routes VALUES (?, ?, ?, ?, ?)", row).rowcount)

    async def delete_route(self, namespace: NamespaceName, name: str) -> None:
        """Remove the route. Raises NotFound."""

        def write(db: sqlite3.Connection) -> None:
            if db.execute("DELETE FROM routes WHERE namespace = ? AND name = ?", (namespace, name)).rowcount == 0:
                raise NotFound(f"there is no route {name} in the namespace {namespace}")

        await self._run(write)

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


def _route(namespace: str, name: str, created: int, updated: int, spec: str) -> Route:
    read = read_json(spec, RouteSpec, f"the route {name} of the namespace {namespace}")
    return Route(spec=read, created_unix_ms=created, updated_unix_ms=updated)
