"""What can be put on stage; a module each, found by its name. See `chaos.stage` and `chaos.outcome` for what they use.

A module has `run(stage) -> Outcome`, may set `SECONDS` (how long its load lasts by default) and `SHORT_SECONDS` (the
same for the short form among the tests; 0 leaves it out of that).
"""

import importlib
import pkgutil
from collections.abc import Callable

import msgspec

from chaos.outcome import Outcome
from chaos.stage import Stage

DEFAULT_SECONDS = 30.0


class Scenario(msgspec.Struct, frozen=True, kw_only=True):
    """One scenario and its times."""

    name: str
    about: str
    run: Callable[[Stage], Outcome]
    seconds: float
    short_seconds: float


def names() -> list[str]:
    """Return the names of all scenarios in alphabetical order."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__))


def find(name: str) -> Scenario:
    """Return the scenario of this name. Raises ModuleNotFoundError."""
    module = importlib.import_module(f"{__name__}.{name}")
    return Scenario(
        name=name,
        about=(module.__doc__ or "").partition("\n")[0],
        run=module.run,
        seconds=getattr(module, "SECONDS", DEFAULT_SECONDS),
        short_seconds=getattr(module, "SHORT_SECONDS", 0.0),
    )
