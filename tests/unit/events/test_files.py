"""A folder that files are dropped into, also by people who mean no good."""

import asyncio
import logging
import os
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from tests.contract.source.rig import Recorder, lost, running

from dayfly.control.clock import ManualClock, SystemClock, Timer
from dayfly.events.sources.files import Files
from dayfly.events.sources.folder import Changed, Folder, TooLarge
from dayfly.model.trigger_source import FilesSource
from dayfly.storage.cursors import SqliteCursors


class Rig:
    """A folder, and what a source makes of it."""

    def __init__(self, tmp_path: Path) -> None:
        self.folder = tmp_path / "in"
        self.folder.mkdir()
        self.cursors = SqliteCursors(tmp_path / "cursors.db")

    def source(self, **settings: str) -> Files:
        """Return a source that looks all the time."""
        spec = FilesSource(**{"folder": str(self.folder), "interval": "1ms", **settings})  # type: ignore[arg-type]
        return Files(spec, SystemClock(), self.cursors.of("it"))

    def names(self, below: str = ".") -> list[str]:
        """Return the names that are there."""
        return sorted(os.listdir(self.folder / below))


def put(path: bytes, content: bytes) -> None:
    """Write a file of any name."""
    with open(path, "wb") as file:
        file.write(content)


def try_out(tmp_path: Path, check: Callable[[Rig], Awaitable[None]]) -> None:
    """Run a check on a folder of its own."""

    async def body() -> None:
        rig = Rig(tmp_path)
        async with asyncio.timeout(60):
            await check(rig)
            await rig.cursors.close()

    asyncio.run(body())


async def until(condition: Callable[[], bool]) -> None:
    """Wait for it."""
    while not condition():  # noqa: ASYNC110 # a folder tells nobody
        await asyncio.sleep(0.001)


async def twice(recorder: Recorder, rig: Rig) -> None:
    """Return once a file that came now was delivered, so that every other one was looked at."""
    count = len(recorder.events)
    (rig.folder / "~last").write_bytes(b"last")
    await recorder.until(count + 1)


def test_a_delivered_file_goes_into_the_folder_of_those_that_are_done(tmp_path: Path) -> None:
    async def check(rig: Rig) -> None:
        (rig.folder / "a.json").write_bytes(b"{}")
        async with running(rig.source()) as recorder:
            event = (await recorder.until(1))[0]
            await until(lambda: rig.names() == [".done"])
            (rig.folder / "a.json").write_bytes(b"[]")
            again = (await recorder.until(2))[1]
            await until(lambda: rig.names() == [".done"])
        assert (event.subject, event.content_type, event.data) == ("a.json", "application/json", b"{}")
        assert event.type == "com.dayfly.file.arrived"
        assert event.source == f"file://{rig.folder}"
        assert event.id != again.id
        first, second = rig.names(".done")
        assert first == "a.json"
        assert second.startswith("a.json."), "nothing is overwritten"

    try_out(tmp_path, check)


def test_a_delivered_file_is_deleted_where_that_is_wanted(tmp_path: Path) -> None:
    async def check(rig: Rig) -> None:
        (rig.folder / "a").write_bytes(b"1")
        async with running(rig.source(taken="delete", body="name")) as recorder:
            assert (await recorder.until(1))[0].data == b""
            await until(lambda: rig.names() == [])

    try_out(tmp_path, check)


def test_what_stays_comes_once_and_again_when_it_changes(tmp_path: Path) -> None:
    async def check(rig: Rig) -> None:
        (rig.folder / "a").write_bytes(b"1")
        async with running(rig.source(taken="keep")) as recorder:
            await twice(recorder, rig)
            while len(await rig.cursors.of("it").seen() or {}) < 2:
                pass
        async with running(rig.source(taken="keep")) as recorder:
            (rig.folder / "a").write_bytes(b"22")
            assert [event.data for event in await recorder.until(1)] == [b"22"]
            (rig.folder / "b").write_bytes(b"3")
            assert [event.data for event in await recorder.until(2)] == [b"22", b"3"]
        assert {"a", "b"} <= set(rig.names())

    try_out(tmp_path, check)


class TurnedClock(ManualClock):
    """A clock that stands still, and tells when somebody waits for it."""

    def __init__(self) -> None:
        super().__init__()
        self.waited_for = asyncio.Event()

    def call_at(self, when: float, callback: Callable[[], None]) -> Timer:
        """Tell of it."""
        self.waited_for.set()
        return super().call_at(when, callback)

    async def turn(self) -> None:
        """Let the folder be looked at once more."""
        self.waited_for.clear()
        self.advance(1.0)
        await self.waited_for.wait()


def test_a_file_that_is_being_written_is_left_until_it_was_the_same_at_two_looks(tmp_path: Path) -> None:
    async def check(rig: Rig) -> None:
        clock = TurnedClock()
        (rig.folder / "long").write_bytes(b"the first")
        source = Files(FilesSource(folder=str(rig.folder)), clock, rig.cursors.of("it"))
        async with running(source) as recorder:
            await clock.waited_for.wait()
            (rig.folder / "long").write_bytes(b"the first and the second half")
            await clock.turn()
            assert recorder.events == []
            await clock.turn()
            assert [event.data for event in recorder.events] == [b"the first and the second half"]

    try_out(tmp_path, check)


