"""A run drawn as text: its steps in their order, with what is inside them, what they got and what they came to."""

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from dayfly.cli.output import sheet
from dayfly.cli.rollouts import time_text
from dayfly.model.flow_step import (
    Approval,
    Call,
    Choice,
    Code,
    Delay,
    Fail,
    Filter,
    Map,
    Parallel,
    Set,
    Split,
    Step,
    Wait,
    inner,
)
from dayfly.model.flow_turn import steps_asked_for

if TYPE_CHECKING:
    from dayfly.model.flow_run import StepRecord
    from dayfly.model.flow_status import FlowStatus, RunReport

_MARKS = {"done": "✓", "failed": "✗", "running": "▶", "waiting": "◷", "retrying": "↻", "stopped": "■", "": "·"}
_PLAIN = str.maketrans("✓✗▶◷↻■·├└│─…→←", "+x>w~#.|`|-.><")
_SHOWN_ITEMS, _SHOWN_ASKED, _SHOWN = 5, 30, 70


class _Line(NamedTuple):
    tree: str
    kind: str = ""
    began: str = ""
    took: str = ""


class _Sequence(NamedTuple):
    label: str
    steps: tuple[Step, ...]
    prefix: str


def run_text(report: "RunReport") -> str:
    """Return a run as text."""
    run = report.run
    known = {record.path: record for record in report.steps}
    fields = [("Run", run.id), ("Flow", f"{run.flow}.{run.namespace}"), ("State", run.state)]
    if run.error is not None:
        where = f" ({run.error.step})" if run.error.step else ""
        fields.append(("Reason", f"{run.error.code}{where}: {run.error.message}"))
    fields.append(("Started", f"{time_text(run.started_unix_ms)} by {run.started_by or 'nobody known'}"))
    if run.finished_unix_ms:
        fields.append(("Took", _span(run.finished_unix_ms - run.started_unix_ms)))
    if run.rerun_of:
        fields.append(("Goes On", f"from the step {run.rerun_from} of {run.rerun_of}"))
    fields.append(("Input", _short(run.input)))
    if run.state == "done":
        fields.append(("Result", _short(run.result)))
    asked = steps_asked_for(run.spec.steps, ((record.path, record.result) for record in report.steps))
    lines = _Drawing(known, run.started_unix_ms, asked).sequence(run.spec.steps, "", "")
    hints = [
        f"`dayfly flow approve {run.id} {record.path}` lets it go on, with --reject it fails"
        for record in report.steps
        if record.state == "waiting"
        and isinstance(asked.get(record.path) or _step(run.spec.steps, record.path), Approval)
    ]
    return _printable("\n".join([sheet(fields), "", *_aligned(list(lines)), *(["", *hints] if hints else [])]))


def flow_text(status: "FlowStatus") -> str:
    """Return a flow as text."""
    spec = status.spec
    fields = [
        ("Flow", f"{spec.name}.{spec.namespace}"),
        ("Description", spec.description or "<none>"),
        ("Timeout", spec.timeout),
        ("Output", spec.output or "<that of the last step>"),
        ("Under Way", f"{status.runs_under_way} {'run' if status.runs_under_way == 1 else 'runs'}"),
        ("Created", time_text(status.created_unix_ms)),
        ("Updated", time_text(status.updated_unix_ms)),
    ]
    lines = _Drawing(None, 0, {}).sequence(spec.steps, "", "")
    return _printable("\n".join([sheet(fields), "", *_aligned(list(lines))]))


