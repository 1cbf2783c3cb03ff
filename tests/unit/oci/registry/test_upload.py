"""Blobs on their way up: mounted, whole, in chunks, and after everything that can break."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.unit.oci.registry.double import Double, Fault, Reply, digest_of, refused

from dayfly.model.errors import DayflyError, Forbidden, InvalidRequest, NotFound, Unavailable
from dayfly.oci.layout import Layout
from dayfly.oci.manifest import OCI_LAYER, Descriptor
from dayfly.oci.registry import upload
from dayfly.oci.registry.progress import Step

DATA = bytes(range(256)) * 40
BLOB = digest_of(DATA)


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upload, "WHOLE", 1_000)
    monkeypatch.setattr(upload, "CHUNK", 4_096)
    monkeypatch.setattr(upload, "LEAST_CHUNK", 1_024)
    monkeypatch.setattr(upload, "_PIECE", 512)


class Stage:
    """A layout with a blob in it, and the registry that it goes to."""

    def __init__(self, folder: Path, double: Double) -> None:
        self.layout = Layout.create(folder / "layout")
        self.double = double
        self.steps: list[Step] = []

    async def send(self, data: bytes = DATA, mounts: Sequence[str] = ()) -> Descriptor:
        blob = self.layout.put(data, OCI_LAYER)
        await self.send_blob(blob, mounts)
        assert self.double.blobs["app", blob.digest] == data
        return blob

    async def send_blob(self, blob: Descriptor, mounts: Sequence[str] = ()) -> None:
        async with self.double.session() as session:
            await upload.upload(session, "app", blob, self.layout, mounts=mounts, progress=self.steps.append)

    @property
    def sent(self) -> list[str]:
        """The ranges of the chunks, and that there was a last request."""
        return [
            each.headers.get("content-range", "end") for each in self.double.seen if each.method in ("PATCH", "PUT")
        ]


@pytest.fixture
def stage(tmp_path: Path) -> Callable[[Callable[[Stage], Awaitable[Any]]], None]:
    def run(test: Callable[[Stage], Awaitable[Any]]) -> None:
        async def main() -> None:
            async with Double() as double:
                await test(Stage(tmp_path, double))

        asyncio.run(main())

    return run


Run = Callable[[Callable[[Stage], Awaitable[Any]]], None]


def test_a_small_one_goes_in_one_piece(stage: Run) -> None:
    async def test(stage: Stage) -> None:
        await stage.send(b"small")
        assert [each.method for each in stage.double.seen] == ["GET", "HEAD", "POST", "PUT"]
        assert [(step.state, step.done) for step in stage.steps] == [("moving", 5), ("moved", 5)]

    stage(test)


def test_one_of_nothing_goes_too(stage: Run) -> None:
    async def test(stage: Stage) -> None:
        await stage.send(b"")

    stage(test)


def test_a_large_one_goes_in_chunks(stage: Run) -> None:
    async def test(stage: Stage) -> None:
        await stage.send()
        assert stage.sent == ["0-4095", "4096-8191", "8192-10239", "end"]
        done = [step.done for step in stage.steps]
        assert done == sorted(done)
        assert done[-1] == len(DATA)

    stage(test)


def test_one_that_is_there_is_not_sent(stage: Run) -> None:
    async def test(stage: Stage) -> None:
        stage.double.blobs["app", BLOB] = DATA
        await stage.send()
        assert stage.sent == []
        assert [step.state for step in stage.steps] == ["present"]

    stage(test)


def test_one_that_another_repository_has_is_mounted(stage: Run) -> None:
    async def test(stage: Stage) -> None:
        stage.double.blobs["base", BLOB] = DATA
        await stage.send(mounts=["other", "base"])
        assert stage.sent == []
        assert [step.state for step in stage.steps] == ["mounted"]

    stage(test)


def test_a_mount_that_is_not_for_us_is_an_upload(stage: Run) -> None:
    async def test(stage: Stage) -> None:
        stage.double.blobs["base", BLOB] = DATA
        stage.double.faults = [Fault("POST", "uploads", refused(403, "DENIED"))]
        await stage.send(mounts=["base"])
        assert stage.sent[-1] == "end"
        assert [each.query for each in stage.double.asked("POST")] == [{"mount": BLOB, "from": "base"}, {}]

    stage(test)


def test_an_upload_that_is_not_for_us_is_refused(stage: Run) -> None:
    async def test(stage: Stage) -> None:
        stage.double.faults = [Fault("POST", "uploads", refused(403, "DENIED"))]
        with pytest.raises(Forbidden, match=f"could not take {BLOB} into app: DENIED"):
            await stage.send()

    stage(test)


def test_after_a_cut_in_a_chunk_it_goes_on_where_the_registry_is(stage: Run) -> None:
    async def test(stage: Stage) -> None:
        stage.double.faults = [
            Fault("PATCH", "uploads", cut_request_after=0),
            Fault("PATCH", "uploads", cut_request_after=1_500),
        ]
        await stage.send()
        assert stage.sent == ["0-4095", "0-4095", "1500-5595", "5596-9691", "9692-10239", "end"]

    stage(test)


def test_it_goes_on_as_long_as_it_gets_further(stage: Run) -> None:
    async def test(stage: Stage) -> None:
        stage.double.faults = [Fault("PATCH", "uploads", cut_request_after=700) for _ in range(12)]
        await stage.send()
        assert stage.sent[:3] == ["0-4095", "700-4795", "1400-5495"]
        assert set(stage.double.slept) == {0.5}

    stage(test)


def test_one_that_gets_nowhere_is_given_up(stage: Run) -> None:
    async def test(stage: Stage) -> None:
        stage.double.faults = [Fault("PATCH", "uploads", cut_request_after=0) for _ in range(99)]
        with pytest.raises(Unavailable, match="broke off"):
            await stage.send()
        assert len(stage.double.asked("PATCH")) == 5

    stage(test)


def test_a_chunk_whose_answer_is_lost_is_not_sent_again(stage: Run) -> None:
    async def test(stage: Stage) -> None:
        stage.double.faults = [Fault("PATCH", "uploads", cut_answer_after=0)]
        await stage.send()
        assert stage.sent == ["0-4095", "4096-8191", "8192-10239", "end"]

    stage(test)


@pytest.mark.parametrize("data", [DATA, b"small"])
def test_an_end_whose_answer_is_lost_is_found_done(stage: Run, data: bytes) -> None:
    async def test(stage: Stage) -> None:
        stage.double.faults = [Fault("PUT", "uploads", cut_answer_after=0)]
        await stage.send(data)
        assert stage.sent[-1] == "end"
        assert stage.sent.count("end") == 1

    stage(test)


def test_a_small_one_that_was_cut_goes_on_in_chunks(stage: Run) -> None:
    async def test(stage: Stage) -> None:
        stage.double.faults = [Fault("PUT", "uploads", cut_request_after=200)]
        await stage.send(bytes(900))
        assert stage.sent == ["end", "200-899", "end"]

    stage(test)


@pytest.mark.parametrize("reply", [refused(404, "BLOB_UPLOAD_UNKNOWN"), refused(416, "RANGE_INVALID")])
def test_an_upload_that_the_registry_lost_is_begun_anew(stage: Run, reply: Reply) -> None:
    async def test(stage: Stage) -> None:
        stage.double.faults = [
            Fault("PATCH", "upload-0$", msgspec.structs.replace(reply)),
        ]
        await stage.send()
        assert len(stage.double.asked("POST")) == 2

    stage(test)


def test_and_not_for_ever(stage: Run) -> None:
    async def test(stage: Stage) -> None:
        stage.double.faults = [Fault("PATCH", "uploads", refused(404, "BLOB_UPLOAD_UNKNOWN")) for _ in range(99)]
        with pytest.raises(Unavailable, match=r"was lost 5 times: .*BLOB_UPLOAD_UNKNOWN"):
            await stage.send()
        assert len(stage.double.asked("POST")) == 5

    stage(test)


def test_busy_registries_are_waited_for(stage: Run) -> None:
    async def test(stage: Stage) -> None:
        stage.double.faults = [
            Fault("POST", "uploads", refused(429, "TOOMANYREQUESTS", Retry_After="3")),
            Fault("PATCH", "uploads", refused(429, "TOOMANYREQUESTS", Retry_After="4")),
            Fault("PATCH", "uploads", Reply(500)),
            Fault("PUT", "uploads", Reply(503)),
        ]
        await stage.send()
        assert stage.double.slept[:2] == [3.0, 4.0]
        assert stage.sent == ["0-4095", "0-4095", "0-4095", "4096-8191", "8192-10239", "end", "end"]

    stage(test)


def test_a_refusal_is_not_tried_again(stage: Run) -> None:
    async def test(stage: Stage) -> None:
        stage.double.faults = [Fault("PUT", "uploads", refused(400, "UNSUPPORTED", "no blobs today"))]
        with pytest.raises(InvalidRequest, match="no blobs today"):
            await stage.send()
        assert stage.sent.count("end") == 1

    stage(test)


def test_what_arrives_as_something_else_is_sent_anew_and_then_given_up(stage: Run) -> None:
    async def test(stage: Stage) -> None:
        wrong = refused(400, "DIGEST_INVALID")
        stage.double.faults = [Fault("PUT", "uploads", wrong)]
        await stage.send()
        assert len(stage.double.asked("POST")) == 2
        del stage.double.blobs["app", BLOB]
        stage.double.faults = [Fault("PUT", "uploads", wrong) for _ in range(99)]
        with pytest.raises(Unavailable, match="DIGEST_INVALID"):
            await stage.send()

    stage(test)


def test_a_registry_that_took_something_else_is_not_believed(stage: Run) -> None:
    async def test(stage: Stage) -> None:
        other = Reply(201, {"Docker-Content-Digest": digest_of(b"other")})
        stage.double.faults = [Fault("PUT", "uploads", other) for _ in range(99)]
        with pytest.raises(Unavailable, match=f"took {BLOB} for {digest_of(b'other')}"):
            await stage.send()

    stage(test)


@pytest.mark.parametrize("said", ["0-99999999", "garbage", ""])
def test_a_registry_that_says_it_has_what_it_cannot_have_is_sent_all_again(stage: Run, said: str) -> None:
    async def test(stage: Stage) -> None:
        lie = Reply(204, {"Range": said})
        stage.double.faults = [Fault("PATCH", "uploads", cut_request_after=10), Fault("GET", "uploads", lie)]
        await stage.send()
        assert len(stage.double.asked("POST")) == 2

    stage(test)


def test_a_registry_that_keeps_nothing_is_left(stage: Run) -> None:
    async def test(stage: Stage) -> None:
        def nothing(reply: Reply) -> Reply:
            return Reply(202, {**reply.headers, "Range": "0-0"})

        stage.double.faults = [Fault("PATCH", "uploads", change=nothing) for _ in range(99)]
        with pytest.raises(Unavailable, match="keeps nothing of what it is sent"):
            await stage.send()

    stage(test)


def test_a_registry_that_took_part_of_a_chunk_gets_the_rest(stage: Run) -> None:
    async def test(stage: Stage) -> None:
        def part(reply: Reply) -> Reply:
            upload_id = reply.headers["Location"].rpartition("/")[2]
            del stage.double.uploads[upload_id][1_000:]
            return Reply(202, {**reply.headers, "Range": "0-999"})

        stage.double.faults = [Fault("PATCH", "uploads", change=part)]
        await stage.send()
        assert stage.sent[:2] == ["0-4095", "1000-5095"]

    stage(test)


def test_chunks_that_are_too_large_become_smaller(stage: Run) -> None:
    async def test(stage: Stage) -> None:
        stage.double.faults = [Fault("PATCH", "uploads", Reply(413)) for _ in range(2)]
        await stage.send()
        assert stage.sent[:4] == ["0-4095", "0-2047", "0-1023", "1024-2047"]
        del stage.double.blobs["app", BLOB]
        stage.double.faults = [Fault("PATCH", "uploads", Reply(413)) for _ in range(99)]
        with pytest.raises(DayflyError, match="answered 413"):
            await stage.send()

    stage(test)


def test_chunks_are_as_large_as_the_registry_needs_them(stage: Run) -> None:
    async def test(stage: Stage) -> None:
        stage.double.headers = {"OCI-Chunk-Min-Length": "8000"}
        await stage.send()
        assert stage.sent == ["0-7999", "8000-10239", "end"]

    stage(test)


def test_what_is_damaged_here_does_not_leave(stage: Run) -> None:
    async def test(stage: Stage) -> None:
        blob = stage.layout.put(DATA, OCI_LAYER)
        path = stage.layout.path(blob)
        path.write_bytes(DATA[:-1] + b"x")
        with pytest.raises(InvalidRequest, match="is damaged"):
            await stage.send_blob(blob)
        assert stage.double.asked("POST") == []
        path.unlink()
        with pytest.raises(NotFound, match="does not hold the blob"):
            await stage.send_blob(blob)

    stage(test)


def test_an_upload_may_go_to_another_host_without_credentials(stage: Run) -> None:
    async def test(stage: Stage) -> None:
        from tests.unit.oci.registry.test_session import BASIC, LOGIN

        async with Double() as storage:
            stage.double.challenge, stage.double.authorization = BASIC["challenge"], BASIC["authorization"]
            storage.uploads["u"] = bytearray()
            elsewhere = Reply(202, {"Location": f"http://{storage.host}/v2/app/blobs/uploads/u"})
            stage.double.faults = [Fault("POST", "uploads", elsewhere)]
            blob = stage.layout.put(DATA, OCI_LAYER)
            async with stage.double.session(login=LOGIN) as session:
                await upload.upload(session, "app", blob, stage.layout)
            assert storage.blobs["app", BLOB] == DATA
            assert all("authorization" not in each.headers for each in storage.seen)

    stage(test)
