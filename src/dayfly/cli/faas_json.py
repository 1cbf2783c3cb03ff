"""`--json`: the documents that faas-cli prints, for scripts that read those. `--output json` prints ours, with more."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click
import msgspec

if TYPE_CHECKING:
    from dayfly.model.function import Resources
    from dayfly.model.log import LogLine
    from dayfly.model.status import FunctionStatus, PlatformInfo

json_option = click.option(
    "-j", "--json", "is_json", is_flag=True, help="Print it as faas-cli does; --output json has more."
)


def show_json(data: Any) -> None:
    """Print a document, indented by two, as it is."""
    click.echo(msgspec.json.format(msgspec.json.encode(data), indent=2).decode())


def function_of(status: "FunctionStatus") -> dict[str, Any]:
    """Return a function as faas-cli's `list --json` has it: what is not set is left out."""
    spec = status.spec
    told = {
        "name": spec.name,
        "image": spec.image or spec.bundle,
        "namespace": spec.namespace,
        "envProcess": spec.process,
        "envVars": spec.env,
        "constraints": spec.constraints,
        "secrets": spec.secrets,
        "labels": spec.labels,
        "annotations": spec.annotations,
        "limits": _resources(spec.limits),
        "requests": _resources(spec.requests),
        "readOnlyRootFilesystem": spec.read_only_root_filesystem,
        "invocationCount": status.invocations,
        "replicas": status.desired_replicas,
        "availableReplicas": status.ready_replicas,
        "createdAt": rfc3339(status.created_unix_ms * 1_000_000),
    }
    return {key: value for key, value in told.items() if value or key in ("name", "image", "labels", "annotations")}


def description_of(status: "FunctionStatus", url: str, async_url: str) -> dict[str, Any]:
    """Return a function as faas-cli's `describe --json` has it."""
    usage = {"cpu": status.cpu_s * 1000, "totalMemoryBytes": status.memory_bytes}
    return {
        **function_of(status),
        "usage": usage,
        "Status": "Ready" if status.ready_replicas else "Not Ready",
        "InvocationCount": status.invocations,
        "URL": url,
        "AsyncURL": async_url,
    }


def version_of(program: str, info: "PlatformInfo", url: str) -> dict[str, Any]:
    """Return the versions as faas-cli's `version --json` has them."""
    sha = f"v{info.version}"
    gateway = {"uri": url, "version": info.version, "sha": sha}
    provider = {"name": "dayfly", "orchestration": info.provider, "version": info.version, "sha": sha}
    return {"cli": {"commit": f"v{program}", "version": program}, "gateway": gateway, "provider": provider}


def log_line_of(line: "LogLine") -> dict[str, Any]:
    """Return a log line under faas-cli's names, and ours beside them."""
    return {
        "name": line.key.name,
        "namespace": line.key.namespace,
        "instance": line.replica,
        "timestamp": rfc3339(line.unix_ns),
        "text": line.text,
        **msgspec.to_builtins(line),
    }


def rfc3339(unix_ns: int) -> str:
    """Return a time in UTC as Go writes it: the fraction as long as it has to be."""
    seconds, fraction = divmod(unix_ns, 10**9)
    digits = f".{fraction:09d}".rstrip("0").rstrip(".")
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}{digits}Z"


def _resources(found: "Resources | None") -> dict[str, str]:
    texts = {"memory": found.memory, "cpu": found.cpu} if found else {}
    return {key: text for key, text in texts.items() if text}
