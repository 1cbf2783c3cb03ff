"""Queries as the control plane has them: which files they read, and where saved ones are kept."""

from dayfly.control.clock import Clock
from dayfly.control.plane import ControlPlane
from dayfly.control.saved_queries import SavedQueries
from dayfly.observe.query.ready_made import READY_MADE
from dayfly.observe.query.runner import QueryRunner
from dayfly.server.wiring import Place
from dayfly.storage.queries import QueryStore


class QueryParts:
    """What answers queries, and the saved ones."""

    def __init__(self, place: Place, store: QueryStore, plane: ControlPlane, clock: Clock) -> None:
        records = place.data("records")
        files = {
            "calls": records / "calls.db",
            "logs": records / "logs.db",
            "usage": records / "spending.db",
            "history": records / "history.db",
            "audit": records / "audit.db",
            "flows": place.data("flows") / "flows.db",
        }
        self.runner = QueryRunner(records / "queries", files, place.settings.prices)
        self.saved = SavedQueries(store, READY_MADE, clock)
        plane.namespaces.house(self.saved)

    async def open(self) -> None:
        """Clear up after an earlier life, and read the saved ones. Raises StoreUnavailable."""
        await self.runner.open()
        await self.saved.start()
