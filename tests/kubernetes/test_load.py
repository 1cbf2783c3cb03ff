"""Load makes replicas, as gateways count it together, and rest takes them away: nobody says a number."""

import contextlib
from collections.abc import Iterator

import pytest
from tests.kubernetes.callers import Callers, calling
from tests.kubernetes.installation import Installation, until
from tests.kubernetes.standing import is_whole

pytestmark = pytest.mark.timeout(600)
_EACH = 3
"""Callers at each of the two gateways: those of one alone would make two replicas, all of them make three."""
_LABELS = {"target": "2", "min": "1", "max": "3", "zero-duration": "4s"}
_OPTIONS = [word for key, value in _LABELS.items() for word in ("--label", f"com.openfaas.scale.{key}={value}")]
_CODE = """\
import asyncio

async def handle(event, context):
    await asyncio.sleep(0.3)
    return "done"
"""


@contextlib.contextmanager
def _called_at_both(cluster: Installation, *functions: str) -> Iterator[list[Callers]]:
    """Have callers of each function at each gateway."""
    until(lambda: is_whole(cluster, "gateway", 2), "there are not two gateways")
    addresses = [gateway["status"]["podIP"] + ":8080" for gateway in cluster.parts("gateway")]
    with contextlib.ExitStack() as stack:
        yield [
            stack.enter_context(calling(cluster, name, _EACH, gateway=at, pod=f"{name}-callers-{number}"))
            for name in functions
            for number, at in enumerate(addresses)
        ]


def _is_back(cluster: Installation, name: str) -> bool:
    """Whether a call, which keeps it awake, is answered by the only replica."""
    return cluster.call(name).text == "done" and len(cluster.pods_of(name)) == 1 and cluster.ready(name) == 1


def test_calls_at_two_gateways_make_replicas_and_rest_takes_them_away(cluster: Installation) -> None:
    functions = ("loaded", "loaded-image")
    cluster.deploy("loaded", _CODE, *_OPTIONS)
    cluster.dayfly("deploy", "loaded-image", "--image", cluster.image("loaded-image", _CODE, "1"), *_OPTIONS)
    for name in functions:
        cluster.answers(name, "done")
    with _called_at_both(cluster, *functions) as callers:
        for name in functions:
            cluster.scaled(name, 3)
        for each in callers:
            each.go_on(40)
        assert {said for each in callers for said in each.stop()} == {"200 done"}
    for name in functions:
        cluster.scaled(name, 0)
        until(lambda: _is_back(cluster, name), "a call does not bring one back", lambda: len(cluster.pods_of(name)))  # noqa: B023 - now
        cluster.dayfly("remove", name)
