"""A run as people look at it: each place it has come to, and how it stands there."""

from collections.abc import Iterator

from dayfly.decide.flow import next_attempt_unix_ms
from dayfly.decide.flow_records import Record, Records
from dayfly.model.flow import FlowSpec
from dayfly.model.flow_run import StepRecord, StepState
from dayfly.model.flow_step import Approval, Delay, Step, Wait, every
from dayfly.model.flow_turn import steps_asked_for


def view(spec: FlowSpec, records: Records) -> tuple[StepRecord, ...]:
    """Return what is known of each place, in the order in which they began."""
    return tuple(_record(path, records.of(path), step, records) for path, step in _steps(spec, records))


def waits_for_judgement(spec: FlowSpec, records: Records) -> list[str]:
    """Return the paths of the approvals that wait for somebody."""
    return [
        path
        for path, step in _steps(spec, records)
        if isinstance(step, Approval)
        and (record := records.of(path)).judged is None
        and _state(path, record, step, records)[0] == "waiting"
    ]


def _steps(spec: FlowSpec, records: Records) -> Iterator[tuple[str, Step | None]]:
    """Yield each place and the step that it is; a turn of code is none."""
    written = {step.name: step for step in every(spec.steps)}
    asked = steps_asked_for(spec.steps, ((path, record.result) for path, record in records.places.items()))
    for path in records.places:
        yield path, asked.get(path) or written.get(path.rpartition(".")[2])


def _record(path: str, record: Record, step: Step | None, records: Records) -> StepRecord:
    state, due = _state(path, record, step, records)
    judged, sender = record.judged, records.senders.get(record.signal)
    return StepRecord(
        path=path,
        state=state,
        attempt=record.attempt,
        started_unix_ms=record.first_unix_ms,
        finished_unix_ms=record.ended_unix_ms if state in ("done", "failed") else 0,
        due_unix_ms=due,
        input=record.input,
        result=record.result,
        error=record.error,
        by=judged.by if judged is not None else sender.by if sender is not None else "",
        comment=judged.comment if judged is not None else "",
    )


def _state(path: str, record: Record, step: Step | None, records: Records) -> tuple[StepState, int]:
    if record.settled:
        return "done", 0
    again = next_attempt_unix_ms(step, record) if step is not None else 0
    if not record.is_open and not again:
        return "failed", 0
    if records.finished is not None or _is_cut_off(path, records):
        return ("stopped", 0) if record.is_open else ("failed", 0)
    if again:
        return "retrying", again
    return "waiting" if isinstance(step, Delay | Wait | Approval) else "running", record.due_unix_ms


def _is_cut_off(path: str, records: Records) -> bool:
    """Whether a step around a place has ended, or is tried anew, without it."""
    while "." in path:
        path = path.rpartition(".")[0]
        bare, _, which = path.rpartition("~") if "~" in path.rpartition(".")[2] else (path, "", "1")
        around = records.places.get(bare)
        if around is None or which == "catch":
            path = bare
            continue
        if not around.is_open or around.attempt != int(which):
            return True
        path = bare
    return False
