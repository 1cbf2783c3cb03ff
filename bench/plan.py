"""How long to measure: the full run for figures that are written down, the quick one while developing."""

import msgspec


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """Sizes of one run."""

    quick: bool
    rounds: int
    """Alternating rounds of each load."""
    load_s: float
    """Seconds of one load."""
    warm_up_s: float
    """Seconds of load before the first round, which do not count."""
    calls: int
    """Single calls a round, where one connection is timed."""
    cold_starts: int
    """Calls to a sleeping function, over all rounds."""
    bare_starts: int
    """Calls to a sleeping function that has no template either."""
    platform_starts: int
    saves: int
    """Saves of a function that is being written."""
    help_runs: int
    registered: tuple[int, ...]
    """Numbers of functions to register."""


FULL = Plan(
    quick=False,
    rounds=5,
    load_s=3,
    warm_up_s=1,
    calls=4_000,
    cold_starts=200,
    bare_starts=10,
    platform_starts=7,
    saves=200,
    help_runs=20,
    registered=(1_000, 10_000),
)
QUICK = Plan(
    quick=True,
    rounds=2,
    load_s=1,
    warm_up_s=0.3,
    calls=1_000,
    cold_starts=30,
    bare_starts=2,
    platform_starts=2,
    saves=20,
    help_runs=6,
    registered=(1_000,),
)
