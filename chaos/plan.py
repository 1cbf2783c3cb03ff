"""What a load is to be: the file that the process which makes it is given."""

import msgspec


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """One function to call."""

    function: str
    weight: float = 1.0
    """Its share of the calls, beside the other weights."""
    ms: int = 0
    """How long the function is asked to work, in milliseconds."""
    pad: int = 200
    """Bodies have up to so many bytes beside the call's id."""
    method: str = "POST"


class LoadPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What one process calls, how often and how."""

    host: str
    port: int
    ledger: str
    """The path of the ledger to write."""
    prefix: str
    """What ids begin with; unique among the processes of a run."""
    targets: tuple[Target, ...]
    rate_per_s: float
    fresh: float = 0.3
    """The share of calls that make a connection of their own."""
    kept: int = 64
    """Connections kept at most."""
    timeout_s: float = 40.0
    seed: int = 0
