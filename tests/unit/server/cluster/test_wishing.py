"""What kubectl wishes, carried out by a plane that is none: the order, what is refused, and what is tried again."""

import asyncio
import base64
import hashlib
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any, cast

import pytest

from dayfly.cluster.records import Archive
from dayfly.control.namespaces import Namespaces
from dayfly.control.plane import ControlPlane
from dayfly.model.audit import AuditDraft, Begun
from dayfly.model.errors import Conflict, DayflyError, NotFound, StoreUnavailable
from dayfly.model.function import FunctionSpec
from dayfly.model.names import BundleDigest, FunctionKey, FunctionName, NamespaceName
from dayfly.observe.audit import AuditLog
from dayfly.server.cluster import wishing
from dayfly.server.cluster.archives import Archives
from dayfly.server.cluster.opening import Opening
from dayfly.server.cluster.wishing import Wishing
from dayfly.server.cluster.witness import FunctionWitness
from dayfly.storage.kubernetes.tenancy import KubernetesTenancy
from dayfly.storage.kubernetes.wishes import Wish, Wishes

SPACE = NamespaceName("team-a")
KEY = FunctionKey(SPACE, FunctionName("hello"))
SPEC = FunctionSpec(name=FunctionName("hello"), namespace=SPACE, lang="python", runtime="python")


class Plane:
    """Notes what it is asked for, and raises what it is told to, once each."""

    def __init__(self, *errors: DayflyError) -> None:
        self.asked: list[Any] = []
        self.errors = list(errors)
        self.has_it: set[BundleDigest] = set()
        self.namespaces = self.bundles = self
        self.known = [NamespaceName("openfaas-fn")]

    def names(self) -> list[NamespaceName]:
        return self.known

    async def follow(self, _name: NamespaceName, _read: object) -> None:
        """There is no Tenant of anybody's."""

    async def create(self, name: NamespaceName, _change: object) -> None:
        self.known.append(name)
        self.asked.append(("namespace", name))

    async def put(self, _space: NamespaceName, digest: BundleDigest, chunks: AsyncIterator[bytes], _most: int) -> None:
        assert [chunk async for chunk in chunks]
        self.asked.append(("bundle", digest))
        self.has_it.add(digest)

    async def has(self, _space: NamespaceName, digest: BundleDigest) -> bool:
        return digest in self.has_it

    def newest(self, key: FunctionKey) -> None:
        raise NotFound(f"there is no function {key}")

    async def deploy(self, spec: FunctionSpec, *, mode: str, canary: object) -> None:
        del canary
        self._fail()
        self.asked.append((mode, spec.bundle))

    async def scale(self, _key: FunctionKey, replicas: int | None) -> None:
        self.asked.append(("scale", replicas))

    async def remove(self, key: FunctionKey) -> None:
        self._fail()
        self.asked.append(("remove", key))

    def _fail(self) -> None:
        if self.errors:
            raise self.errors.pop(0)


class Told(Wishes):
    """Wishes from a list; what became of them is kept."""

    def __init__(self, *wishes: Wish) -> None:
        self.wishes = wishes
        self.ends: list[str] = []
        self.gone: list[FunctionKey] = []
        self.waits = asyncio.Event()

    async def follow(self) -> AsyncGenerator[Wish, None]:
        for wish in self.wishes:
            yield wish

    async def settled(self, wish: Wish) -> None:
        self.ends.append(f"settled {wish.generation}")

    async def delayed(self, wish: Wish, error: DayflyError) -> None:
        self.ends.append(f"delayed {wish.generation}: {error}")
        self.waits.set()

    async def forget(self, key: FunctionKey) -> None:
        self.gone.append(key)

    async def refused(self, wish: Wish, error: DayflyError) -> None:
        self.ends.append(f"refused {wish.generation}: {error}")


class Log:
    """Writes everything down in a list; `broken` has it refuse to."""

    def __init__(self) -> None:
        self.entries: list[tuple[str, int]] = []
        self.broken = 0

    async def begin(self, draft: AuditDraft) -> Begun:
        if self.broken:
            self.broken -= 1
            raise StoreUnavailable("the disk is full")
        return Begun(1, draft)

    async def end(self, begun: Begun, status: int, _changes: object) -> None:
        self.entries.append((begun.draft.action, status))

    async def note(self, draft: AuditDraft) -> None:
        self.entries.append((draft.action, draft.status))


def witness(log: Log, plane: Plane) -> FunctionWitness:
    return FunctionWitness(cast("AuditLog", log), cast("ControlPlane", plane))


def carried_out(plane: Plane, *wishes: Wish, ends: int, log: Log | None = None) -> list[str]:
    """Return what became of the wishes once so many of them have come to an end."""

    async def main() -> list[str]:
        told = Told(*wishes)
        opening = Opening(cast("Namespaces", plane), cast("KubernetesTenancy", plane))
        job = Wishing(told, cast("ControlPlane", plane), opening, Archives(("public",)), witness(log or Log(), plane))
        await job.run()
        async with asyncio.timeout(60):
            await asyncio.gather(*(task for task in asyncio.all_tasks() if task is not asyncio.current_task()))
        assert len(told.ends) == ends
        return told.ends

    return asyncio.run(main())


