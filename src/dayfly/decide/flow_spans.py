"""The spans of a flow's run: the run, and in it each step; what a step calls is below that, as its call carries this.

A run has a trace of its own, whoever began it: it may go on for days, and over many lives of the platform.
"""

from collections.abc import Iterable

from dayfly.model.flow_run import FlowRun, StepRecord
from dayfly.model.span import Span, Value, span_id, trace_id

_NS_A_MS = 1_000_000


def traceparent(run_id: str, path: str) -> str:
    """Return what the calls of a step carry, so that they are below it."""
    return f"00-{trace_id('flow', run_id)}-{_step_id(run_id, path)}-01"


def spans_of_run(run: FlowRun, steps: Iterable[StepRecord]) -> list[Span]:
    """Return the spans of a run that is over, the run's own last."""
    trace, root = trace_id("flow", run.id), span_id("flow", run.id)
    told: dict[str, Value] = {
        "dayfly.flow": run.flow, "dayfly.flow_run": run.id, "dayfly.namespace": run.namespace,
    }  # fmt: skip
    found = [
        Span(
            name=f"step {step.path}",
            trace=trace,
            id=_step_id(run.id, step.path),
            parent=root,
            start_ns=step.started_unix_ms * _NS_A_MS,
            end_ns=max(step.started_unix_ms, step.finished_unix_ms or run.finished_unix_ms) * _NS_A_MS,
            attributes=told | {"dayfly.step": step.path, "dayfly.attempts": step.attempt, "dayfly.state": step.state},
            error=step.error.code if step.error is not None and step.state == "failed" else "",
        )
        for step in steps
    ]
    found.append(
        Span(
            name=f"flow {run.flow}",
            trace=trace,
            id=root,
            start_ns=run.started_unix_ms * _NS_A_MS,
            end_ns=max(run.started_unix_ms, run.finished_unix_ms) * _NS_A_MS,
            attributes=told | {"dayfly.started_by": run.started_by, "dayfly.state": run.state},
            error=run.error.code if run.error is not None else "",
        )
    )
    return found


def _step_id(run_id: str, path: str) -> str:
    return span_id("flow", run_id, path)
