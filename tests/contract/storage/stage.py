"""The stores that live in the state database or in a cluster, and how a story is told to each of them."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from lightkube.config.kubeconfig import KubeConfig
from tests.cluster.direct import Direct
from tests.cluster.server import Double

from dayfly.cluster.connection import Connection
from dayfly.cluster.schema import crds
from dayfly.storage.database import Database

Story = Callable[[Any], Awaitable[None]]
Play = Callable[[Story], None]


@asynccontextmanager
async def in_database(make: Callable[[Database], Any], folder: Path) -> AsyncIterator[Any]:
    """Open a store in a database of the folder."""
    database = Database(folder / "state.db")
    await database.open()
    try:
        yield make(database)
    finally:
        await database.close()


SPACES = ("ant", "bee", "dayfly", "elsewhere", "openfaas-fn", "other", "others", "team", "zoo")
"""The cluster's namespaces; the port of functions does not make any."""
_clusters: list[Double] = []


def cluster() -> Double:
    """Return the one API server of all these tests, as a new one."""
    if not _clusters:
        double = Double()
        double.define(crds())
        double.namespaces(*SPACES)
        _clusters.append(double)
    double = _clusters[0]
    double.heal()
    double.registry.wipe()
    double.seen.clear()
    return double


def connect(double: Double) -> Connection:
    """Return a connection to an API server, as its administrator."""
    config = KubeConfig.from_dict(double.kubeconfig()).get()
    assert config is not None
    return Connection(config, transport=Direct(double))


@asynccontextmanager
async def in_cluster(make: Callable[[Connection], Any]) -> AsyncIterator[Any]:
    """Yield a store in a new cluster."""
    async with connect(cluster()) as connection:
        yield make(connection)


def player(
    memory: Callable[[], Any], sqlite: Callable[[Database], Any], kubernetes: Callable[[Connection], Any]
) -> Any:
    """Return a fixture that tells a story to a new store of each kind."""

    @pytest.fixture(params=["memory", "sqlite", "kubernetes"])
    def play(request: pytest.FixtureRequest, tmp_path: Path) -> Play:
        async def tell(story: Story) -> None:
            if request.param == "memory":
                await story(memory())
            elif request.param == "kubernetes":
                async with in_cluster(kubernetes) as store:
                    await story(store)
            else:
                async with in_database(sqlite, tmp_path) as store:
                    await story(store)

        return lambda story: asyncio.run(tell(story))

    return play
