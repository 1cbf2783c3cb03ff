"""One API server for all tests of this folder; each has a namespace of its own."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest
from tests.cluster.server import Double

_NUMBERS = itertools.count(1)


@pytest.fixture(scope="session")
def shared_double() -> Iterator[Double]:
    with Double() as double:
        yield double


@pytest.fixture
def double(shared_double: Double) -> Iterator[Double]:
    """The server, without faults."""
    shared_double.seen.clear()
    yield shared_double
    shared_double.heal()
    shared_double.controllers.clear()


@pytest.fixture
def space(double: Double) -> str:
    """A namespace that nobody else uses."""
    name = f"space-{next(_NUMBERS)}"
    double.namespaces(name)
    return name
