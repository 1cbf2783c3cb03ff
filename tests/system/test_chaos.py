"""The short form of `make chaos`: every scenario that has one keeps its promises, on the real platform."""

import os

import pytest
from chaos import scenarios
from chaos.__main__ import play

SHORT = [name for name in scenarios.names() if scenarios.find(name).short_seconds]
SLOWEST_S = 180
"""Long enough for a machine that is busy with other things; nothing here is judged by the clock."""


@pytest.mark.timeout(SLOWEST_S)
@pytest.mark.parametrize("name", SHORT)
def test_a_scenario_keeps_its_promises(name: str) -> None:
    scenario = scenarios.find(name)
    seed = int.from_bytes(os.urandom(3))
    outcome = play(scenario, seed=seed, seconds=scenario.short_seconds, short=True)
    assert outcome.calls
    assert outcome.broken == (), f"python -m chaos --short --seed {seed} {name}"
