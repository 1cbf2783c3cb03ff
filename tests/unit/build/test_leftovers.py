"""What no revision needs is removed, and nothing that somebody may be about to use."""

import asyncio
import hashlib
import logging
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.unit.build.archives import honest

from dayfly.build import leftovers
from dayfly.build.leftovers import Leftovers
from dayfly.build.prepare import Prepare
from dayfly.build.requirements import parse_requirements
from dayfly.build.uses import Uses
from dayfly.model.errors import StoreUnavailable
from dayfly.model.function import FunctionSpec
from dayfly.model.names import BundleDigest
from dayfly.storage.blobs import FileBlobs
from dayfly.storage.claims import CLAIM_S, Claims

LONG_AGO_S = 2 * CLAIM_S
WANTED = parse_requirements(b"colours==1\n")


class House:
    """The folders of one installation, and what its store says is used."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.used: set[BundleDigest] = set()
        self.broken = False
        for name in ("code", "layers"):
            (root / name).mkdir()
        self.open()

    def open(self) -> None:
        """Begin another life of the control plane, which remembers nothing."""
        self.blobs = FileBlobs(self.root / "blobs")
        self.prepare = Prepare(self.blobs, self.root / "code", self.root / "layers", sys.executable)
        self.leftovers = Leftovers(self.blobs, self.prepare.places, self._ask)

    async def _ask(self) -> set[BundleDigest]:
        if self.broken:
            raise StoreUnavailable("the disk is gone")
        return set(self.used)

    async def deployed(self, text: str, layer: str = "") -> BundleDigest:
        """Upload a bundle and have it made ready, with a layer that was installed before, long ago."""
        digest = await self.upload(text)
        name = digest.removeprefix("sha256:")
        await self.prepare.prepare(FunctionSpec(name="f", bundle=digest))
        if layer:
            (self.root / "layers" / layer / "site").mkdir(parents=True, exist_ok=True)
            self.prepare.places.uses.note(name, [layer])
        os.utime(self.root / "blobs" / "sha256" / name, (0, 0))
        return digest

    async def upload(self, text: str) -> BundleDigest:
        data = honest({"handler.py": text.encode()})
        digest = BundleDigest(f"sha256:{hashlib.sha256(data).hexdigest()}")
        await self.blobs.put(digest, pieces(data), 1 << 20)
        return digest

    def there(self) -> tuple[set[str], set[str], set[str]]:
        """The names of bundles, code and layers, all that lies there."""
        blobs, code, layers = (
            {each.name[:16] for each in (self.root / folder).iterdir()} for folder in ("blobs/sha256", "code", "layers")
        )
        return blobs, code, layers

    def names(self, *digests: BundleDigest) -> tuple[set[str], set[str]]:
        found = {digest.removeprefix("sha256:")[:16] for digest in digests}
        return found, found

    async def two_passes(self) -> None:
        for _ in range(2):
            await self.leftovers.sweep()


async def pieces(data: bytes) -> AsyncIterator[bytes]:
    yield data


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def test_what_no_revision_uses_is_removed_at_the_second_sight(house: House) -> None:
    async def main() -> None:
        old, new = await house.deployed("old", "a"), await house.deployed("new", "b")
        house.used = {new}
        house.open()
        before = house.there()
        await house.leftovers.sweep()
        assert house.there() == before
        await house.leftovers.sweep()
        assert house.there() == (*house.names(new), {"b"})
        with pytest.raises(Exception, match="was not uploaded"):
            house.blobs.path(old)

    asyncio.run(main())


def test_what_anybody_says_is_used_stays(house: House) -> None:
    async def main() -> None:
        old, new = await house.deployed("old"), await house.deployed("new")
        house.used = {new}
        house.open()

        async def built() -> set[BundleDigest]:
            return {old}

        house.leftovers = Leftovers(house.blobs, house.prepare.places, house._ask, built)
        await house.two_passes()
        assert house.blobs.path(old).is_file()
        assert house.blobs.path(new).is_file()

    asyncio.run(main())


def test_a_layer_that_another_revision_uses_stays(house: House) -> None:
    async def main() -> None:
        await house.deployed("old", "shared")
        house.used = {await house.deployed("new", "shared")}
        house.open()
        await house.two_passes()
        assert house.there()[2] == {"shared"}

    asyncio.run(main())


def test_what_was_uploaded_or_asked_for_lately_stays(house: House) -> None:
    async def main() -> None:
        asked = await house.deployed("asked")
        house.open()
        fresh = await house.upload("fresh")
        assert house.blobs.has(asked)
        await house.two_passes()
        assert house.there()[:2] == (house.names(asked, fresh)[0], house.names(asked)[0])

    asyncio.run(main())


def test_what_was_uploaded_shortly_before_a_restart_stays(house: House) -> None:
    async def main() -> None:
        digest = await house.upload("fresh")
        house.open()
        await house.two_passes()
        assert house.there()[0] == house.names(digest)[0]

    asyncio.run(main())


def test_a_layer_that_was_found_again_between_two_passes_stays(house: House) -> None:
    async def main() -> None:
        layers = house.prepare._wheels
        folder = await layers.folder(WANTED)
        (folder / "site").mkdir(parents=True)
        await house.leftovers.sweep()
        assert await layers.ensure(WANTED) == folder / "site"
        await house.two_passes()
        assert (folder / "site").is_dir()

    asyncio.run(main())


def test_who_asks_between_two_passes_keeps_it(house: House) -> None:
    async def main() -> None:
        digest = await house.deployed("code", "a")
        house.open()
        await house.leftovers.sweep()
        house.blobs.has(digest)
        house.prepare.places.claims.make("a")
        await house.two_passes()
        assert house.there() == (*house.names(digest), {"a"})

    asyncio.run(main())


def test_an_upload_in_the_moment_of_the_removal_is_not_lost(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        digest = await house.deployed("code")
        house.open()
        await house.leftovers.sweep()
        publish = house.blobs._publish
        removed: list[bool] = []

        def in_the_middle(part: Path, final: Path) -> None:
            publish(part, final)
            removed.append(house.blobs.discard(digest))

        monkeypatch.setattr(house.blobs, "_publish", in_the_middle)
        await house.upload("code")
        assert removed == [False]
        assert house.blobs.has(digest)

    asyncio.run(main())


def test_no_layer_goes_while_it_is_not_known_what_some_code_uses(house: House) -> None:
    async def main() -> None:
        digest = await house.deployed("code")
        house.used = {digest}
        (house.root / "layers" / "unknown" / "site").mkdir(parents=True)
        Uses(house.root / "code").forget(digest.removeprefix("sha256:"))
        house.open()
        await house.two_passes()
        assert house.there()[2] == {"unknown"}
        await house.prepare.prepare(FunctionSpec(name="f", bundle=digest))
        await house.two_passes()
        assert house.there()[2] == set()

    asyncio.run(main())


def test_what_is_removed_can_be_deployed_again(house: House) -> None:
    async def main() -> None:
        digest = await house.deployed("code")
        house.open()
        await house.two_passes()
        assert house.there() == (set(), set(), set())
        assert await house.upload("code") == digest
        await house.prepare.prepare(FunctionSpec(name="f", bundle=digest))
        assert house.there()[:2] == house.names(digest)

    asyncio.run(main())


def test_what_a_crash_left_aside_is_removed_by_the_next_life(house: House) -> None:
    for folder in ("code", "layers"):
        (house.root / folder / ".gone-1" / "x").mkdir(parents=True)
    house.open()
    assert house.there() == (set(), set(), set())


def test_a_store_that_cannot_be_read_costs_nothing_and_is_told(
    house: House, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(leftovers, "PASS_S", 0)

    async def main() -> None:
        digest = await house.deployed("code")
        house.open()
        asked = asyncio.Event()
        sweep = house.leftovers.sweep

        async def swept() -> None:
            asked.set()
            await sweep()

        monkeypatch.setattr(house.leftovers, "sweep", swept)
        house.broken = True
        running = asyncio.create_task(house.leftovers.run())
        for _ in range(3):  # each pass begins after the one before has ended
            asked.clear()
            await asked.wait()
        assert "the disk is gone" in caplog.text
        assert house.there()[:2] == house.names(digest)
        house.broken = False
        for _ in range(4):
            asked.clear()
            await asked.wait()
        running.cancel()
        assert house.there() == (set(), set(), set())

    with caplog.at_level(logging.INFO, "dayfly.build"):
        asyncio.run(main())


def test_claims_end() -> None:
    now = [0.0]
    claims = Claims(lambda: now[0])
    claims.make("x")
    now[0] = CLAIM_S - 1
    assert claims.hold("x")
    claims.make("x")
    now[0] += 2
    assert claims.hold("x")
    now[0] += CLAIM_S
    assert not claims.hold("x")
    assert not claims.hold("y")
