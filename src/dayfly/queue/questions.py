"""Questions: what the control plane asks the queue's process, and how its refusals come back.

A question is MessagePack in a POST to the process's socket; so is the answer. While the platform is upgraded the two
may be of different versions: fields are only ever added, with a default.
"""

from typing import Any

import msgspec

from dayfly.model import errors
from dayfly.model.errors import DayflyError, InternalError
from dayfly.model.queued import CallStatus, QueueFigures, Result
from dayfly.model.status import Problem

PATH = b"/ask"


class Status(msgspec.Struct, frozen=True, tag=True):
    """How a call stands, at the latest after `wait_s`, when it is over. Answer: CallStatus."""

    call_id: str
    wait_s: float = 0.0


class Changed(msgspec.Struct, frozen=True, tag=True):
    """How a call stands once that is not what was seen. Answer: CallStatus."""

    call_id: str
    seen: CallStatus
    wait_s: float


class Cancel(msgspec.Struct, frozen=True, tag=True):
    """Let a call be over. Answer: CallStatus."""

    call_id: str


class Listed(msgspec.Struct, frozen=True, tag=True):
    """Which calls there are; no namespaces means all. Answer: a list of CallStatus."""

    namespaces: tuple[str, ...] | None
    state: str
    function: str
    limit: int


class Redrive(msgspec.Struct, frozen=True, tag=True):
    """Let these dead calls begin anew. Answer: how many did."""

    call_ids: tuple[str, ...]


class Purge(msgspec.Struct, frozen=True, tag=True):
    """Let go of these dead calls. Answer: how many went."""

    call_ids: tuple[str, ...]


class Ended(msgspec.Struct, frozen=True, tag=True):
    """What came of calls since a position, once there is anything or after `wait_s`. Answer: a list of Ending."""

    position: int
    wait_s: float
    body_bytes: int
    """Larger answers are left out of it."""


class Ending(msgspec.Struct, frozen=True):
    """What came of a call, and the position to ask for what came later."""

    position: int
    result: Result
    missed: int = 0
    """How many ends between the position that was asked for and this one are not kept any more, at most: one that was
    told anew after a redrive may be among them."""


class AskFigures(msgspec.Struct, frozen=True, tag=True):
    """The figures. Answer: Figures."""


class Figures(msgspec.Struct, frozen=True):
    """The queue as a whole."""

    functions: tuple[QueueFigures, ...]
    is_up: bool
    """Whether calls are accepted now."""
    reconnects: int = 0
    """How often the connection to its store was made anew."""


Question = Status | Changed | Cancel | Listed | Redrive | Purge | Ended | AskFigures
_BY_CODE = {
    kind.code: kind
    for kind in (
        errors.InvalidRequest, errors.NotFound, errors.Conflict, errors.LimitExceeded, errors.KeyReused,
        errors.Unavailable, errors.StoreUnavailable, errors.StoreFull,
    )
}  # fmt: skip


def encode(value: Any) -> bytes:
    """Return a question or an answer as it travels."""
    return msgspec.msgpack.encode(value)


def error_of(problem: Problem, retry_after_s: float = 0.0) -> DayflyError:
    """Return the error that a refusal tells of."""
    kind = _BY_CODE.get(problem.code, InternalError)
    return kind(problem.detail, hint=problem.hint, retry_after_s=retry_after_s)
