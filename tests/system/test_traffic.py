"""Hostile traffic on every listener of the running platform: thousands of damaged requests, and what they may cost."""

import asyncio

import pytest
from fuzz.mutations import mutations
from fuzz.process import Process
from fuzz.storm import foreseen, storm
from tests.hostile.corpus import CASES
from tests.system.driver import Platform, eventually
from tests.system.traffic import CANARY, FULL, ONE, address, tell

MUTATIONS = 20_000 if FULL else 1_500
DIRECTED = [case.raw for case in CASES if 408 not in case.statuses]
GROWTH_BYTES = 20 * 2**20
QUIET_LOG = ("Traceback", "Unhandled exception", "Exception in callback")


@pytest.fixture(scope="module")
def target(shared_platform: Platform) -> Platform:
    """A running platform with one replica of a canary."""
    shared_platform.deploy_function(shared_platform.data_dir.parent / "canary", CANARY, *ONE)
    return shared_platform


def calls_so_far(platform: Platform) -> int:
    """Ask the canary, which counts the question too."""
    answer = platform.ask("GET", "/function/canary/how-many-were-there")
    assert answer.status == 200, answer
    return int(answer.body)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("listener", ["gateway_url", "console_url", "metrics_url"])
def test_damaged_requests_do_no_damage(target: Platform, listener: str) -> None:
    public = listener == "gateway_url"
    host, port = address(target, listener)
    sequences = [raw for raw in DIRECTED if foreseen(raw, public=public).status != 413 or public]
    assert len(sequences) >= 50
    # Once beforehand: what is allocated on first use is no leak.
    asyncio.run(storm(host, port, sequences, public=public))
    platform_pids = sorted(process["pid"] for process in target.status()["processes"])
    (pid,) = target.pids("gateway")
    gateway = Process(pid)
    memory, descriptors = gateway.resident_bytes(), gateway.descriptors()
    before = calls_so_far(target)
    outcome = asyncio.run(storm(host, port, [*sequences, *mutations(MUTATIONS, seed=2005)], public=public))
    assert outcome.wrong == []
    assert outcome.sent == len(sequences) + MUTATIONS
    assert outcome.refused > outcome.sent // 3
    assert outcome.unsure < 5
    assert outcome.calls - outcome.unsure <= calls_so_far(target) - before - 1 <= outcome.calls
    assert outcome.calls > 300 or not public
    eventually("the descriptors are as before", lambda: gateway.descriptors() <= descriptors + 2)
    assert gateway.resident_bytes() - memory < GROWTH_BYTES
    assert sorted(process["pid"] for process in target.status()["processes"]) == platform_pids
    assert [word for word in QUIET_LOG if word in target.log()] == []
    tell(
        listener=listener,
        sent=outcome.sent,
        answers=outcome.answers,
        refused=outcome.refused,
        calls=outcome.calls,
        slowest_ms=round(outcome.slowest_s * 1e3),
        grown_kib=(gateway.resident_bytes() - memory) // 1024,
    )
