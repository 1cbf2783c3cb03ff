"""`dayfly deploy`: build, upload, deploy, and wait until the function answers or cannot.

The functions of a stack go one after the other, sorted by name. One that is refused does not keep the others from
being deployed; the command then ends with the first one's exit code.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from dayfly.cli.canary import CanaryOptions, canary_options
from dayfly.cli.changes import Changes, change_options
from dayfly.cli.deploy_source import Source, source_options
from dayfly.cli.options import (
    allow_secret_option,
    gateway_option,
    namespace_option,
    output_option,
    verify_key_option,
    wait_options,
)
from dayfly.cli.output import show
from dayfly.cli.rollouts import outcome_text, rollout_text
from dayfly.cli.session import connect
from dayfly.cli.terminal import Progress, neutralise
from dayfly.cli.updates import check_update, make_way, update_options
from dayfly.cli.waiting import wait_until_ready
from dayfly.cli.workers import each
from dayfly.model.errors import InvalidRequest
from dayfly.model.quantities import parse_duration

if TYPE_CHECKING:
    from dayfly.client.blocking import Client
    from dayfly.client.stack_function import StackFunction
    from dayfly.model.rollout import Canary
    from dayfly.model.status import FunctionStatus


class _How(msgspec.Struct, frozen=True, kw_only=True):
    """What is the same for all functions of one command."""

    canary: "Canary | None"
    wait_s: float
    """0 not to wait."""
    quiet: bool
    update: bool
    replace: bool


@click.command("deploy")
@click.argument("name", default="")
@source_options
@update_options
@allow_secret_option
@verify_key_option
@change_options
@canary_options
@wait_options
@namespace_option
@gateway_option
@output_option
def command(
    update: bool,
    replace: bool,
    timeout: str,
    wait: bool,
    wait_timeout: str,
    namespace: str,
    gateway: str,
    output: str,
    allow_secret: tuple[str, ...],
    verify_key: tuple[Path, ...],
    **given: Any,
) -> None:
    """Deploy functions from a stack file, or one from a folder or an image.

    With no argument, the functions of stack.yaml in this folder; with NAME alone, that one of them; with NAME and
    --handler, the code in that folder; with NAME and --image alone, that image, which takes a container engine beside
    the platform. Languages that are compiled are compiled here, by their template. A folder that holds credentials is
    refused; name what does not belong to the function in a .dayflyignore file there.

    Every deployment is a revision: it takes over once its replicas are ready, and until then the one before it goes on.
    With --canary it gets a part of the calls first, and is promoted or returned by what becomes of them.

    \b
    Examples:
      dayfly deploy
      dayfly deploy -f stack.yaml --filter 'mail-*' --env STAGE=test
      dayfly deploy hello --handler ./hello --lang python --call-timeout 5s
      dayfly deploy figlet --image ghcr.io/openfaas/figlet:latest
      dayfly deploy hello --image registry.example.com/team/hello:1 --verify-key release.key.pub
      dayfly deploy hello --canary 10 --canary-window 10m
      dayfly deploy -f examples/stack.yaml --skip-missing
    """
    from dayfly.client.stack_triggers import in_order

    check_update(update=update, replace=replace)
    source = msgspec.convert(_part(given, Source), Source)
    changes = msgspec.convert(_part(given, Changes), Changes)
    how = _How(
        canary=msgspec.convert(_part(given, CanaryOptions), CanaryOptions).policy(),
        wait_s=parse_duration(wait_timeout) if wait else 0,
        quiet=output != "table",
        update=update,
        replace=replace,
    )
    stack_gateway, functions = source.find()
    functions = _allowing(functions, allow_secret)
    with connect(gateway, stack=stack_gateway, timeout_s=parse_duration(timeout)) as client:
        # All of them are judged before the first is sent: a mistake in one should not leave half a stack deployed.
        specs = [_changed(one, changes, namespace or one.namespace or client.namespace) for one in functions]
        specs = in_order(_verified(one, verify_key) if verify_key else one for one in specs)
        done = each(specs, lambda one: _deploy(client, one, how), name=lambda one: one.spec.name, failed="to deploy")
    if output != "table":
        data = done[0] if source.is_one and done else done
        show(data, output, table=str, names=lambda: [status.spec.name for status in done])


def _allowing(functions: "list[StackFunction]", texts: tuple[str, ...]) -> "list[StackFunction]":
    from dayfly.oci.scan import Allowance

    allowed = tuple(map(Allowance.parse, texts))
    return [msgspec.structs.replace(one, allowed=allowed) for one in functions]


def _changed(one: "StackFunction", changes: Changes, namespace: str) -> "StackFunction":
    spec = changes.apply(one.spec, namespace)
    spec.check()
    return msgspec.structs.replace(one, spec=spec)


def _verified(one: "StackFunction", keys: tuple[Path, ...]) -> "StackFunction":
    """The function with its image pinned to what is signed."""
    from dayfly.client.verification import verified
    from dayfly.model.image import IMAGE_ANNOTATION

    if not one.has_image:
        hint = "Deploy its image, or leave the option out."
        raise InvalidRequest(f"--verify-key is for images, and {one.spec.name} is made of its folder here.", hint=hint)
    # These bytes and no others: no function of the store's is to stand in for them.
    annotations = {**one.spec.annotations, IMAGE_ANNOTATION: "container"}
    spec = msgspec.structs.replace(one.spec, image=verified(one.spec.image, keys), annotations=annotations)
    return msgspec.structs.replace(one, spec=spec)


def _deploy(client: "Client", one: "StackFunction", how: _How) -> "FunctionStatus":
    from dayfly.client.building import build
    from dayfly.client.stack_triggers import settle_triggers
    from dayfly.oci.scan import ALLOWED_LABEL

    name, spec = one.spec.name, one.spec
    if not how.quiet:
        click.echo(f"Deploying: {name}.")
    with Progress() as progress:
        if not how.update and make_way(client, spec, replace=how.replace) and not how.quiet:
            click.echo("Removing old function.")
        if not one.has_image:
            bundle = build(one.source, spec.image, lambda what: progress.show(f"{name}: {what}"))
            if bundle is not None:
                progress.show(f"{name}: uploading {len(bundle.data) // 1024} KiB")
                client.upload(bundle, namespace=spec.namespace)
                noted = {ALLOWED_LABEL: bundle.allowed} if bundle.allowed else {}
                spec = msgspec.structs.replace(spec, bundle=bundle.digest, annotations={**spec.annotations, **noted})
        status = client.deploy(spec, canary=how.canary)
        if one.triggers is not None:
            settle_triggers(client, spec, one.triggers)
        if status.revision > 1 and not how.quiet:
            with progress.above():
                click.echo(f"Function {name} already exists, attempting rolling-update.")
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
