"""Buckets as a source of events, against a real server: what is told when, over restarts, and what goes wrong."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.contract.source.rig import DEADLINE_S, WRONG, lost, running
from tests.contract.source.servers.rclone import ACCESS, SECRET, S3Server
from tests.ports import free_port

from dayfly.control.clock import SystemClock
from dayfly.events.sources import s3
from dayfly.model.trigger_secret import Credentials
from dayfly.model.trigger_source import S3Source
from dayfly.storage.cursors import SqliteCursors


class Rig:
    """A bucket, which is a folder of the server's, and sources that look at it all the time."""

    def __init__(self, server: S3Server, folder: Path) -> None:
        self.server = server
        self.bucket = server.folder / "bucket"
        self.cursors = SqliteCursors(folder / "cursors.db")
        self.bucket.mkdir()
        self._folder = folder
        self.put("old", b"1")

    def put(self, name: str, content: bytes) -> None:
        """Let there be an object, whole at once: a file that is being written is one of no bytes first."""
        written = self._folder / "written"
        written.write_bytes(content)
        written.replace(self.bucket / name)

    def source(self, password: str = SECRET, *, trusting: bool = True, **settings: Any) -> s3.Bucket:
        """Return a source of the bucket, which goes on where the one before ended."""
        defaults = {"endpoint": self.server.endpoint, "bucket": "bucket", "interval": "20ms"}
        ca = self.server.certificates.ca_text if trusting else ""
        return s3.Bucket(
            S3Source(**{**defaults, **settings}), Credentials(user=ACCESS, password=password, ca=ca), SystemClock(),
            self.cursors.of("it"),
        )  # fmt: skip


@asynccontextmanager
async def rig_in(folder: Path, *, tls: bool = False) -> AsyncIterator[Rig]:
    server = S3Server(folder, tls=tls)
    await asyncio.to_thread(server.start)
    rig = Rig(server, folder)
    try:
        async with asyncio.timeout(DEADLINE_S):
            yield rig
    finally:
        server.close()
        await rig.cursors.close()


def run(check: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run a check, where there is a server."""
    if why := S3Server.why_none():
        pytest.skip(why)
    asyncio.run(check())


def test_what_comes_changes_and_goes_is_told_once_over_restarts(tmp_path: Path) -> None:
    async def check() -> None:
        both = ("created", "removed")
        async with rig_in(tmp_path) as rig:
            async with running(rig.source(events=both)) as recorder:
                rig.put("new ä+%2F&.txt", b"22")
                (event,) = await recorder.until(1)
                assert (event.subject, event.type) == ("new ä+%2F&.txt", "com.dayfly.s3.object.created")
                assert event.source == f"{rig.server.endpoint}/bucket"
                told = json.loads(event.data)
                assert (told["bucket"], told["key"], told["size"]) == ("bucket", event.subject, 2)
                rig.put("old", b"changed")
                await recorder.until(2)
                (rig.bucket / "old").unlink()
                await recorder.until(3)
                rig.put("noted", b"")
                await recorder.until(4)
                while "noted" not in (await rig.cursors.of("it").seen() or {}):
                    pass
            assert [each.subject for each in recorder.events[1:]] == ["old", "old", "noted"]
            assert recorder.events[2].type == "com.dayfly.s3.object.removed"
            assert len({each.id for each in recorder.events}) == 4
            rig.put("meanwhile", b"")
            (rig.bucket / "noted").unlink()
            async with running(rig.source(events=both)) as recorder:
                assert {each.subject for each in await recorder.until(2)} == {"meanwhile", "noted"}
                rig.put("last", b"")
                assert (await recorder.until(3))[2].subject == "last"

    run(check)


def test_what_was_not_delivered_when_the_source_ends_comes_again(tmp_path: Path) -> None:
    async def check() -> None:
        async with rig_in(tmp_path) as rig:
            async with running(rig.source()) as recorder:
                recorder.gate.clear()
                rig.put("a", b"")
                before = await recorder.until(1)
            async with running(rig.source()) as recorder:
                assert await recorder.until(1) == before

    run(check)


def test_a_large_bucket_is_read_page_by_page_and_in_part(tmp_path: Path) -> None:
    async def check() -> None:
        async with rig_in(tmp_path) as rig:
            (rig.bucket / "in").mkdir()
            for number in range(1050):
                (rig.bucket / "in" / f"{number:04}.csv").touch()
            (rig.bucket / "in" / "other.txt").touch()
            (rig.bucket / "outside.csv").touch()
            source = rig.source(start="earliest", prefix="in/", suffix=".csv")
            async with running(source) as recorder:
                await recorder.until(1050)
                (rig.bucket / "in" / "z.csv").touch()
                events = await recorder.until(1051)
            assert sorted(each.subject for each in events) == [
                *(f"in/{each:04}.csv" for each in range(1050)),
                "in/z.csv",
            ]

    run(check)


def test_a_bucket_of_more_objects_than_can_be_held_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(s3, "MAX_OBJECTS", 0)

    async def check() -> None:
        async with rig_in(tmp_path) as rig:
            assert "more than 0 objects are there: give a prefix" in await lost(rig.source())

    run(check)


def test_what_the_server_refuses_is_told_without_the_secret(tmp_path: Path) -> None:
    async def check() -> None:
        async with rig_in(tmp_path) as rig:
            told = await lost(rig.source(password=WRONG))
            assert told == f"{rig.server.endpoint}/bucket: the server refused: SignatureDoesNotMatch"
            assert "refused: NoSuchBucket" in await lost(rig.source(bucket="missing"))
            assert "nobody listens" in await lost(rig.source(endpoint=f"http://localhost:{free_port()}"))

    run(check)


def test_tls_is_had_with_an_authority_that_is_known_and_with_no_other(tmp_path: Path) -> None:
    async def check() -> None:
        async with rig_in(tmp_path, tls=True) as rig:
            assert "certificate is not trusted" in await lost(rig.source(trusting=False))
            async with running(rig.source(start="earliest")) as recorder:
                assert (await recorder.until(1))[0].subject == "old"

    run(check)
