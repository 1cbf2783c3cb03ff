"""What a new run keeps of an old one when it goes on from one of its steps.

Kept is what had its result before the step began, in its own sequence and in those around it, and what branches beside
it have come to. Everything else is taken anew: the step, all that comes after it, and whatever had failed or was under
way. The steps around it stay begun, since what they work on is in their entries.
"""

from collections.abc import Sequence

import msgspec

from dayfly.decide.flow_records import Records
from dayfly.model.errors import NotFound
from dayfly.model.flow import FlowSpec
from dayfly.model.flow_run import Begun, Cancelled, Ended, Entry, Failed, Finished, Judged, Logged, Signalled
from dayfly.model.flow_step import Step, inner


def kept(spec: FlowSpec, log: Sequence[Logged], step: str, now_unix_ms: int) -> tuple[Logged, ...]:
    """Return the log that a run begins with which goes on from the place `step` of another. Raises NotFound."""
    records = Records(log)
    if step not in records.places:
        raise NotFound(f"the run began no step {step[:100]}", hint="`dayfly flow describe RUN` shows those it began.")
    around = _around(step)
    anew = {step, *_later(spec, step), *(late for place in around for late in _later(spec, place))}
    anew |= {path for path, record in records.places.items() if not record.settled and path not in around}
    taken = {
        record.signal for path, record in records.places.items() if record.signal and not _is_in(path, anew)
    } | {signal.id for waiting in records.signals.values() for signal in waiting}  # fmt: skip
    entries = [(logged, _keep(logged, around, anew, taken, now_unix_ms)) for logged in log]
    left = [(logged, entry) for logged, entry in entries if entry is not None]
    return tuple(Logged(number, logged.unix_ms, entry) for number, (logged, entry) in enumerate(left, 1))


def _keep(logged: Logged, around: dict[str, int], anew: set[str], taken: set[str], now_unix_ms: int) -> Entry | None:
    entry = logged.entry
    if isinstance(entry, Finished | Cancelled):
        return None
    if isinstance(entry, Signalled):
        return entry if entry.id in taken else None
    if entry.path in around:
        return _keep_around(entry, around[entry.path], logged.unix_ms, now_unix_ms)
    return None if _is_in(entry.path, anew) else entry


def _keep_around(entry: Begun | Ended | Failed | Judged, attempt: int, unix_ms: int, now_unix_ms: int) -> Entry | None:
    """Return what is kept of a step that has the one inside it; `attempt` is its own at that time, 0 in its catch."""
    if attempt and entry.attempt > attempt:
        return None
    if isinstance(entry, Begun):
        due = now_unix_ms + entry.due_unix_ms - unix_ms if entry.due_unix_ms else 0
        return msgspec.structs.replace(entry, due_unix_ms=due)
    if isinstance(entry, Failed):
        return entry if not attempt or entry.attempt < attempt else None
    return None


def _around(path: str) -> dict[str, int]:
    """Return the paths of the steps around a place, and in which attempt of each it is; 0 for in its catch."""
    found: dict[str, int] = {}
    while "." in path:
        path = path.rpartition(".")[0]
        bare, mark, which = path.rpartition("~") if "~" in path.rpartition(".")[2] else (path, "", "")
        found[bare] = 0 if which == "catch" else int(which) if mark else 1
        path = bare
    return found


def _later(spec: FlowSpec, path: str) -> list[str]:
    """Return the paths of the steps that come after a place in its own sequence."""
    prefix, dot, name = path.rpartition(".")
    return [f"{prefix}{dot}{late}" for late in _after(spec.steps, name)]


def _after(steps: tuple[Step, ...], name: str) -> list[str]:
    names = [step.name for step in steps]
    if name in names:
        return names[names.index(name) + 1 :]
    inside = (within for step in steps for _, within in inner(step))
    return next((found for within in inside if (found := _after(within, name))), [])


def _is_in(path: str, places: set[str]) -> bool:
    """Whether a place is one of these or inside one."""
    while path not in places:
        cut = max(path.rfind("."), path.rfind("~"))
        if cut < 0:
            return False
        path = path[:cut]
    return True
