"""What sources have seen, over restarts: in a file, and on a real nats-server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest
from tests.contract.storage.journals import connected, journals

from dayfly.events.cursors import Cursors
from dayfly.storage.cursors import SqliteCursors
from dayfly.storage.journal_cursors import JournalCursors

if TYPE_CHECKING:
    from pathlib import Path

Lives = Callable[..., None]


@pytest.fixture(params=["sqlite", "jetstream"])
def lives(request: pytest.FixtureRequest, tmp_path: Path) -> Lives:
    """Let each story happen in a life of its own."""
    server = request.getfixturevalue("nats_server") if request.param == "jetstream" else None

    @asynccontextmanager
    async def opened() -> AsyncIterator[Cursors]:
        if server is None:
            yield SqliteCursors(tmp_path / "events" / "cursors.db")
            return
        async with connected(server.access_file) as found:
            yield JournalCursors(found.cursors)

    async def main(*stories: Callable[[Cursors], Awaitable[None]]) -> None:
        if server is not None:
            async with journals(server):
                pass
        for story in stories:
            async with opened() as cursors:
                await cursors.open()
                await story(cursors)
                await cursors.close()
                await cursors.close()

    return lambda *stories: asyncio.run(main(*stories))


def test_what_was_noted_is_there_in_the_next_life(lives: Lives) -> None:
    async def first(cursors: Cursors) -> None:
        one = cursors.of("one")
        assert await one.seen() is None
        await one.note({})
        assert await one.seen() == {}
        await one.note({"a": "1", "b": "1", "c": "1"})
        await one.note({"a": "2", "b": None, "unknown": None})

    async def second(cursors: Cursors) -> None:
        assert await cursors.of("one").seen() == {"a": "2", "c": "1"}
        assert await cursors.of("other").seen() is None
        await cursors.of("one").note({"d/with spaces * and > dots.txt": "1"})
        assert await cursors.of("one").seen() == {"a": "2", "c": "1", "d/with spaces * and > dots.txt": "1"}

    lives(first, second)


def test_what_nobody_looks_at_any_more_is_forgotten(lives: Lives) -> None:
    async def story(cursors: Cursors) -> None:
        await cursors.forget_others([])
        await cursors.of("stays").note({"a": "1"})
        await cursors.of("goes").note({"a": "1"})
        await cursors.forget_others(["stays", "new"])
        assert await cursors.of("stays").seen() == {"a": "1"}
        assert await cursors.of("goes").seen() is None

    lives(story)
