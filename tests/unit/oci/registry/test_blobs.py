"""Blobs on their way down: complete, checked, from wherever the registry points to."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from tests.unit.oci.registry.double import Double, Fault, Reply

from dayfly.model.errors import InvalidRequest, NotFound, Unavailable
from dayfly.oci.layout import Layout
from dayfly.oci.manifest import OCI_LAYER, Descriptor, describe
from dayfly.oci.registry.blobs import download
from dayfly.oci.registry.progress import Step

DATA = bytes(range(256)) * 4_000
BLOB = describe(DATA, OCI_LAYER)
Test = Callable[[Double, Callable[..., Awaitable[None]]], Awaitable[Any]]


@pytest.fixture
def run(tmp_path: Path) -> Callable[[Test], Layout]:
    layout = Layout.create(tmp_path / "layout")

    def run(test: Test) -> Layout:
        async def main() -> None:
            async with Double() as double:
                double.blobs["app", BLOB.digest] = DATA

                async def fetch(blob: Descriptor = BLOB, steps: list[Step] | None = None) -> None:
                    async with double.session() as session:
                        await download(session, "app", blob, layout, (steps if steps is not None else []).append)

                await test(double, fetch)

        asyncio.run(main())
        return layout

    return run


Run = Callable[[Test], Layout]


def test_it_arrives_and_is_not_asked_for_again(run: Run) -> None:
    async def test(double: Double, fetch: Any) -> None:
        steps: list[Step] = []
        await fetch(steps=steps)
        await fetch(steps=steps)
        assert len(double.asked("GET", "blobs")) == 1
        assert [step.state for step in steps][-2:] == ["moved", "present"]
        assert [step.done for step in steps] == sorted(step.done for step in steps)

    assert run(test).read(BLOB) == DATA


def test_one_of_nothing_arrives(run: Run) -> None:
    nothing = describe(b"", OCI_LAYER)

    async def test(double: Double, fetch: Any) -> None:
        double.blobs["app", nothing.digest] = b""
        await fetch(nothing)

    assert run(test).has(nothing)


def test_after_a_cut_only_the_rest_is_asked_for(run: Run) -> None:
    async def test(double: Double, fetch: Any) -> None:
        double.faults = [
            Fault("GET", "blobs", cut_answer_after=600_000),
            Fault("GET", "blobs", cut_answer_after=100_000),
        ]
        await fetch()
        ranges = [each.headers.get("range", "") for each in double.asked("GET", "blobs")]
        starts = [int(each.removeprefix("bytes=").rstrip("-")) for each in ranges[1:]]
        assert ranges[0] == ""
        assert 0 < starts[0] <= 600_000
        assert starts[0] < starts[1] <= 700_000

    assert run(test).read(BLOB) == DATA


def test_who_knows_no_ranges_sends_it_all_again(run: Run) -> None:
    async def test(double: Double, fetch: Any) -> None:
        double.faults = [
            Fault("GET", "blobs", cut_answer_after=600_000),
            Fault("GET", "blobs", Reply(200, {}, DATA)),
        ]
        await fetch()

    assert run(test).read(BLOB) == DATA


def test_another_range_than_the_one_asked_for_is_refused(run: Run) -> None:
    async def test(double: Double, fetch: Any) -> None:
        double.faults = [
            Fault("GET", "blobs", cut_answer_after=600_000),
            Fault("GET", "blobs", Reply(206, {"Content-Range": "bytes 1-2/3"}, DATA)),
        ]
        with pytest.raises(InvalidRequest, match="were asked for, and 'bytes 1-2/3' came"):
            await fetch()

    run(test)


def test_one_that_breaks_off_again_and_again_is_given_up(run: Run) -> None:
    async def test(double: Double, fetch: Any) -> None:
        double.faults = [Fault("GET", "blobs", cut_answer_after=0) for _ in range(99)]
        with pytest.raises(Unavailable, match="broke off"):
            await fetch()
        assert len(double.faults) > 50

    assert not run(test).has(BLOB)


@pytest.mark.parametrize("data", [DATA[:-1] + b"x", DATA[1:] + b"x"])
def test_what_is_not_what_its_digest_says_does_not_stay(run: Run, data: bytes) -> None:
    async def test(double: Double, fetch: Any) -> None:
        double.blobs["app", BLOB.digest] = data
        with pytest.raises(InvalidRequest, match=f"{BLOB.digest} .* was expected"):
            await fetch()

    layout = run(test)
    assert list((layout.folder / "blobs/sha256").iterdir()) == []


def test_nothing_is_read_beyond_what_it_should_have(run: Run) -> None:
    async def test(double: Double, fetch: Any) -> None:
        double.blobs["app", BLOB.digest] = DATA + b"more"
        with pytest.raises(InvalidRequest, match=f"more than the {len(DATA)} bytes"):
            await fetch()

    run(test)


def test_one_that_is_shorter_than_it_should_be_is_not_kept(run: Run) -> None:
    async def test(double: Double, fetch: Any) -> None:
        double.blobs["app", BLOB.digest] = DATA[:-5]
        with pytest.raises(InvalidRequest, match="was expected"):
            await fetch()

    run(test)


def test_what_is_not_there_is_told(run: Run) -> None:
    async def test(double: Double, fetch: Any) -> None:
        double.blobs.clear()
        with pytest.raises(NotFound, match=f"could not give {BLOB.digest} of app: BLOB_UNKNOWN"):
            await fetch()

    run(test)


def test_storage_elsewhere_is_asked_without_credentials_also_for_the_rest(run: Run) -> None:
    async def test(double: Double, fetch: Any) -> None:
        async with Double() as storage:
            storage.blobs["store", BLOB.digest] = DATA
            storage.faults = [Fault("GET", "store", cut_answer_after=600_000)]
            away = Reply(307, {"Location": f"http://{storage.host}/v2/store/blobs/{BLOB.digest}"})
            double.faults = [Fault("GET", "blobs", away) for _ in range(2)]
            await fetch()
            assert [bool(each.headers.get("range")) for each in storage.seen] == [False, True]
            assert all("authorization" not in each.headers for each in storage.seen)

    assert run(test).read(BLOB) == DATA
