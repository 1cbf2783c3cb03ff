"""What `dayfly deploy` is told on its command line beside, or instead of, a stack file."""

from collections.abc import Callable
from typing import Any, TypeVar, get_args

import click
import msgspec

from dayfly.cli.options import Pair
from dayfly.model.egress import Network
from dayfly.model.function import FunctionSpec, Resources

F = TypeVar("F", bound=Callable[..., Any])

_OPTIONS = (
    click.option("-e", "--env", type=Pair(), multiple=True, help="An environment variable; may be repeated."),
    click.option("-l", "--label", type=Pair(), multiple=True, help="A label; may be repeated."),
    click.option("--annotation", type=Pair(), multiple=True, help="An annotation; may be repeated."),
    click.option("--secret", multiple=True, metavar="NAME", help="A secret to give to the function; may be repeated."),
    click.option("--constraint", multiple=True, metavar="TEXT", help="A constraint for the provider; may be repeated."),
    click.option("--call-timeout", default="", metavar="SPAN", help="How long one call may take.  [default: 60s]"),
    click.option("--max-inflight", default=0, metavar="N", help="Calls one replica works on at a time."),
    click.option("--max-body", default="", metavar="SIZE", help="The largest request body, for example 1Mi."),
    click.option("--max-log-rate", default="", metavar="SIZE", help="What a replica may log a second.  [default: 1M]"),
    click.option(
        "--fprocess", default="", metavar="COMMAND", help="The program of an exec or http function, without a shell."
    ),
    click.option("--memory-request", default="", metavar="SIZE", help="Memory to set aside, for example 64Mi."),
    click.option("--memory-limit", default="", metavar="SIZE", help="Memory it may use, for example 256Mi."),
    click.option("--cpu-request", default="", metavar="CPU", help="CPU to set aside, for example 100m."),
    click.option("--cpu-limit", default="", metavar="CPU", help="CPU it may use, for example 500m."),
    click.option(
        "--network", type=click.Choice(get_args(Network)), default=None, help="How far it reaches.  [default: proxy]"
    ),
    click.option(
        "--allow", multiple=True, metavar="WHERE", help="What its proxy grants instead of public; repeatable."
    ),
    click.option("--readonly", is_flag=True, help="Make all but /tmp read-only."),
)


class Changes(msgspec.Struct, frozen=True, kw_only=True):
    """The options' values; empty ones change nothing."""

    env: tuple[tuple[str, str], ...] = ()
    label: tuple[tuple[str, str], ...] = ()
    annotation: tuple[tuple[str, str], ...] = ()
    secret: tuple[str, ...] = ()
    constraint: tuple[str, ...] = ()
    call_timeout: str = ""
    max_inflight: int = 0
    max_body: str = ""
    max_log_rate: str = ""
    fprocess: str = ""
    memory_request: str = ""
    memory_limit: str = ""
    cpu_request: str = ""
    cpu_limit: str = ""
    network: Network | None = None
    allow: tuple[str, ...] = ()
    readonly: bool = False

    def apply(self, spec: FunctionSpec, namespace: str) -> FunctionSpec:
        """Return the spec with these changes in it; what holds several is merged, the command line winning."""
        return msgspec.structs.replace(
            spec,
            namespace=namespace or spec.namespace,
            env={**spec.env, **dict(self.env)},
            labels={**spec.labels, **dict(self.label)},
            annotations={**spec.annotations, **dict(self.annotation)},
            secrets=tuple(dict.fromkeys((*spec.secrets, *self.secret))),
            constraints=tuple(dict.fromkeys((*spec.constraints, *self.constraint))),
            timeout=self.call_timeout or spec.timeout,
            max_inflight=self.max_inflight or spec.max_inflight,
            max_body=self.max_body or spec.max_body,
            max_log_rate=self.max_log_rate or spec.max_log_rate,
            process=self.fprocess or spec.process,
            requests=_changed(spec.requests, self.memory_request, self.cpu_request),
            limits=_changed(spec.limits, self.memory_limit, self.cpu_limit),
            network=self.network or spec.network,
            allow=self.allow or spec.allow,
            read_only_root_filesystem=self.readonly or spec.read_only_root_filesystem,
        )


def change_options(command: F) -> F:
    """Add the options whose values `Changes` takes."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def _changed(found: Resources | None, memory: str, cpu: str) -> Resources | None:
    old = found or Resources()
    new = Resources(memory or old.memory, cpu or old.cpu)
    return new if new.memory or new.cpu else None
