"""The stage on which objects are followed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest
from tests.cluster.server import Double
from tests.unit.server.cluster.stage import Play, Stage, staged

from dayfly.cluster.schema import crds
from dayfly.server.cluster import bounding, following, telling
from dayfly.storage.kubernetes import patience


@pytest.fixture(scope="package")
def cluster() -> Iterator[Double]:
    """Yield the API server of all these tests."""
    with Double() as double:
        double.define(crds())
        double.namespaces("team", "other", "dayfly", "openfaas-fn")
        yield double


@pytest.fixture
def double(cluster: Double, monkeypatch: pytest.MonkeyPatch) -> Double:
    """Return it as a new one, followed without delay."""
    cluster.heal()
    cluster.registry.wipe()
    monkeypatch.setattr(following, "AGAIN_S", 0.02)
    monkeypatch.setattr(patience, "WAIT_S", 0.02)
    monkeypatch.setattr(telling, "TELL_S", 0.02)
    monkeypatch.setattr(bounding, "DETAILS", 2)
    return cluster


@pytest.fixture
def play(double: Double, tmp_path: Path) -> Play:
    """Tell a story to a control plane that follows the cluster."""

    def run(story: Callable[[Stage], Awaitable[None]]) -> None:
        async def main() -> None:
            async with staged(double, tmp_path) as stage:
                await story(stage)

        asyncio.run(main())

    return run
