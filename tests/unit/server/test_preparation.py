"""Preparing images: what one means is found out once for a revision, and kept."""

import asyncio
from typing import Any

import pytest

from dayfly.model.errors import BuildFailed
from dayfly.model.function import Function, FunctionSpec, Revision
from dayfly.model.names import parse_function_key
from dayfly.model.replica import Prepared
from dayfly.server.preparation import Preparation
from dayfly.storage.memory import MemoryStore

HELLO = parse_function_key("hello")


class Bundles:
    """Prepares what is no image."""

    async def prepare(self, spec: FunctionSpec) -> Prepared:
        return Prepared(f"/code/{spec.name}")

    async def build_log(self, _spec: FunctionSpec) -> str:
        return "installed"


class Registry:
    """Tags that lead somewhere, until they lead elsewhere."""

    def __init__(self) -> None:
        self.tags = {"web:1": "web@sha256:first"}
        self.asked: list[tuple[str, str]] = []

    async def pin(self, name: str, pinned: str) -> str:
        self.asked.append((name, pinned))
        if not pinned and name not in self.tags:
            raise BuildFailed(f"{name} is unknown")
        return pinned or self.tags[name]


def image(name: str = "web:1") -> FunctionSpec:
    return FunctionSpec(name="hello", runtime="image", image=name)


def function(spec: FunctionSpec, number: int) -> Function:
    return Function(key=HELLO, revision=Revision(number=number, spec=spec, created_unix_ms=1), created_unix_ms=1)


def rig() -> tuple[Any, Registry, MemoryStore]:
    registry, store, bundles = Registry(), MemoryStore(), Bundles()
    return Preparation(bundles, registry.pin, store), registry, store  # type: ignore[arg-type]  # as much of it as is asked


def test_a_revision_runs_the_same_image_wherever_its_tag_goes() -> None:
    async def main() -> None:
        preparation, registry, store = rig()
        await store.put(function(image(), 1))
        assert (await preparation.prepare(image(), 1)).image == "web@sha256:first"
        registry.tags["web:1"] = "web@sha256:second"
        assert (await preparation.prepare(image(), 1)).image == "web@sha256:first"
        # Another life of the control plane knows it from the store; another revision finds out anew.
        again = Preparation(Bundles(), registry.pin, store)  # type: ignore[arg-type]  # as above
        assert (await again.prepare(image(), 1)).image == "web@sha256:first"
        await store.put(function(image(), 2))
        assert (await again.prepare(image(), 2)).image == "web@sha256:second"
        assert registry.asked[-1] == ("web:1", "")
        assert (await again.prepare(image(), 1)).image == "web@sha256:first"

    asyncio.run(main())


def test_what_another_function_of_that_name_and_number_was_means_nothing() -> None:
    async def main() -> None:
        preparation, registry, store = rig()
        await store.put(function(image(), 1))
        # As from a preparation that was still under way when the function was removed and deployed anew.
        await store.pin(HELLO, 1, "other:1 other@sha256:x")
        assert (await preparation.prepare(image(), 1)).image == "web@sha256:first"
        assert await store.pinned(HELLO, 1) == "web:1 web@sha256:first"
        assert registry.asked == [("web:1", "")]

    asyncio.run(main())


def test_an_image_that_is_not_found_is_not_kept_and_code_is_prepared_as_ever() -> None:
    async def main() -> None:
        preparation, _, store = rig()
        await store.put(function(image("gone:1"), 1))
        with pytest.raises(BuildFailed):
            await preparation.prepare(image("gone:1"), 1)
        assert await store.pinned(HELLO, 1) == ""
        assert await preparation.prepare(FunctionSpec(name="hello"), 1) == Prepared("/code/hello")
        assert await preparation.build_log(FunctionSpec(name="hello")) == "installed"
        assert await preparation.build_log(image()) == ""

    asyncio.run(main())
