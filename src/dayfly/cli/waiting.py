"""Waiting for a revision that was deployed or rolled back to: until it serves, fails, or has had its time.

A revision serves when it has taken over; one that is on trial, when it gets its part of the calls. Until then the one
before it goes on, and so it does when the new one fails.
"""

import time
from typing import TYPE_CHECKING

from dayfly.cli.rollouts import shifted_text
from dayfly.cli.terminal import Progress
from dayfly.model.errors import BuildFailed, DayflyError, FunctionFailed, Unavailable
from dayfly.model.quantities import format_duration

if TYPE_CHECKING:
    from dayfly.client.blocking import Client
    from dayfly.model.rollout import RolloutStatus
    from dayfly.model.status import FunctionStatus

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.02, 1.0
_LOG_LINES = 10
_TRACEBACK = "Traceback (most recent call last):"


def wait_until_ready(
    client: "Client", status: "FunctionStatus", progress: Progress, *, timeout_s: float
) -> "FunctionStatus":
    """Return the function's status once this revision serves, is on trial, or may sleep until it is called.

    Raises BuildFailed or FunctionFailed, with the log's last lines, when it cannot; Unavailable after `timeout_s`.
    """
    name, revision = status.spec.name, status.revision
    deadline = time.monotonic() + timeout_s
    pause_s = _FIRST_PAUSE_S
    while not is_settled(status, revision):
        state = state_of(status)
        if state == "failing":
            raise failure(status, _last_lines(client, status))
        if time.monotonic() > deadline:
            hint = f"It goes on by itself; see `dayfly describe {name}`."
            account = f"{name} is still {state} after {format_duration(timeout_s)}{_why(status)}."
            raise Unavailable(account, hint=hint)
        shifted = f" {shifted_text(status)}" if state == "shifting" else ""
        progress.show(f"{name}: {state}{shifted}{_why(status)}")
        time.sleep(pause_s)
        pause_s = min(pause_s * 1.5, _LONGEST_PAUSE_S)
        status = _again(client, status)
    _check_not_returned(status, revision)
    return status


def state_of(status: "FunctionStatus") -> str:
    """Return where the revision that was deployed last stands, in a word."""
    return status.rollout.state if status.rollout is not None else status.state


def _why(status: "FunctionStatus") -> str:
    """What it waits for, where the platform says so."""
    return f": {status.reason.partition(chr(10))[0]}" if status.reason else ""


def _again(client: "Client", status: "FunctionStatus") -> "FunctionStatus":
    """The status now; the last one known while the control plane is away, which it may be for a moment."""
    try:
        return client.get_function(status.spec.name, namespace=status.spec.namespace)
    except Unavailable:
        return status


def is_settled(status: "FunctionStatus", revision: int) -> bool:
    """Whether there is nothing to wait for any more: it serves, is on trial, sleeps, or another took its place."""
    if status.revision != revision:
        # It was returned, or somebody deployed over it meanwhile; that one's own command tells how it goes.
        return True
    if status.rollout is not None:
        return status.rollout.state == "canary"
    if status.state == "idle":
        return True
    if status.state != "ready":
        return False
    if not status.replicas:
        return True
    return any(one.revision == revision and one.phase == "ready" for one in status.replicas)


def _check_not_returned(status: "FunctionStatus", revision: int) -> None:
    outcome = status.outcome
    if status.revision == revision or outcome is None or outcome.revision != revision or outcome.verdict != "returned":
        return
    name = status.spec.name
    hint = f"Revision {status.revision} goes on; see `dayfly describe {name}`."
    raise FunctionFailed(f"Revision {revision} of {name} was returned: {outcome.reason}", hint=hint)


def failure(status: "FunctionStatus", last_lines: str = "") -> DayflyError:
    """Return what a failing status means, with the log's last lines where the reason has no more to say."""
    name, rollout = status.spec.name, status.rollout
    at_fault = rollout or status
    reason = at_fault.reason or "the platform does not say why"
    kind = BuildFailed if at_fault.fault == "prepare_failed" else FunctionFailed
    headline, _, detail = reason.partition("\n")
    detail = detail or last_lines
    # A traceback begins with what everybody knows and ends with what happened.
    what = headline.removesuffix(_TRACEBACK).rstrip(" :")
    if what != headline and detail.strip():
        headline = f"{what}: {detail.strip().splitlines()[-1].strip()}"
    who = f"Revision {rollout.revision} of {name}" if rollout is not None else name
    return kind(f"{who} is failing: {headline}\n{detail}".rstrip(), hint=_hint(name, rollout))


def _hint(name: str, rollout: "RolloutStatus | None") -> str:
    if rollout is None:
        return f"See `dayfly logs {name}`."
    return f"Revision {rollout.serving} goes on. `dayfly rollback {name}` ends the attempt; see `dayfly logs {name}`."


def _last_lines(client: "Client", status: "FunctionStatus") -> str:
    name, namespace = status.spec.name, status.spec.namespace
    at_fault = status.rollout or status
    if "\n" in at_fault.reason:
        return ""
    try:
        if at_fault.fault == "prepare_failed":
            lines = client.get_build_log(name, namespace=namespace).splitlines()
        else:
            lines = [line.text for line in client.logs(name, namespace=namespace, tail=_LOG_LINES)]
    except DayflyError:
        # The reason is known without the log; failing to fetch that must not hide it.
        return ""
    return "\n".join(lines[-_LOG_LINES:])
