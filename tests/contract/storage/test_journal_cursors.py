"""Cursors in a journal: nobody notes any more who was replaced, and what is noted often stays short."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from tests.contract.queue.conftest import NatsServer
from tests.contract.storage.journals import connected, journals

from dayfly.model.errors import StoreUnavailable
from dayfly.queue import journal
from dayfly.queue.journal import CURSORS, Journals
from dayfly.storage import journal_cursors
from dayfly.storage.journal_cursors import JournalCursors, subject_of

Play = Callable[[Callable[[Journals, JournalCursors], Awaitable[None]]], None]


@pytest.fixture
def play(nats_server: NatsServer) -> Play:
    async def main(story: Callable[[Journals, JournalCursors], Awaitable[None]]) -> None:
        async with journals(nats_server) as found:
            cursors = JournalCursors(found.cursors)
            await cursors.open()
            await story(found, cursors)

    return lambda story: asyncio.run(main(story))


async def count(found: Journals, name: str) -> int:
    """Return how many messages what a source has seen takes."""
    subject = f"dayfly.cursors.{subject_of(name)}"
    state = (await (await found.connection.context()).stream_info(CURSORS, subjects_filter=f"{subject}.>")).state
    parts = sum((state.subjects or {}).values())
    state = (await (await found.connection.context()).stream_info(CURSORS, subjects_filter=subject)).state
    return parts + sum((state.subjects or {}).values())


def test_whoever_was_deposed_notes_nothing(play: Play, nats_server: NatsServer) -> None:
    async def story(_found: Journals, first: JournalCursors) -> None:
        await first.of("one").note({"a": "1"})
        async with connected(nats_server.access_file) as other:
            second = JournalCursors(other.cursors)
            await second.open()
            with pytest.raises(StoreUnavailable, match="another control plane"):
                await first.of("one").note({"a": "2"})
            assert await second.of("one").seen() == {"a": "1"}

    play(story)


def test_what_is_noted_again_and_again_stays_short(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_cursors, "MAX_NOTES", 5)
    monkeypatch.setattr(journal, "PART_BYTES", 40)  # so that the notes that hold all are in pieces, which go too

    async def story(found: Journals, cursors: JournalCursors) -> None:
        one, other = cursors.of("one"), cursors.of("other")
        await other.note({"kept": "1"})
        for at in range(40):
            await one.note({f"thing {at % 7}": str(at), f"thing {(at + 1) % 7}": None})
        assert await one.seen() == {f"thing {at % 7}": str(at) for at in range(34, 40)}
        assert await JournalCursors(found.cursors).of("one")._read() is not None
        assert await count(found, "one") < 20
        assert await other.seen() == {"kept": "1"}

    play(story)


def test_servers_that_lost_their_disks_are_noted_on_again(play: Play) -> None:
    async def story(found: Journals, cursors: JournalCursors) -> None:
        one = cursors.of("one")
        await one.note({"a": "1"})
        await (await found.connection.context()).purge_stream(CURSORS)
        await one.note({"b": "1"})
        assert await one.seen() == {"b": "1"}

    play(story)


def test_what_is_not_open_and_what_cannot_be_read_is_told(play: Play) -> None:
    async def story(found: Journals, cursors: JournalCursors) -> None:
        with pytest.raises(StoreUnavailable, match="not open"):
            await JournalCursors(found.cursors).of("one").seen()
        await found.cursors.write_as_owner(subject_of("odd"), b"{}", b"nothing of ours")
        with pytest.raises(StoreUnavailable, match="cannot be read"):
            await cursors.of("odd").seen()

    play(story)
