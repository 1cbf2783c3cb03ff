"""What an upgrade asks of the state: which layout it has, whether it migrates, and to bring it back.

Everything here raises our own errors only.
"""

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from dayfly.model.budget import Budget
from dayfly.model.flow import Flow
from dayfly.model.route import Route
from dayfly.model.trigger import Trigger
from dayfly.storage import migrations
from dayfly.storage.sqlite import SqliteStore
from dayfly.storage.sqlite_routes import SqliteRoutes
from dayfly.storage.sqlite_tenancy import SqliteTenancy
from dayfly.storage.sqlite_things import SqliteThings
from dayfly.storage.writer import unavailable


def layout_of(path: Path) -> int:
    """Return the layout of the state at `path`; 0 when there is none yet. Raises StoreUnavailable."""
    with _our_errors(path):
        return migrations.layout_of(path)


def take_back(path: Path, layout: int) -> int:
    """Bring the state at `path`, which nobody has open, back to an older layout; return the one it had.

    Raises StoreUnavailable for a state newer than ours, ConfigError for a layout there is no way to; it is not changed
    then.
    """
    with _our_errors(path):
        return migrations.take_back(path, layout)


def copy(path: Path, to: Path) -> None:
    """Copy the state, as it is at one moment, while others may write to it. Raises StoreUnavailable."""
    with _our_errors(path), closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as source:
        migrations.copy_to(source, to)


def rehearse(path: Path) -> int:
    """Bring a copy of a state to our layout, read all of it, and return the number of functions.

    Raises StoreUnavailable, naming the function that cannot be read.
    """
    return asyncio.run(_rehearse(path))


async def _rehearse(path: Path) -> int:
    store = SqliteStore(path)
    await store.open()
    try:
        functions = await store.all()
        for function in functions:
            await store.revisions(function.key)
        await store.totals()
        tenancy = SqliteTenancy(store.database)
        await tenancy.namespaces()
        await tenancy.tokens()
        await SqliteRoutes(store.database).grants()
        for kind in (Route, Trigger, Flow, Budget):
            await SqliteThings(store.database, kind).all()
    finally:
        await store.close()
    return len(functions)


@contextmanager
def _our_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise unavailable(path, error) from error
