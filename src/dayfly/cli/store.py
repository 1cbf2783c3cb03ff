"""`dayfly store`: functions to take as they are. Ours needs no network; `--url` reads another in OpenFaaS's format."""

import os
import platform as machine
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click
import msgspec

from dayfly.cli.changes import Changes, change_options
from dayfly.cli.faas_json import json_option, show_json
from dayfly.cli.group import Group
from dayfly.cli.options import gateway_option, namespace_option, output_option, wait_options
from dayfly.cli.output import columns, sheet, show
from dayfly.cli.session import connect
from dayfly.cli.terminal import Progress, neutralise
from dayfly.cli.updates import check_update, make_way, update_options
from dayfly.cli.waiting import wait_until_ready
from dayfly.model.errors import NotFound
from dayfly.model.quantities import parse_duration

if TYPE_CHECKING:
    from dayfly.model.store import StoreFunction

F = TypeVar("F", bound=Callable[..., Any])
STORE_VARIABLE = "OPENFAAS_STORE"
_ARCHITECTURES = {"aarch64": "arm64", "armv6l": "armhf", "armv7l": "armhf", "amd64": "x86_64"}
_SHOWN = 100


def _store_options(command: F) -> F:
    """Add --url and --platform."""
    for option in (
        click.option(
            "-p", "--platform", default="", metavar="NAME", help="The machines to run on.  [default: as this one]"
        ),
        click.option(
            "-u",
            "--url",
            default="",
            metavar="URL|FILE",
            help=f"Another store's list.  [default: {STORE_VARIABLE}; ours]",
        ),
    ):
        command = option(command)
    return command


@click.group("store", cls=Group, aliases={"inspect": "describe"})
def command() -> None:
    """List, show and deploy functions of a store.

    Ours comes along with Dayfly and needs neither the network nor a container engine. Its functions stand in for the
    well-known ones of OpenFaaS's store, whose images mean them too.

    \b
    Examples:
      dayfly store list
      dayfly store deploy figlet
      echo Dayfly | dayfly invoke figlet
    """


@command.command("list")
@_store_options
@click.option("-v", "--verbose", is_flag=True, help="Show descriptions whole.")
@json_option
@output_option
def list_(url: str, platform: str, verbose: bool, is_json: bool, output: str) -> None:
    """List the functions of a store.

    \b
    Examples:
      dayfly store list
      dayfly store list --url https://raw.githubusercontent.com/openfaas/store/master/functions.json
    """
    wanted = platform or _own_platform()
    listed = _functions(url)
    found = [each for each in listed if each.image_for(wanted)]
    if not found and listed:
        known = ", ".join(sorted({key for each in listed for key in each.images}))
        raise NotFound(f"The store has no function for the platform {wanted[:40]}.", hint=f"It has some for {known}.")
    if is_json:
        show_json(found)
        return
    show(found, output, table=lambda: _table(found, verbose=verbose), names=lambda: [each.name for each in found])


@command.command("describe")
@click.argument("name")
@_store_options
@json_option
@output_option
def describe(name: str, url: str, platform: str, is_json: bool, output: str) -> None:
    """Show a function of a store; NAME is its name, its title or an alias.

    \b
    Examples:
      dayfly store describe figlet
      dayfly store describe nodeinfo -o json
    """
    from dayfly.client.store import find_function

    wanted = platform or _own_platform()
    found = find_function(_functions(url), name, wanted)
    if is_json:
        show_json(found)
        return
    show(found, output, table=lambda: _sheet(found, wanted), names=lambda: [found.name])


@command.command("deploy")
@click.argument("name")
@_store_options
@click.option("--name", "named", default="", metavar="NAME", help="What to call it.  [default: as in the store]")
@update_options
@change_options
@wait_options
@namespace_option
@gateway_option
@output_option
def deploy(
    name: str, url: str, platform: str, named: str, update: bool, replace: bool, timeout: str, wait: bool,
    wait_timeout: str, namespace: str, gateway: str, output: str, **given: Any,
) -> None:  # fmt: skip
    """Deploy a function of a store; NAME is its name, its title or an alias.

    \b
    Examples:
      dayfly store deploy figlet
      dayfly store deploy nodeinfo --name machine --label team=ops
    """
    from dayfly.client.store import deployment_of, find_function

    check_update(update=update, replace=replace)
    wanted = platform or _own_platform()
    spec = deployment_of(find_function(_functions(url), name, wanted), wanted, named)
    timeout_s = parse_duration(wait_timeout)
    with connect(gateway, timeout_s=parse_duration(timeout)) as client:
        spec = msgspec.convert(given, Changes).apply(spec, namespace or client.namespace)
        if output == "table":
            click.echo(f"Deploying: {neutralise(spec.name)}.")
        with Progress(f"deploying {spec.name}") as progress:
            if not update:
                make_way(client, spec, replace=replace)
            status = client.deploy(spec)
            if wait:
                status = wait_until_ready(client, status, progress, timeout_s=timeout_s)
        where = f".{spec.namespace}" if spec.namespace != "openfaas-fn" else ""
        url = f"{client.url}/function/{spec.name}{where}"
    show(status, output, table=lambda: f"\nDeployed. 200 OK.\nURL: {url}\n", names=lambda: [spec.name])


def _functions(url: str) -> "tuple[StoreFunction, ...]":
    from dayfly.client.store import functions_at

    with Progress("reading the store"):
        return functions_at(url or os.environ.get(STORE_VARIABLE, ""))


def _own_platform() -> str:
    name = machine.machine().lower()
    return _ARCHITECTURES.get(name, name)


def _table(found: "list[StoreFunction]", *, verbose: bool) -> str:
    rows = [["FUNCTION", "AUTHOR", "DESCRIPTION"]]
    rows += [[one.name, one.author or "unknown", _described(one, verbose=verbose)] for one in found]
    return columns(rows, (8, 6, 11))


def _described(one: "StoreFunction", *, verbose: bool) -> str:
    text = " ".join((one.description or one.title).split())
    return text if verbose or len(text) <= _SHOWN else text[: _SHOWN - 1].rstrip() + "…"


def _sheet(one: "StoreFunction", platform: str) -> str:
    fields = [
        ("Name", one.name),
        ("Also called", ", ".join(one.aliases)),
        ("Title", one.title),
        ("Author", one.author or "unknown"),
        ("Description", one.description),
        ("Image", one.image_for(platform)),
        ("Stands in for", ", ".join(one.stands_for)),
        ("Process", one.fprocess or "<default>"),
        ("Repo URL", one.repo_url),
        ("Environment", _pairs(one.environment)),
        ("Labels", _pairs(one.labels)),
        ("Annotations", _pairs(one.annotations)),
    ]
    return sheet([(name, value) for name, value in fields if value])


def _pairs(texts: dict[str, str]) -> str:
    return "\n".join(f"{name} : {texts[name]}" for name in sorted(texts))
