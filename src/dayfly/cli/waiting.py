"""Waiting for a deployed function: until it is ready, fails, or has had its time."""

import time
from typing import TYPE_CHECKING

from dayfly.cli.terminal import Progress
from dayfly.model.errors import BuildFailed, DayflyError, FunctionFailed, Unavailable
from dayfly.model.quantities import format_duration

if TYPE_CHECKING:
    from dayfly.client.blocking import Client
    from dayfly.model.status import FunctionStatus

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.02, 1.0
_LOG_LINES = 10
_NOT_PREPARED = "could not be prepared"
"""In the reason of a function whose code or dependencies are at fault, before any of its code ran."""
_TRACEBACK = "Traceback (most recent call last):"


def wait_until_ready(
    client: "Client", status: "FunctionStatus", progress: Progress, *, timeout_s: float
) -> "FunctionStatus":
    """Return the function's status once this revision serves, or may sleep until it is called.

    Raises BuildFailed or FunctionFailed, with the log's last lines, when it cannot; Unavailable after `timeout_s`.
    """
    name, revision = status.spec.name, status.revision
    deadline = time.monotonic() + timeout_s
    pause_s = _FIRST_PAUSE_S
    while not _is_settled(status, revision):
        if status.state == "failing":
            raise _failure(client, status)
        if time.monotonic() > deadline:
            hint = f"It goes on by itself; see `dayfly describe {name}`."
            raise Unavailable(f"{name} is still {status.state} after {format_duration(timeout_s)}.", hint=hint)
        progress.show(f"{name}: {status.state}")
        time.sleep(pause_s)
        pause_s = min(pause_s * 1.5, _LONGEST_PAUSE_S)
        status = _again(client, status)
    return status


def _again(client: "Client", status: "FunctionStatus") -> "FunctionStatus":
    """The status now; the last one known while the control plane is away, which it may be for a moment."""
    try:
        return client.get_function(status.spec.name, namespace=status.spec.namespace)
    except Unavailable:
        return status


def _is_settled(status: "FunctionStatus", revision: int) -> bool:
    if status.revision > revision:
        # Somebody deployed over it meanwhile; that deployment's own command tells how it goes.
        return True
    if status.state == "idle":
        return True
    if status.state != "ready":
        return False
    if not status.replicas:
        return True
    return any(one.revision == revision and one.phase == "ready" for one in status.replicas)


def _failure(client: "Client", status: "FunctionStatus") -> DayflyError:
    name, reason = status.spec.name, status.reason or "the platform does not say why"
    kind = BuildFailed if _NOT_PREPARED in reason else FunctionFailed
    headline, _, detail = reason.partition("\n")
    detail = detail or _last_lines(client, status, kind)
    # A traceback begins with what everybody knows and ends with what happened.
    what = headline.removesuffix(_TRACEBACK).rstrip(" :")
    if what != headline and detail.strip():
        headline = f"{what}: {detail.strip().splitlines()[-1].strip()}"
    hint = f"See `dayfly logs {name}`; the revision before it serves on, if there was one."
    return kind(f"{name} is failing: {headline}\n{detail}".rstrip(), hint=hint)


def _last_lines(client: "Client", status: "FunctionStatus", kind: type[DayflyError]) -> str:
    name, namespace = status.spec.name, status.spec.namespace
    try:
        if kind is BuildFailed:
            lines = client.get_build_log(name, namespace=namespace).splitlines()
        else:
            lines = [line.text for line in client.logs(name, namespace=namespace, tail=_LOG_LINES)]
    except DayflyError:
        # The reason is known without the log; failing to fetch that must not hide it.
        return ""
    return "\n".join(lines[-_LOG_LINES:])
