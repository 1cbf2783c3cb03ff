"""`dayfly describe`: everything about one function, under faas-cli's names where it has one."""

from typing import TYPE_CHECKING

import click

from dayfly.cli.options import function_argument, gateway_option, namespace_option, output_option
from dayfly.cli.output import sheet, show
from dayfly.cli.rollouts import outcome_text, rollout_text, time_text
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
        # A revision that does not come up takes nothing from the one that goes on.
        ("Status", "Ready" if status.state in ("ready", "idle") or status.ready_replicas else "Not Ready"),
        ("State", f"{status.state}: {status.reason}" if status.reason else status.state),
        ("Replicas", str(status.desired_replicas)),
        ("Available Replicas", str(status.ready_replicas)),
        ("Invocations", str(status.invocations)),
        ("Revision", f"{status.revision}, deployed {time_text(status.updated_unix_ms)}"),
        ("Rollout", _rollout(status)),
        ("Last Rollout", outcome_text(status.outcome) if status.outcome is not None else "<none>"),
        ("Created", time_text(status.created_unix_ms)),
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
    if status.exits:
        ended = ", ".join(f"{reason} {count}" for reason, count in sorted(status.exits.items()))
        fields.append(("Ended Replicas", ended))
    return fields + [("Replica", _replica(status, at)) for at in range(len(status.replicas))]


def _rollout(status: "FunctionStatus") -> str:
    rollout = status.rollout
    if rollout is None:
        return "<none>"
    # Why it fails is told as the function's state already.
    said = rollout.reason if rollout.state != "failing" else ""
    return f"{rollout_text(rollout)}\n{said}".rstrip()


def _replica(status: "FunctionStatus", at: int) -> str:
    from dayfly.model.quantities import format_memory

    replica = status.replicas[at]
    used = f", {format_memory(replica.memory_bytes)}, {replica.cpu_s:.2f}s of CPU" if replica.memory_bytes else ""
    return (
        f"{replica.id}: {replica.phase}, revision {replica.revision}, since {time_text(replica.started_unix_ms)}{used}"
    )


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
