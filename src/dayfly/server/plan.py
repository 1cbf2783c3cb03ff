"""What the supervisor is told: which processes make up an installation, and in which order they end.

The supervisor runs for as long as the platform does and has to be small, so this module knows only the standard
library. The plan is made by `wiring`, which may know everything, and travels as JSON in `RUN_DIR/plan.json`.
"""

import json
from typing import Any, NamedTuple


class Child(NamedTuple):
    """One process to keep running."""

    name: str
    argv: list[str]
    """`{public}`, `{console}`, `{metrics}` and `{ready}` stand for the numbers of inherited sockets and of the pipe,
    `{memory}` for that of what it leaves to its successor when it dies, `{name}` for a name that no other living
    process has, `{generation}` for the zygotes' generation; the last one may also be within an argument, as
    `-{generation}.`."""
    inherits: list[str]
    """The environment variables it gets of those the supervisor has; all others stay away from it."""
    sockets: list[str]
    """The listeners it inherits."""
    reports: bool
    """Whether it says one JSON line on its `{ready}` pipe once it serves, or why it cannot."""
    stage: int
    """Stopping goes through the stages in order; all processes of one stage stop at the same time."""
    stop_s: float
    """How long it may take to stop before it is killed."""
    overlaps: bool = False
    """Whether its successor may run beside it. Such a one keeps its `{ready}` pipe open for as long as it is fully at
    work: the pipe's end means that it finishes what it has and goes, and a successor is started at once."""
    alone: bool = False
    """Whether, when another version takes over, the one before must have ended before its successor is started."""
    ends_by: int = 0
    """The signal that ends it with the platform; 0 for the one that all of ours know."""


class Plan(NamedTuple):
    """Everything a supervisor works from."""

    data_dir: str
    run_dir: str
    children: list[Child]
    instance: dict[str, str]
    """What `instance.json` says, but for the process id."""
    notices: list[str]
    program: list[str] = []  # noqa: RUF012 - of a tuple, and never changed
    """The command line of this program's supervisor, without the plan: how another life becomes this one again."""
    layout: int = 0
    """The layout of the state database that this program works with."""
    log_format: str = "text"
    """What the supervisor's own words are like: text or json."""

    def to_json(self) -> bytes:
        """Return the plan as from_json reads it."""
        children = [child._asdict() for child in self.children]
        return json.dumps(self._asdict() | {"children": children}).encode()

    @classmethod
    def from_json(cls, data: bytes) -> "Plan":
        """Return the plan that to_json wrote. Raises ValueError."""
        fields = json.loads(data)
        return cls(**fields | {"children": [Child(**child) for child in fields["children"]]})


class Handed(NamedTuple):
    """A process that one life of the supervisor hands on to the next."""

    name: str
    pid: int
    slot: int
    stage: int
    stop_s: float
    ends_by: int = 0
    log_fd: int = -1
    """Where its log is read, -1 for one that writes it to our own standard error."""


class Handover(NamedTuple):
    """What one life of the supervisor tells the next, which may be another version's: so fields are only ever added."""

    plan: str
    """Where the plan of the life before is."""
    program: list[str]
    version: str
    layout: int
    generation: int
    """The newest generation of zygotes."""
    processes: list[Handed]
    failure: str = ""
    """Why the life before gave up: this one takes over again what it had before."""

    def to_json(self) -> bytes:
        """Return the handover as from_json reads it."""
        processes = [process._asdict() for process in self.processes]
        return json.dumps(self._asdict() | {"processes": processes}).encode()

    @classmethod
    def from_json(cls, data: bytes) -> "Handover":
        """Return the handover that to_json wrote, of whatever version; what we do not know is left out."""
        fields = _known(cls._fields, json.loads(data))
        processes = [Handed(**_known(Handed._fields, process)) for process in fields["processes"]]
        return cls(**fields | {"processes": processes})


def _known(names: tuple[str, ...], fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if name in names}
