"""What OpenFaaS's documents mean in ours, and back. Pure."""

import datetime

import msgspec

from dayfly.dialects.openfaas.wire import FunctionDeployment, FunctionDescription, FunctionResources, LogMessage
from dayfly.model.errors import InvalidName, InvalidSpec
from dayfly.model.function import FunctionSpec, Resources
from dayfly.model.log import LogLine
from dayfly.model.names import (
    DEFAULT_NAMESPACE,
    FunctionKey,
    parse_function_key,
    parse_function_name,
    parse_namespace,
)
from dayfly.model.status import FunctionStatus

FUNCTION_LABEL = "faas_function"
"""OpenFaaS's providers add it to a function's labels; it is made for answers and never kept."""


def to_key(name: str, *namespaces: str | None) -> FunctionKey:
    """Return the function that a name, perhaps `NAME.NAMESPACE`, and the namespaces given beside it mean.

    Raises InvalidName, also when two of them name different namespaces.
    """
    named = parse_function_key(name)
    given = {parse_namespace(namespace) for namespace in namespaces if namespace}
    if "." in name:
        given.add(named.namespace)
    if len(given) > 1:
        raise InvalidName(f"{name[:80]!r} is asked for in two namespaces at once: {', '.join(sorted(given))}")
    return FunctionKey(given.pop() if given else DEFAULT_NAMESPACE, named.name)


def check_deployment(asked: FunctionDeployment, query_namespace: str) -> FunctionKey:
    """Return the function that a deployment is for. Raises InvalidSpec in OpenFaaS's words, InvalidName."""
    if not asked.service:
        raise InvalidSpec("validation failed: service: is required")
    if not asked.image:
        raise InvalidSpec("validation failed: image: is required")
    try:
        name = parse_function_name(asked.service)
    except InvalidName:
        text = f"validation failed: service: ({asked.service[:80]}) is invalid, must be a valid DNS entry"
        raise InvalidSpec(text) from None
    return to_key(name, asked.namespace, query_namespace)


def to_spec(asked: FunctionDeployment, key: FunctionKey, *, bundle: str, present: FunctionSpec | None) -> FunctionSpec:
    """Return the deployment as a spec with this code.

    What OpenFaaS has no field for, such as the handler, stays as it is in the function's `present` spec.
    """
    labels = {name: value for name, value in (asked.labels or {}).items() if name != FUNCTION_LABEL}
    return msgspec.structs.replace(
        present or FunctionSpec(name=key.name),
        name=key.name,
        namespace=key.namespace,
        bundle=bundle,
        image=asked.image or "",
        process=asked.env_process or "",
        env=asked.env_vars or {},
        labels=labels,
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
        labels={**spec.labels, FUNCTION_LABEL: spec.name},
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


def _to_resources(asked: FunctionResources | None) -> Resources | None:
    if asked is None or not (asked.memory or asked.cpu):
        return None
    return Resources(memory=asked.memory or "", cpu=asked.cpu or "")


def _from_resources(kept: Resources | None) -> FunctionResources | None:
    if kept is None or not (kept.memory or kept.cpu):
        return None
    return FunctionResources(memory=kept.memory or None, cpu=kept.cpu or None)
