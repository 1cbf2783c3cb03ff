"""`dayfly deploy`: pack, upload, deploy, and wait until the function answers or cannot.

The functions of a stack go one after the other, sorted by name. One that is refused does not keep the others from
being deployed; the command then ends with the first one's exit code.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from dayfly.cli.canary import CanaryOptions, canary_options
from dayfly.cli.changes import Changes, change_options
from dayfly.cli.options import gateway_option, namespace_option, output_option, stack_options, wait_options
from dayfly.cli.output import show
from dayfly.cli.rollouts import outcome_text, rollout_text
from dayfly.cli.session import connect
from dayfly.cli.terminal import Progress, neutralise, warn
from dayfly.cli.waiting import wait_until_ready
from dayfly.model.errors import DayflyError, InvalidRequest, Unauthenticated, Unavailable
from dayfly.model.quantities import parse_duration

if TYPE_CHECKING:
    from dayfly.client.blocking import Client
    from dayfly.client.stack import StackFunction
    from dayfly.model.rollout import Canary
    from dayfly.model.status import FunctionStatus


class _How(msgspec.Struct, frozen=True, kw_only=True):
    """What is the same for all functions of one command."""

    canary: "Canary | None"
    wait_s: float
    """0 not to wait."""
    quiet: bool


class _Source(msgspec.Struct, frozen=True, kw_only=True):
    """Where the functions come from."""

    name: str
    stack_file: str | None
    glob: str
    regex: str
    no_envsubst: bool
    handler: str | None
    lang: str
    entrypoint: str
    image: str


@click.command("deploy")
@click.argument("name", default="")
@stack_options
@click.option("--handler", metavar="DIR", help="The folder of the function's code, instead of a stack file.")
@click.option("--lang", default="", metavar="LANG", help="The language, as in a stack file.  [default: python]")
@click.option(
    "--entrypoint", default="", metavar="MODULE[:NAME]", help="The handler in the folder.  [default: handler]"
)
@click.option("--image", default="", help="A name to echo where OpenFaaS's tools show an image.")
@change_options
@canary_options
@wait_options
@namespace_option
@gateway_option
@output_option
def command(wait: bool, wait_timeout: str, namespace: str, gateway: str, output: str, **given: Any) -> None:
    """Deploy functions from a stack file, or one from a folder.

    With no argument, the functions of stack.yaml in this folder; with NAME alone, that one of them; with NAME and
    --handler, the code in that folder. A folder that holds credentials is refused; name what does not belong to the
    function in a .dayflyignore file there.

    Every deployment is a revision: it takes over once its replicas are ready, and until then the one before it goes on.
    With --canary it gets a part of the calls first, and is promoted or returned by what becomes of them.

    \b
    Examples:
      dayfly deploy
      dayfly deploy -f stack.yaml --filter 'mail-*' --env STAGE=test
      dayfly deploy hello --handler ./hello --lang python --timeout 5s
      dayfly deploy hello --canary 10 --canary-window 10m
    """
    source = msgspec.convert(_part(given, _Source), _Source)
    changes = msgspec.convert(_part(given, Changes), Changes)
    how = _How(
        canary=msgspec.convert(_part(given, CanaryOptions), CanaryOptions).policy(),
        wait_s=parse_duration(wait_timeout) if wait else 0,
        quiet=output != "table",
    )
    stack_gateway, functions = _functions(source)
    with connect(gateway, stack=stack_gateway) as client:
        # All of them are judged before the first is sent: a mistake in one should not leave half a stack deployed.
        specs = [msgspec.structs.replace(one, spec=changes.apply(one.spec, namespace)) for one in functions]
        for one in specs:
            one.spec.check()
        done = _deploy_all(client, specs, how)
    if output != "table":
        data = done[0] if source.handler and done else done
        show(data, output, table=str, names=lambda: [status.spec.name for status in done])


def _functions(source: _Source) -> "tuple[str, list[StackFunction]]":
    """The stack's gateway and the functions that are meant."""
    from dayfly.client.stack import StackFunction, dialect_of, find_stack, load_stack
    from dayfly.model.function import FunctionSpec

    if source.handler is not None:
        if not source.name or source.stack_file:
            raise InvalidRequest("--handler deploys one function: give its NAME, and no stack file.")
        lang = source.lang or "python"
        spec = FunctionSpec(name=source.name, image=source.image, lang=lang, dialect=dialect_of(lang))
        spec = msgspec.structs.replace(spec, handler=source.entrypoint or spec.handler)
        return "", [StackFunction(spec, Path(source.handler))]
    for option, value in (("--lang", source.lang), ("--entrypoint", source.entrypoint), ("--image", source.image)):
        if value:
            raise InvalidRequest(f"{option} goes with --handler; a stack file says it for each function.")
    path = source.stack_file or find_stack()
    if path is None:
        hint = "Name one with -f, deploy a folder with --handler DIR, or begin with `dayfly new hello`."
        raise InvalidRequest("There is no stack.yaml in this folder.", hint=hint)
    stack = load_stack(path, envsubst=not source.no_envsubst)
    if source.name and source.name not in stack.entries:
        raise InvalidRequest(f"{source.name} is not in {path}; it has {', '.join(sorted(stack.entries)) or 'nothing'}.")
    return stack.gateway, list(stack.functions(glob=source.glob or source.name, regex=source.regex))


def _deploy_all(client: "Client", functions: "list[StackFunction]", how: _How) -> "list[FunctionStatus]":
    done, failures = [], {}
    for one in functions:
        try:
            done.append(_deploy(client, one, how))
        except (Unauthenticated, Unavailable):
            raise
        except DayflyError as error:
            if len(functions) == 1:
                raise
            failures[one.spec.name] = error
            warn(f"{one.spec.name}: {error.message}" + (f"\n{error.hint}" if error.hint else ""))
    if failures:
        first = next(iter(failures.values()))
        raise type(first)(f"{len(failures)} of {len(functions)} functions failed to deploy: {', '.join(failures)}")
    return done


def _deploy(client: "Client", one: "StackFunction", how: _How) -> "FunctionStatus":
    from dayfly.client.bundle import pack

    name = one.spec.name
    if not how.quiet:
        click.echo(f"Deploying: {name}.")
    with Progress() as progress:
        progress.show(f"{name}: packing")
        bundle = pack(one.folder)
        progress.show(f"{name}: uploading {len(bundle.data) // 1024} KiB")
        client.upload(bundle)
        status = client.deploy(msgspec.structs.replace(one.spec, bundle=bundle.digest), canary=how.canary)
        if how.wait_s:
            status = wait_until_ready(client, status, progress, timeout_s=how.wait_s)
    if not how.quiet:
        click.echo(f"\nDeployed. 200 OK.\nURL: {neutralise(_url(client, status))}\n{_canary(status, how)}")
    return status


def _canary(status: "FunctionStatus", how: _How) -> str:
    """A line about the trial that was asked for; nothing when none was."""
    if how.canary is None:
        return ""
    if status.rollout is not None:
        return f"Canary: {neutralise(rollout_text(status.rollout))}\n"
    return f"Canary: {neutralise(outcome_text(status.outcome))}\n" if status.outcome is not None else ""


def _url(client: "Client", status: "FunctionStatus") -> str:
    """Where it is called through the gateway this client reached, whatever name the platform has for itself."""
    namespace = f".{status.spec.namespace}" if status.spec.namespace != "openfaas-fn" else ""
    return f"{client.url}/function/{status.spec.name}{namespace}"


def _part(given: dict[str, Any], kind: type[msgspec.Struct]) -> dict[str, Any]:
    return {name: given[name] for name in kind.__struct_fields__}