def test_code_in_the_object_is_deployed_in_a_namespace_that_is_opened_for_it() -> None:
    plane = Plane()
    wish = Wish(key=KEY, generation=1, digest="d", spec=SPEC, source={"handler.py": "x"}, replicas=2)
    assert carried_out(plane, wish, ends=1) == ["settled 1"]
    digest = f"sha256:{hashlib.sha256(wishing.bundled({'handler.py': 'x'})).hexdigest()}"
    assert plane.asked == [("namespace", "team-a"), ("bundle", digest), ("upsert", digest), ("scale", 2)]


def test_replicas_alone_deploy_nothing() -> None:
    plane = Plane()
    assert carried_out(plane, Wish(key=KEY, generation=2, digest="d", replicas=3), ends=1) == ["settled 2"]
    assert plane.asked == [("scale", 3)]


def test_what_cannot_be_done_is_refused_and_what_can_later_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wishing, "_AGAIN_S", 0.0)
    plane = Plane(Conflict("no"), StoreUnavailable("away"), StoreUnavailable("away"))
    first, second = (Wish(key=KEY, generation=number, digest="d", spec=SPEC) for number in (1, 2))
    ends = ["refused 1: no", "delayed 2: away", "delayed 2: away", "settled 2"]
    assert carried_out(plane, first, second, ends=4) == ends
    assert not plane.errors


def test_an_archive_is_fetched_unless_the_namespace_has_it() -> None:
    plane, data = Plane(), wishing.bundled({"handler.py": "x"})
    digest = hashlib.sha256(data).hexdigest()
    archive = Archive(data=base64.b64encode(data).decode(), sha256=digest)
    wish = Wish(key=KEY, generation=1, digest="d", spec=SPEC, archive=archive)
    assert carried_out(plane, wish, ends=1) == ["settled 1"]
    assert plane.asked == [("namespace", "team-a"), ("bundle", f"sha256:{digest}"), ("upsert", f"sha256:{digest}")]
    again = Wish(key=KEY, generation=2, digest="d", spec=SPEC, archive=Archive(url="https://x.invalid", sha256=digest))
    assert carried_out(plane, again, ends=1) == ["settled 2"]
    assert plane.asked[3:] == [("upsert", f"sha256:{digest}")]


def test_an_archive_that_is_another_is_refused_before_anything_is_kept() -> None:
    plane = Plane()
    wish = Wish(key=KEY, generation=1, digest="d", spec=SPEC, archive=Archive(data="eA==", sha256="0" * 64))
    assert "has the sha256 2d711642" in carried_out(plane, wish, ends=1)[0]
    assert plane.asked == [("namespace", "team-a")]


def test_what_waits_says_so_and_gives_way_to_what_is_wished_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wishing, "_AGAIN_S", 0.0)
    plane = Plane()
    away = Archive(url="http://127.0.0.1:1/x", sha256="0" * 64)
    archives = Archives(("127.0.0.1",))
    first = Wish(key=KEY, generation=1, digest="d", spec=SPEC, archive=away)

    async def main() -> list[str]:
        told = Told(first)
        opening = Opening(cast("Namespaces", plane), cast("KubernetesTenancy", plane))
        wishes = Wishing(told, cast("ControlPlane", plane), opening, archives, witness(Log(), plane))
        await wishes.run()
        async with asyncio.timeout(60):
            await told.waits.wait()
            told.wishes = (Wish(key=KEY, generation=2, digest="d", spec=SPEC, source={"handler.py": "x"}),)
            await wishes.run()
            await asyncio.gather(*(task for task in asyncio.all_tasks() if task is not asyncio.current_task()))
        return told.ends

    ends = asyncio.run(main())
    assert ends[0].startswith("delayed 1: spec.archive: http://127.0.0.1:1/x cannot be fetched")
    assert ends[-1] == "settled 2"


@pytest.mark.parametrize("errors", [(), (NotFound("it went by us"),)])
def test_a_deleted_object_takes_the_function_with_it(errors: tuple[DayflyError, ...]) -> None:
    plane, log = Plane(*errors), Log()
    assert carried_out(plane, Wish(key=KEY, generation=1, digest="", is_gone=True), ends=0, log=log) == []
    assert plane.asked == ([] if errors else [("remove", KEY)])
    assert log.entries == ([] if errors else [("function.remove", 200)])


def test_every_wish_is_written_down_once_and_none_is_carried_out_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wishing, "_AGAIN_S", 0.0)
    plane, log = Plane(Conflict("no")), Log()
    log.broken = 1
    first, second = (Wish(key=KEY, generation=number, digest="d", spec=SPEC) for number in (1, 2))
    scaled = Wish(key=KEY, generation=3, digest="d", replicas=3)
    missed = Wish(key=KEY, generation=0, digest="", is_gone=True, was_missed=True)
    ends = carried_out(plane, first, second, scaled, missed, ends=3, log=log)
    assert ends == ["delayed 1: the disk is full", "refused 2: no", "settled 3"]
    assert log.entries == [("function.put", 409), ("function.scale", 200), ("function.remove", 200)]
    log.entries.clear()
    ends = carried_out(Plane(StoreUnavailable("away")), first, second, ends=2, log=log)
    assert ends == ["delayed 1: away", "settled 2"]
    assert log.entries == [("function.put", 503), ("function.put", 200)], "the first gave way"