def test_a_file_that_grows_is_never_read_in_part(tmp_path: Path) -> None:
    async def check(rig: Rig) -> None:
        async with running(rig.source()) as recorder:
            with (rig.folder / "long").open("wb", buffering=0) as file:
                for _ in range(200):
                    file.write(b"x" * 100)
                    await asyncio.sleep(0)
            await until(lambda: ".done" in rig.names())
        assert [len(event.data) for event in recorder.events][-1] == 20_000

    try_out(tmp_path, check)


def test_nobody_is_led_elsewhere(tmp_path: Path) -> None:
    async def check(rig: Rig) -> None:
        secret = tmp_path / "secret"
        secret.write_bytes(b"of somebody else")
        (rig.folder / "link").symlink_to(secret)
        os.link(secret, rig.folder / "hard")
        os.mkfifo(rig.folder / "pipe")
        (rig.folder / "folder").mkdir()
        (rig.folder / ".hidden").write_bytes(b"not yet")
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(str(rig.folder / "socket"))
        async with running(rig.source()) as recorder:
            await twice(recorder, rig)
            await twice(recorder, rig)
        assert {event.data for event in recorder.events} == {b"last"}
        assert secret.read_bytes() == b"of somebody else"

    try_out(tmp_path, check)


def test_a_link_in_place_of_the_folder_of_done_files_is_not_followed(tmp_path: Path) -> None:
    async def check(rig: Rig) -> None:
        (tmp_path / "elsewhere").mkdir()
        (rig.folder / ".done").symlink_to(tmp_path / "elsewhere")
        (rig.folder / "a").write_bytes(b"1")
        assert "file://" in await lost(rig.source())
        assert list((tmp_path / "elsewhere").iterdir()) == []

    try_out(tmp_path, check)


@pytest.mark.parametrize("name", [b"new\nline", b"\x1b[31mred", b"\xff\xfe", "Zähler".encode(), b"a%2Fb", b"x" * 255])
def test_any_name_can_be_delivered(tmp_path: Path, name: bytes) -> None:
    async def check(rig: Rig) -> None:
        path = os.path.join(os.fsencode(rig.folder), name)
        for number in range(2):
            put(path, b"%d" % number)
            async with running(rig.source()) as recorder:
                event = (await recorder.until(1))[0]
                await until(lambda: rig.names() == [".done"])
            assert event.id.isascii()
            assert event.id.isprintable()
            assert event.subject.isprintable()

    try_out(tmp_path, check)


def test_what_is_too_large_or_refused_is_put_aside(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def check(rig: Rig) -> None:
        (rig.folder / "large").write_bytes(bytes(1025))
        (rig.folder / "unwanted").write_bytes(b"never")
        recorder = Recorder()
        recorder.refused.add(b"never")
        task = asyncio.create_task(rig.source(max_size="1Ki").run(recorder.deliver, recorder.is_ready.set))
        await until(lambda: rig.names() == [".refused"])
        task.cancel()
        await asyncio.wait((task,))
        assert rig.names(".refused") == ["large", "unwanted"]

    with caplog.at_level(logging.WARNING):
        try_out(tmp_path, check)
    assert "a file is larger than 1Ki" in caplog.text


def test_a_folder_that_is_missing_or_reached_over_a_link_is_told(tmp_path: Path) -> None:
    async def check(rig: Rig) -> None:
        assert "there is no such folder" in await lost(rig.source(folder=str(tmp_path / "none")))
        (tmp_path / "link").symlink_to(rig.folder)
        assert f"links lead elsewhere, to {rig.folder}" in await lost(rig.source(folder=str(tmp_path / "link")))

    try_out(tmp_path, check)


def test_a_file_that_vanishes_while_it_is_delivered_harms_nobody(tmp_path: Path) -> None:
    async def check(rig: Rig) -> None:
        (rig.folder / "a").write_bytes(b"1")
        async with running(rig.source()) as recorder:
            recorder.gate.clear()
            await recorder.until(1)
            (rig.folder / "a").unlink()
            recorder.gate.set()
            await twice(recorder, rig)
        assert [event.data for event in recorder.events] == [b"1", b"last"]

    try_out(tmp_path, check)


def test_what_takes_a_file_s_place_after_the_look_is_not_read_or_moved(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    file, elsewhere = tmp_path / "in" / "a", tmp_path / "elsewhere"
    elsewhere.write_bytes(b"2")
    folder = Folder(str(tmp_path / "in"), "*")
    assert folder.open() == ""
    try:
        for replace in (lambda: file.symlink_to(elsewhere), lambda: os.mkfifo(file), lambda: file.write_bytes(b"22")):
            file.write_bytes(b"1")
            found = folder.look()["a"]
            assert folder.read(found, 1) == b"1"
            with pytest.raises(TooLarge):
                folder.read(found, 0)
            file.unlink()
            replace()
            with pytest.raises(Changed):
                folder.read(found, 1)
            folder.move(found, ".done")
            folder.delete(found)
            assert file.is_symlink() or file.exists()
            file.unlink()
    finally:
        folder.close()
