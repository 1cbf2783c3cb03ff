"""What OpenFaaS's documents mean in ours, and back. Pure."""

import datetime

import msgspec

from dayfly.dialects.openfaas.wire import FunctionDeployment, FunctionDescription, FunctionResources, LogMessage
from dayfly.model.errors import InvalidName, InvalidSpec
from dayfly.model.function import FunctionSpec, Resources
from dayfly.model.log import LogLine
from dayfly.model.names import FunctionKey, FunctionName, parse_function_name
from dayfly.model.runtime import RUN_A_PROCESS, Runtime
from dayfly.model.scaling import LIKE_LABEL, LIKE_OPENFAAS, asks_for_openfaas
from dayfly.model.status import FunctionStatus

FUNCTION_LABEL = "faas_function"
"""OpenFaaS's providers add it to a function's labels; it is made for answers and never kept."""
_PYTHON_TEMPLATES = {"python index.py", "python3 index.py"}
"""The processes of OpenFaaS's Python templates: their index.py calls the handler, as the Python runtime does here."""


def check_deployment(asked: FunctionDeployment) -> FunctionName:
    """Return the name of the function that a deployment is for. Raises InvalidSpec in OpenFaaS's words."""
    if not asked.service:
        raise InvalidSpec("validation failed: service: is required")
    if not asked.image:
        raise InvalidSpec("validation failed: image: is required")
    try:
        return parse_function_name(asked.service)
    except InvalidName:
        text = f"validation failed: service: ({asked.service[:80]}) is invalid, must be a valid DNS entry"
        raise InvalidSpec(text) from None


def to_spec(asked: FunctionDeployment, key: FunctionKey, *, bundle: str, present: FunctionSpec | None) -> FunctionSpec:
    """Return the deployment as a spec with this code.

    What OpenFaaS has no field for, such as the handler, stays as it is in the function's `present` spec, but for what
    says how code is run when another runtime runs it from now on. Without a bundle the image is the code; a bundle that
    is new runs by its process, as a watchdog would run it.
    """
    runtime: Runtime = "image" if not bundle else _runtime_of(asked)
    if bundle and present is not None and present.runtime != "image":
        runtime = present.runtime
    fresh = FunctionSpec(name=key.name, runtime=runtime, lang=runtime)
    kept = present.process if present is not None and runtime == present.runtime in RUN_A_PROCESS else ""
    if present is not None and present.runtime != runtime:
        how = {name: getattr(fresh, name) for name in ("runtime", "lang", "dialect", "handler")}
        present = msgspec.structs.replace(present, **how)
    return msgspec.structs.replace(
        present or fresh,
        name=key.name,
        namespace=key.namespace,
        bundle=bundle,
        image=asked.image or "",
        process=asked.env_process or kept,
        env=asked.env_vars or {},
        labels=_kept_labels(asked.labels or {}),
        annotations=asked.annotations or {},
        secrets=asked.secrets or (),
        constraints=asked.constraints or (),
        limits=_to_resources(asked.limits),
        requests=_to_resources(asked.requests),
        read_only_root_filesystem=bool(asked.read_only_root_filesystem),
    )


def to_description(status: FunctionStatus) -> FunctionDescription:
    """Return a function as OpenFaaS describes it; the image is echoed exactly as it was deployed."""
    spec = status.spec
    return FunctionDescription(
        name=spec.name,
        image=spec.image or spec.bundle,
        namespace=spec.namespace,
        labels={**_without_ours(spec.labels), FUNCTION_LABEL: spec.name},
        annotations=spec.annotations,
        replicas=status.desired_replicas,
        available_replicas=status.ready_replicas,
        invocation_count=status.invocations,
        created_at=to_rfc3339(status.created_unix_ms * 1_000_000),
        env_process=spec.process or None,
        env_vars=spec.env or None,
        constraints=spec.constraints or None,
        secrets=spec.secrets or None,
        limits=_from_resources(spec.limits),
        requests=_from_resources(spec.requests),
        read_only_root_filesystem=spec.read_only_root_filesystem,
    )


def to_log_message(line: LogLine) -> LogMessage:
    """Return a log line as OpenFaaS's clients read it."""
    return LogMessage(line.key.name, line.key.namespace, line.replica, to_rfc3339(line.unix_ns), line.text)


def to_rfc3339(unix_ns: int) -> str:
    """Return a time as Go writes it: UTC, nine digits of fraction."""
    seconds, fraction = divmod(unix_ns, 10**9)
    moment = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC) + datetime.timedelta(seconds=seconds)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{fraction:09d}Z"


def _kept_labels(asked: dict[str, str]) -> dict[str, str]:
    labels = _without_ours(asked)
    return {**labels, LIKE_LABEL: LIKE_OPENFAAS} if asks_for_openfaas(labels) else labels


def _without_ours(labels: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in labels.items() if name not in (FUNCTION_LABEL, LIKE_LABEL)}


def _runtime_of(asked: FunctionDeployment) -> Runtime:
    process = asked.env_process or ""
    if not process or process in _PYTHON_TEMPLATES:
        return "python"
    return "http" if (asked.env_vars or {}).get("mode") == "http" else "exec"


def _to_resources(asked: FunctionResources | None) -> Resources | None:
    if asked is None or not (asked.memory or asked.cpu):
        return None
    return Resources(memory=asked.memory or "", cpu=asked.cpu or "")


def _from_resources(kept: Resources | None) -> FunctionResources | None:
    if kept is None or not (kept.memory or kept.cpu):
        return None
    return FunctionResources(memory=kept.memory or None, cpu=kept.cpu or None)
