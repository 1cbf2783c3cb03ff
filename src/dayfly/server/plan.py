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
    """`{public}`, `{console}`, `{metrics}` and `{ready}` stand for the numbers of inherited sockets and of the pipe."""
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


class Plan(NamedTuple):
    """Everything a supervisor works from."""

    data_dir: str
    run_dir: str
    children: list[Child]
    instance: dict[str, str]
    """What `instance.json` says, but for the process id."""
    notices: list[str]

    def to_json(self) -> bytes:
        """Return the plan as from_json reads it."""
        return json.dumps(
            self._replace(children=[])._asdict() | {"children": [c._asdict() for c in self.children]}
        ).encode()

    @classmethod
    def from_json(cls, data: bytes) -> "Plan":
        """Return the plan that to_json wrote."""
        fields: dict[str, Any] = json.loads(data)
        return cls(**fields | {"children": [Child(**child) for child in fields["children"]]})
