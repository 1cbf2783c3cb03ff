"""The API's calls about flows and their runs without their transport; see `calls`."""

import msgspec

from dayfly.client.calls import JSON, Call, nothing, reads
from dayfly.model.errors import InvalidName
from dayfly.model.flow import FlowMode, FlowSpec
from dayfly.model.flow_rules import is_event
from dayfly.model.flow_run import RunState
from dayfly.model.flow_status import FlowStatus, Judgement, Rerun, RunReport, RunSummary
from dayfly.model.names import NamespaceName, is_call_id, parse_flow_name


def list_flows(namespace: NamespaceName) -> Call[list[FlowStatus]]:
    """A namespace's flows, sorted by name."""
    return Call("GET", f"/v1/namespaces/{namespace}/flows", reads(list[FlowStatus]))


def get_flow(name: str, namespace: NamespaceName) -> Call[FlowStatus]:
    """One flow."""
    return Call("GET", _flow(name, namespace), reads(FlowStatus))


def put_flow(spec: FlowSpec, mode: FlowMode) -> Call[FlowStatus]:
    """Create or replace a flow."""
    spec.check()
    path, content = _flow(spec.name, NamespaceName(spec.namespace)), msgspec.json.encode(spec)
    return Call("PUT", path, reads(FlowStatus), query=(("mode", mode),), content=content, content_type=JSON)


def remove_flow(name: str, namespace: NamespaceName) -> Call[None]:
    """Take a flow away."""
    return Call("DELETE", _flow(name, namespace), nothing, expected=(204,))


def start_run(
    name: str, namespace: NamespaceName, body: bytes, content_type: str, key: str, wait_s: float
) -> Call[RunReport]:
    """Begin a run."""
    headers = (("Idempotency-Key", key),) if key else ()
    path, query = _flow(name, namespace) + "/runs", _wait(wait_s)
    return Call(
        "POST", path, reads(RunReport), query=query, content=body, content_type=content_type, headers=headers,
        expected=(200, 202),
    )  # fmt: skip


def list_runs(namespace: NamespaceName, flow: str, state: RunState | None, limit: int) -> Call[list[RunSummary]]:
    """A namespace's runs, the newest first."""
    query = [("limit", str(limit))]
    query += [("flow", parse_flow_name(flow))] if flow else []
    query += [("state", state)] if state else []
    return Call("GET", f"/v1/namespaces/{namespace}/flow-runs", reads(list[RunSummary]), query=tuple(query))


def get_run(run: str, namespace: NamespaceName, wait_s: float) -> Call[RunReport]:
    """One run, when it is over or after so long."""
    return Call("GET", _run(run, namespace), reads(RunReport), query=_wait(wait_s))


def cancel_run(run: str, namespace: NamespaceName) -> Call[RunReport]:
    """Let a run be over."""
    return Call("DELETE", _run(run, namespace), reads(RunReport))


def send_event(run: str, event: str, namespace: NamespaceName, body: bytes, content_type: str) -> Call[None]:
    """Send an event to a run."""
    if not is_event(event):
        raise InvalidName(f"{event[:80]!r} is not an event's name")
    path = f"{_run(run, namespace)}/events/{event}"
    return Call("POST", path, nothing, content=body, content_type=content_type, expected=(204,))


def judge_step(run: str, step: str, namespace: NamespaceName, said: Judgement) -> Call[None]:
    """Approve or reject a step."""
    path = f"{_run(run, namespace)}/approvals/{_step(step)}"
    return Call("POST", path, nothing, content=msgspec.json.encode(said), content_type=JSON, expected=(204,))


def rerun(run: str, namespace: NamespaceName, asked: Rerun) -> Call[RunReport]:
    """Begin a run that goes on from a step of another."""
    content = msgspec.json.encode(asked)
    return Call(
        "POST", _run(run, namespace) + "/rerun", reads(RunReport), content=content, content_type=JSON, expected=(202,)
    )


def _flow(name: str, namespace: NamespaceName) -> str:
    return f"/v1/namespaces/{namespace}/flows/{parse_flow_name(name)}"


def _run(run: str, namespace: NamespaceName) -> str:
    if not is_call_id(run):
        raise InvalidName(f"{run[:80]!r} is not the id of a run")
    return f"/v1/namespaces/{namespace}/flow-runs/{run}"


def _step(path: str) -> str:
    if not path.isascii() or not path.replace(".", "").replace("~", "").replace("-", "").replace("_", "").isalnum():
        raise InvalidName(f"{path[:80]!r} is not a step's name or path")
    return path


def _wait(wait_s: float) -> tuple[tuple[str, str], ...]:
    return (("wait", f"{wait_s:g}s"),) if wait_s else ()
