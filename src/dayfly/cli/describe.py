"""`dayfly describe`: everything about one function, under faas-cli's names where it has one."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from dayfly.cli.options import function_argument, gateway_option, namespace_option, output_option
from dayfly.cli.output import sheet, show
from dayfly.cli.session import connect
from dayfly.cli.terminal import Progress

if TYPE_CHECKING:
    from dayfly.model.function import FunctionSpec, Resources
    from dayfly.model.status import FunctionStatus


@click.command("describe")
@function_argument
@gateway_option
@namespace_option
@output_option
def command(name: str, gateway: str, namespace: str, output: str) -> None:
    """Show everything about a function.

    \b
    Examples:
      dayfly describe hello
      dayfly describe hello -o json | jq .ready_replicas
    """
    with connect(gateway) as client, Progress("asking the gateway"):
        status = client.get_function(name, namespace=namespace)
    show(status, output, table=lambda: sheet(_fields(status)), names=lambda: [status.spec.name])


def _fields(status: "FunctionStatus") -> list[tuple[str, str]]:
    spec = status.spec
    fields = [
        ("Name", spec.name),
        ("Namespace", spec.namespace),
        ("Status", "Ready" if status.state in ("ready", "idle") else "Not Ready"),
        ("State", f"{status.state}: {status.reason}" if status.reason else status.state),
        ("Replicas", str(status.desired_replicas)),
        ("Available Replicas", str(status.ready_replicas)),
        ("Invocations", str(status.invocations)),
        ("Revision", f"{status.revision}, deployed {_time(status.updated_unix_ms)}"),
        ("Created", _time(status.created_unix_ms)),
        ("Image", spec.image or "<none>"),
        ("Bundle", spec.bundle or "<none>"),
        ("Language", spec.lang + (f", {spec.dialect}" if spec.dialect not in ("auto", spec.lang) else "")),
        ("Sandbox", f"tier {status.sandbox_tier}" if status.sandbox_tier else "<none>"),
        ("Network", _network(spec)),
        ("Function Process", spec.process or "<default>"),
        ("Timeout", f"{spec.timeout_s:g}s"),
        ("URL", status.url),
        ("Labels", _pairs(spec.labels)),
        ("Annotations", _pairs(spec.annotations)),
        ("Constraints", "\n".join(spec.constraints) or "<none>"),
        ("Environment", "\n".join(sorted(spec.env)) or "<none>"),
        ("Secrets", "\n".join(spec.secrets) or "<none>"),
        ("Requests", _resources(spec.requests)),
        ("Limits", _resources(spec.limits)),
    ]
    return fields + [("Replica", _replica(status, at)) for at in range(len(status.replicas))]


def _replica(status: "FunctionStatus", at: int) -> str:
    from dayfly.model.quantities import format_memory

    replica = status.replicas[at]
    used = f", {format_memory(replica.memory_bytes)}, {replica.cpu_s:.2f}s of CPU" if replica.memory_bytes else ""
    return f"{replica.id}: {replica.phase}, revision {replica.revision}, since {_time(replica.started_unix_ms)}{used}"


def _network(spec: "FunctionSpec") -> str:
    if spec.network == "host":
        return "host: WARNING: it reaches whatever this machine reaches, its own services too"
    return f"proxy: {', '.join(spec.allow) or 'nothing'}" if spec.network == "proxy" else "none"


def _pairs(texts: dict[str, str]) -> str:
    return "\n".join(f"{name} : {texts[name]}" for name in sorted(texts)) or "<none>"


def _resources(found: "Resources | None") -> str:
    parts = (
        [f"{what}: {value}" for what, value in (("CPU", found.cpu), ("Memory", found.memory)) if value] if found else []
    )
    return "\n".join(parts) or "<none>"


def _time(unix_ms: int) -> str:
    return datetime.fromtimestamp(unix_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
