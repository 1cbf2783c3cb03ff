"""Every hostile byte sequence of the corpus, sent to a real gateway with a canary behind it."""

from typing import TYPE_CHECKING

import pytest
from fuzz.differences import LIMITS, cut_differences, differences
from fuzz.engine import read
from tests.hostile.conftest import LIMITS as SLOW
from tests.hostile.conftest import QUICK
from tests.hostile.corpus import CASES, Case

if TYPE_CHECKING:
    from tests.hostile.conftest import Canary, Stage
    from tests.unit.gateway.conftest import Client, Rig


def test_the_corpus_is_large_and_every_case_says_where_it_comes_from() -> None:
    assert len(CASES) >= 150
    assert len({case.name for case in CASES}) == len(CASES)
    assert all(case.source for case in CASES)
    assert sum(not case.calls for case in CASES) >= 150


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_gateway_calls_what_it_should_and_nothing_else(stage: "Stage", case: Case) -> None:
    async def scene(rig: "Rig", canary: "Canary") -> None:
        async with rig.client() as client:
            client.send(case.raw)
            assert await statuses(client, case) == case.statuses
            if case.closed:
                assert await client.closed()
            else:
                assert (await client.ask("/function/canary/next")).status == 200
                assert canary.targets.pop() == "/next"
        assert len(canary.targets) == case.calls
        # Whatever the gateway made of it, the connections to the canary are good for more.
        async with rig.client() as client:
            assert (await client.ask("/function/canary/last")).status == 200
        assert len(canary.targets) == case.calls + 1
        assert canary.targets[-1] == "/last"

    stage(scene, QUICK if 408 in case.statuses else SLOW)


async def statuses(client: "Client", case: Case) -> tuple[int, ...]:
    """Return the statuses of as many answers as the case should have, those to `Expect` passed over."""
    asked = [each.head.method for each in read([case.raw], LIMITS).accepted]
    found: list[int] = []
    while len(found) < len(case.statuses):
        bodiless = len(found) < len(asked) and asked[len(found)] == b"HEAD"
        answer = await client.answer(head_only=bodiless)
        if answer.status >= 400:
            assert answer.problem()["detail"]
        if answer.status >= 200:
            found.append(answer.status)
    return tuple(found)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_no_reader_understands_an_accepted_request_otherwise(case: Case) -> None:
    assert differences(case.raw) == []


def test_where_the_network_cuts_changes_nothing() -> None:
    for case in CASES:
        for at in range(1, min(len(case.raw), 300)):
            assert cut_differences(case.raw, [at]) == [], case.name
