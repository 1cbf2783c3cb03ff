"""A thread that writes: what waits is written at the end too, who waits is told, and nobody waits for ever."""

import asyncio
import logging
import threading
from collections.abc import Awaitable, Callable

import pytest

from dayfly.model.errors import StoreUnavailable
from dayfly.model.names import NamespaceName
from dayfly.observe.writer import Writer

TEAM = NamespaceName("team")


class File:
    """What was written, and what cannot be."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.gone: list[str] = []
        self.tended: list[bool] = []
        self.failure: StoreUnavailable | None = None
        self.hold = threading.Lock()
        self.writer = Writer[str]("notes", self.write, self.forget, self.tended.append)

    def write(self, batch: list[str], _at_once: bool) -> StoreUnavailable | None:
        with self.hold:
            if batch and self.failure is None:
                self.batches.append(batch)
            return self.failure

    def forget(self, namespace: NamespaceName) -> StoreUnavailable | None:
        self.gone.append(namespace)
        return self.failure

    def put(self, *notes: str) -> None:
        with self.writer.changed:
            self.writer.pending += notes
            self.writer.weight += len(notes)
            self.writer.changed.notify()


def play(story: Callable[[File], Awaitable[None]]) -> File:
    async def main() -> File:
        file = File()
        file.writer.start()
        try:
            await story(file)
        finally:
            await file.writer.close()
        return file

    return asyncio.run(main())


def test_a_flush_comes_back_when_all_that_waited_is_written() -> None:
    async def story(file: File) -> None:
        file.put("a", "b")
        await file.writer.flush()
        assert [note for batch in file.batches for note in batch] == ["a", "b"]
        assert (file.writer.pending, file.writer.weight) == ([], 0)
        await file.writer.flush()

    play(story)


def test_what_waits_when_it_closes_is_written_and_who_waits_is_told() -> None:
    async def story(file: File) -> None:
        with file.hold:
            file.put("a")
            waits = asyncio.create_task(file.writer.flush()), asyncio.create_task(file.writer.forget(TEAM))
            await asyncio.sleep(0)
            closing = asyncio.create_task(file.writer.close())
            await asyncio.sleep(0)
            file.put("b")
        assert await closing
        await asyncio.gather(*waits)
        assert [note for batch in file.batches for note in batch] == ["a", "b"]
        assert file.gone == ["team"]
        assert file.tended[-1]

    file = play(story)
    assert asyncio.run(file.writer.close()) is False, "once is enough"


def test_where_nothing_is_written_nobody_waits() -> None:
    async def main() -> None:
        writer = File().writer
        await writer.flush()
        with pytest.raises(StoreUnavailable, match="the store of notes is closed"):
            await writer.forget(TEAM)

    asyncio.run(main())


def test_what_is_lost_is_told_once_and_what_cannot_be_forgotten_to_who_asked(caplog: pytest.LogCaptureFixture) -> None:
    async def story(file: File) -> None:
        file.failure = StoreUnavailable("the disk is full")
        for _ in range(2):
            file.writer.dropped += 1
            file.put("a")
            await file.writer.flush()
        with pytest.raises(StoreUnavailable, match="the disk is full"):
            await file.writer.forget(TEAM)
        file.failure = None
        file.put("b")
        await file.writer.flush()

    with caplog.at_level(logging.WARNING):
        play(story)
    assert [record.getMessage() for record in caplog.records] == [
        "notes are dropped until the disk takes them again: the disk is full",
        "notes are kept again dropped=2",
    ]


def test_it_tends_to_what_is_wanted_without_anything_to_write() -> None:
    async def story(file: File) -> None:
        wanted = [True]
        tended = asyncio.Event()
        file.writer._wants = lambda: bool(wanted)

        def tend(_is_closing: bool) -> None:
            wanted.clear()
            file.writer.tell(tended.set)

        file.writer._tend = tend
        with file.writer.changed:
            file.writer.changed.notify()
        await tended.wait()

    play(story)
