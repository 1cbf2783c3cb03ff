"""The stores that live in the state database, and how a story is told to each of them."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

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


def player(memory: Callable[[], Any], sqlite: Callable[[Database], Any]) -> Any:
    """Return a fixture that tells a story to a new store of either kind."""

    @pytest.fixture(params=["memory", "sqlite"])
    def play(request: pytest.FixtureRequest, tmp_path: Path) -> Play:
        async def tell(story: Story) -> None:
            if request.param == "memory":
                await story(memory())
            else:
                async with in_database(sqlite, tmp_path) as store:
                    await story(store)

        return lambda story: asyncio.run(tell(story))

    return play