class _Drawing:
    """Draws steps below each other. Without records it draws a flow, else a run of one."""

    def __init__(self, records: "dict[str, StepRecord] | None", started_unix_ms: int, asked: dict[str, Step]) -> None:
        self._records = records
        self._asked = asked
        self._started = started_unix_ms

    def sequence(self, steps: tuple[Step, ...], prefix: str, tree: str) -> Iterator[_Line]:
        for at, step in enumerate(steps):
            is_last = at == len(steps) - 1
            yield from self._step(step, prefix + step.name, tree, is_last=is_last)

    def _step(self, step: Step, path: str, tree: str, *, is_last: bool) -> Iterator[_Line]:
        record = self._records.get(path) if self._records is not None else None
        mark = f"{_MARKS[record.state if record is not None else '']} " if self._records is not None else ""
        below = tree + ("   " if is_last else "│  ")
        yield _Line(f"{tree}{'└─' if is_last else '├─'} {mark}{step.name}", _kind(step, record), *self._times(record))
        inside = list(self._inside(step, path, record))
        bar = below + ("│  " if inside else "   ")
        for text in _told(step, record):
            yield _Line(f"{bar}{text}")
        for at, (label, steps, prefix) in enumerate(inside):
            end = at == len(inside) - 1
            if label:
                yield _Line(f"{below}{'└─' if end else '├─'} {label}")
                yield from self.sequence(steps, prefix, below + ("   " if end else "│  "))
            else:
                yield from self.sequence(steps, prefix, below)

    def _inside(self, step: Step, path: str, record: "StepRecord | None") -> Iterator[_Sequence]:
        """Yield the sequences inside a step that are to be drawn."""
        base = path if record is None or record.attempt < 2 else f"{path}~{record.attempt}"
        if isinstance(step, Code):
            yield from self._asked_for(base)
        for place, steps in inner(step):
            if place == "~catch":
                if self._records is None or any(known.startswith(f"{path}~catch.") for known in self._records):
                    yield _Sequence("catch", steps, f"{path}~catch.")
            elif isinstance(step, Map) and record is not None:
                yield from self._items(step, base, record)
            elif isinstance(step, Choice):
                if record is None or place == ("otherwise" if record.input is None else str(record.input)):
                    when = step.branches[int(place)].when if place != "otherwise" else ""
                    yield _Sequence(f"when {when}" if when else "otherwise", steps, f"{base}.{place}.")
            elif isinstance(step, Parallel):
                yield _Sequence(place, steps, f"{base}.{place}.")
            else:
                yield _Sequence("each item" if isinstance(step, Map) else "", steps, f"{base}.")

    def _asked_for(self, base: str) -> Iterator[_Sequence]:
        """Yield what code has asked for, the last of it."""
        steps = [step for path, step in self._asked.items() if path == f"{base}.{step.name}"]
        if len(steps) > _SHOWN_ASKED:
            yield _Sequence(f"… {len(steps) - _SHOWN_ASKED} before", (), "")
        if steps:
            yield _Sequence("", tuple(steps[-_SHOWN_ASKED:]), f"{base}.")

    def _items(self, step: Map, base: str, record: "StepRecord") -> Iterator[_Sequence]:
        """Yield the items of a map that say most: those that are not done first, and not too many."""
        assert self._records is not None
        count = len(record.input) if isinstance(record.input, list) else 0
        begun = [at for at in range(count) if f"{base}.{at}.{step.steps[0].name}" in self._records]
        open_ = [at for at in begun if self._is_open(f"{base}.{at}.{step.steps[-1].name}")]
        shown = sorted([*open_, *(at for at in begun if at not in open_)][:_SHOWN_ITEMS])
        for at in shown:
            yield _Sequence(f"item {at}", step.steps, f"{base}.{at}.")
        if count > len(shown):
            yield _Sequence(f"… {count - len(shown)} more of {count}, {len(begun) - len(shown)} of them begun", (), "")

    def _is_open(self, path: str) -> bool:
        assert self._records is not None
        last = self._records.get(path)
        return last is None or last.state != "done"

    def _times(self, record: "StepRecord | None") -> tuple[str, str]:
        if record is None:
            return "", ""
        began = (
            f"+{_span(record.started_unix_ms - self._started)}" if record.started_unix_ms >= self._started else "kept"
        )
        if record.finished_unix_ms:
            return began, _span(record.finished_unix_ms - record.started_unix_ms)
        until = f" until {time_text(record.due_unix_ms)}" if record.due_unix_ms else ""
        return began, f"{record.state}{until}"


def _kind(step: Step, record: "StepRecord | None") -> str:
    match step:
        case Call():
            text = f"call {step.function}"
        case Code():
            text = f"code {step.function}"
        case Set():
            text = f"set {step.value}"
        case Map() | Filter() | Split():
            count = f", {len(record.input)} items" if record is not None and isinstance(record.input, list) else ""
            text = f"{step.__struct_config__.tag} {step.over}{count}"
        case Delay():
            text = f"delay {step.span or step.until}"
        case Wait():
            text = f"wait for {step.event}"
        case Approval():
            text = f"approval {step.prompt!r}" if step.prompt else "approval"
        case Fail():
            text = f"fail {step.code}"
        case _:
            text = str(step.__struct_config__.tag)
    if record is not None and record.attempt > 1:
        text = f"{text[:40]}, attempt {record.attempt}"
    return text if len(text) <= 40 else text[:39] + "…"


def _told(step: Step, record: "StepRecord | None") -> Iterator[str]:
    """Yield what is worth a line of its own below a step."""
    if record is None:
        return
    if isinstance(step, Call | Code):
        yield f"→ {_short(record.input)}"
    if record.error is not None:
        yield f"! {record.error.code}: {record.error.message}"[:_SHOWN]
    if record.by:
        yield f"by {record.by}{f': {record.comment}' if record.comment else ''}"
    if record.state == "done" and not isinstance(step, Delay | Choice):
        yield f"← {_short(record.result)}"


def _step(steps: tuple[Step, ...], path: str) -> Step | None:
    name = path.rpartition(".")[2]
    for step in steps:
        if step.name == name:
            return step
        for _, within in inner(step):
            found = _step(within, path)
            if found is not None:
                return found
    return None


def _aligned(lines: list[_Line]) -> list[str]:
    wide = max((len(line.tree) for line in lines if line.kind), default=0)
    kinds = max((len(line.kind) for line in lines), default=0)
    spans = max((len(line.began) for line in lines), default=0)
    return [
        f"{line.tree:<{wide}}  {line.kind:<{kinds}}  {line.began:>{spans}}  {line.took}".rstrip()
        if line.kind
        else line.tree
        for line in lines
    ]


def _short(value: Any) -> str:
    text = msgspec.json.encode(value).decode()
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"


def _span(milliseconds: int) -> str:
    seconds = milliseconds / 1000
    if seconds < 60:
        return f"{seconds:.2f}s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes:02}m" if hours else f"{minutes}m{rest:02}s"


def _printable(text: str) -> str:
    """Return the text with signs that standard output can show."""
    try:
        text.encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        return text.translate(_PLAIN)
    return text
