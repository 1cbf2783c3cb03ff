"""The short form of `make chaos`: every scenario that has one keeps its promises, on the real platform."""

import pytest
from chaos import scenarios
from chaos.__main__ import play

SHORT = [name for name in scenarios.names() if scenarios.find(name).short_seconds]
SEED = 7
"""`make chaos` rolls the dice; the tests do the same each time, as far as they can."""
SLOWEST_S = 300
"""Long enough for a machine that is busy with other things; nothing here is judged by the clock."""


@pytest.mark.timeout(SLOWEST_S)
@pytest.mark.parametrize("name", SHORT)
def test_a_scenario_keeps_its_promises(name: str) -> None:
    scenario = scenarios.find(name)
    outcome = play(scenario, seed=SEED, seconds=scenario.short_seconds, short=True)
    assert outcome.calls
    assert outcome.broken == (), f"python -m chaos --short --seed {SEED} {name}"
