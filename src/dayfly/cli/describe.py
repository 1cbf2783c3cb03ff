"""`dayfly describe`: everything about one function, under faas-cli's names where it has one."""

from typing import TYPE_CHECKING

import click

from dayfly.cli.budget import budget_text
from dayfly.cli.faas_json import description_of, json_option, show_json
from dayfly.cli.options import function_argument, gateway_option, namespace_option, output_option
from dayfly.cli.output import sheet, show
from dayfly.cli.rollouts import outcome_text, rollout_text, time_text
from dayfly.cli.selection import stack_gateway, yaml_option
from dayfly.cli.session import connect
from dayfly.cli.terminal import Progress
from dayfly.model.names import DEFAULT_NAMESPACE
from dayfly.model.quantities import format_memory

if TYPE_CHECKING:
    from dayfly.model.function import FunctionSpec, Resources
    from dayfly.model.status import FunctionStatus

_NONE = "<none>"


@click.command("describe")
@function_argument
@yaml_option
@gateway_option
@namespace_option
@click.option("-v", "--verbose", is_flag=True, help="What is not set too.")
@json_option
@output_option
def command(
    name: str, stack_file: str | None, gateway: str, namespace: str, verbose: bool, is_json: bool, output: str
) -> None:
    """Show everything about a function.

    \b
    Examples:
      dayfly describe hello
      dayfly describe hello --json | jq .AsyncURL
      dayfly describe hello -o json | jq .ready_replicas
    """
    with connect(gateway, stack=stack_gateway(stack_file)) as client, Progress("asking the gateway"):
        status = client.get_function(name, namespace=namespace)
        where = "" if status.spec.namespace == DEFAULT_NAMESPACE else f".{status.spec.namespace}"
        urls = [f"{client.url}/{kind}/{status.spec.name}{where}" for kind in ("function", "async-function")]
    if is_json:
        show_json(description_of(status, *urls))
        return
    fields = [(key, text) for key, text in _fields(status, *urls) if verbose or text != _NONE]
    show(status, output, table=lambda: sheet(fields), names=lambda: [status.spec.name])


def _fields(status: "FunctionStatus", url: str, async_url: str) -> list[tuple[str, str]]:
    spec = status.spec
    fields = [
        ("Name", spec.name),
        ("Namespace", spec.namespace),
        # A revision that does not come up takes nothing from the one that goes on.
        ("Status", "Ready" if status.state in ("ready", "idle") or status.ready_replicas else "Not Ready"),
        ("State", f"{status.state}: {status.reason}" if status.reason else status.state),
        ("Replicas", str(status.desired_replicas)),
        ("Available Replicas", str(status.ready_replicas)),
        ("Usage", f"RAM: {status.memory_bytes / 1024 / 1024:.2f} MB\nCPU: {status.cpu_s:.2f}s of processor time"),
        ("Invocations", str(status.invocations)),
        ("Budget", "\n".join(map(budget_text, status.budgets)) or _NONE),
        ("Revision", f"{status.revision}, deployed {time_text(status.updated_unix_ms)}"),
        ("Rollout", _rollout(status)),
        ("Last Rollout", outcome_text(status.outcome) if status.outcome is not None else _NONE),
        ("Created", time_text(status.created_unix_ms)),
        ("Image", _image(status)),
        ("Bundle", spec.bundle or _NONE),
        ("Language", spec.lang + (f", {spec.dialect}" if spec.dialect not in ("auto", spec.lang) else "")),
        ("Runtime", spec.runtime),
        ("Sandbox", _sandbox(status)),
        ("Network", _network(spec)),
        ("Debug", _debug(spec)),
        ("Function Process", spec.process or "<default>"),
        ("Timeout", f"{spec.timeout_s:g}s"),
        ("Largest Body", spec.max_body or "<default>"),
        ("Log Rate", f"{spec.max_log_rate}/s" if spec.max_log_rate else "<default>"),
        ("URL", url),
        ("Async URL", async_url),
        ("Labels", _pairs(spec.labels)),
        ("Annotations", _pairs(spec.annotations)),
        ("Constraints", "\n".join(spec.constraints) or _NONE),
        ("Environment", "\n".join(sorted(spec.env)) or _NONE),
        ("Secrets", "\n".join(spec.secrets) or _NONE),
        ("Requests", _resources(spec.requests)),
        ("Limits", _resources(spec.limits)),
    ]
    if status.exits:
        ended = ", ".join(f"{reason} {count}" for reason, count in sorted(status.exits.items()))
        fields.append(("Ended Replicas", ended))
    return fields + [("Replica", _replica(status, at)) for at in range(len(status.replicas))]


def _image(status: "FunctionStatus") -> str:
    pinned = f"\npinned to {status.pinned_image}" if status.pinned_image else ""
    return f"{status.spec.image or _NONE}{pinned}"


def _sandbox(status: "FunctionStatus") -> str:
    from dayfly.model.image import ROOT_ANNOTATION, runs_as_root

    if status.spec.runtime == "image":
        if runs_as_root(status.spec.annotations):
            return f"container: WARNING: it may be root in it ({ROOT_ANNOTATION})"
        return "container, held by its engine"
    return f"tier {status.sandbox_tier}" if status.sandbox_tier else _NONE


def _rollout(status: "FunctionStatus") -> str:
    rollout = status.rollout
    if rollout is None:
        return _NONE
    # Why it fails is told as the function's state already.
    said = rollout.reason if rollout.state != "failing" else ""
    return f"{rollout_text(rollout)}\n{said}".rstrip()


def _replica(status: "FunctionStatus", at: int) -> str:
    replica = status.replicas[at]
    used = f", {format_memory(replica.memory_bytes)}, {replica.cpu_s:.2f}s of CPU" if replica.memory_bytes else ""
    return (
        f"{replica.id}: {replica.phase}, revision {replica.revision}, since {time_text(replica.started_unix_ms)}{used}"
    )


def _network(spec: "FunctionSpec") -> str:
    if spec.network == "host" and spec.runtime == "image":
        return "host: WARNING: it reaches what any container of the engine reaches, this machine's services among it"
    if spec.network == "host":
        return "host: WARNING: it reaches whatever this machine reaches, its own services too"
    return f"proxy: {', '.join(spec.allow) or 'nothing'}" if spec.network == "proxy" else "none"


def _debug(spec: "FunctionSpec") -> str:
    if spec.debug is None:
        return _NONE
    listens = f", and obeys the debugger at 127.0.0.1:{spec.debug.debugger.port}" if spec.debug.debugger else ""
    return f"WARNING: `dayfly dev` deployed it: it tells its callers tracebacks{listens}"


def _pairs(texts: dict[str, str]) -> str:
    return "\n".join(f"{name}: {texts[name]}" for name in sorted(texts)) or _NONE


def _resources(found: "Resources | None") -> str:
    parts = (
        [f"{what}: {value}" for what, value in (("CPU", found.cpu), ("Memory", found.memory)) if value] if found else []
    )
    return "\n".join(parts) or _NONE
