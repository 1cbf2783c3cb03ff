"""`dayfly template`: what functions are made from. Ours are there; others come from repositories, archives, folders."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import click

from dayfly.cli.group import Group
from dayfly.cli.new import languages
from dayfly.cli.options import output_option
from dayfly.cli.output import columns, sheet, show
from dayfly.cli.terminal import Progress, neutralise
from dayfly.model.errors import InvalidRequest

if TYPE_CHECKING:
    from dayfly.client.template_pull import Pulled
    from dayfly.model.store import StoreTemplate

URL_VARIABLE = "OPENFAAS_TEMPLATE_URL"
_MAIN_PLATFORM = "x86_64"

_overwrite = click.option(
    "--overwrite/--no-overwrite", default=True, show_default=True, help="Replace templates that are there."
)
_url = click.option(
    "-u",
    "--url",
    default="",
    metavar="URL|FILE",
    help="The store's list.  [default: OPENFAAS_TEMPLATE_STORE_URL; ours]",
)


@click.group("template", cls=Group)
def command() -> None:
    """List and pull templates.

    Those that come with Dayfly need no pulling. A pulled one is a folder of ./template and goes by its name, or by
    NAME@REF where a branch, a tag or sha-COMMIT was named.

    \b
    Examples:
      dayfly template list
      dayfly template pull https://github.com/openfaas/templates.git
      dayfly template store list
    """


@command.command("pull")
@click.argument("source", default="", metavar="[URL[#REF]|ARCHIVE|FOLDER|stack]")
@_overwrite
@click.option("--debug", is_flag=True, hidden=True, expose_value=False)
@click.option(
    "-f", "--yaml", "stack_file", metavar="FILE", help="With `stack`: the stack file.  [default: stack.yaml here]"
)
def pull(source: str, overwrite: bool, stack_file: str | None) -> None:
    """Pull templates into ./template.

    From a git repository, a .tar.gz archive or a folder; by default from OPENFAAS_TEMPLATE_URL, else from the
    repository of OpenFaaS. With `stack`, those that the stack file names under configuration.templates.

    \b
    Examples:
      dayfly template pull https://github.com/openfaas/python-flask-template#master
      dayfly template pull ../our-templates --no-overwrite
      dayfly template pull stack -f stack.yaml
    """
    from dayfly.client import template_pull

    if source == "stack":
        _pull_stack(stack_file, overwrite=overwrite)
        return
    if stack_file:
        raise InvalidRequest("A stack file says what to pull only with `dayfly template pull stack`.")
    place = source or os.environ.get(URL_VARIABLE, "") or template_pull.DEFAULT_REPOSITORY
    with Progress(f"pulling {place}"):
        done = template_pull.pull(place, Path(), unpack, overwrite=overwrite)
    _wrote(done)


@command.command("list")
def list_() -> None:
    """List the templates that are here, what each needs, and whether this machine has it.

    \b
    Examples:
      dayfly template list
    """
    click.echo(languages())


@command.group("store", cls=Group, aliases={"inspect": "describe"})
def store() -> None:
    """List, show and pull the templates of a store.

    \b
    Examples:
      dayfly template store list
      dayfly template store pull ruby-http --url https://example.com/templates.json
    """


@store.command("list")
@_url
@click.option("-p", "--platform", default=_MAIN_PLATFORM, show_default=True, help="The machines they are for.")
@click.option("-r", "--recommended", is_flag=True, help="Only recommended ones.")
@click.option("-o", "--official", is_flag=True, help="Only official ones.")
@click.option("-j", "--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("-v", "--verbose", is_flag=True, help="Show language and platform too.")
def store_list(url: str, platform: str, recommended: bool, official: bool, as_json: bool, verbose: bool) -> None:
    """List the templates of a store.

    \b
    Examples:
      dayfly template store list
      dayfly template store list --recommended --url https://example.com/templates.json
    """
    found = [
        each
        for each in _store(url)
        if (each.recommended or not recommended) and (each.official == "true" or not official)
        and each.platform.lower() == platform.lower()
    ]  # fmt: skip
    names = [each.template for each in found]
    show(found, "json" if as_json else "table", table=lambda: _table(found, verbose=verbose), names=lambda: names)


@store.command("describe")
@click.argument("name")
@_url
@click.option("-j", "--json", "as_json", is_flag=True, help="The same as --output json.")
@output_option
def store_describe(name: str, url: str, as_json: bool, output: str) -> None:
    """Show a template of a store: NAME, or SOURCE/NAME.

    \b
    Examples:
      dayfly template store describe node
    """
    from dayfly.client.template_store import find_in_store

    one = find_in_store(tuple(_store(url)), name)
    show(one, "json" if as_json else output, table=lambda: _sheet(one), names=lambda: [one.template])


@store.command("pull")
@click.argument("name", metavar="NAME[@REF]")
@_url
@_overwrite
def store_pull(name: str, url: str, overwrite: bool) -> None:
    """Pull the templates of the repository that a store names for NAME.

    \b
    Examples:
      dayfly template store pull ruby-http --url https://example.com/templates.json
      dayfly template store pull python3-http@1.2.0
    """
    from dayfly.client.template_store import pull_from_store, store_url

    with Progress(f"pulling {name}"):
        done = pull_from_store(name, store_url(url), Path(), unpack, overwrite=overwrite)
    if done.names:
        _wrote(done)
    else:
        click.echo(f"{neutralise(name)} comes with Dayfly: there is nothing to pull.")


def unpack(archive: BinaryIO, target: Path) -> None:
    """Unpack an archive of templates, as strictly as one of code."""
    from dayfly.build.extract import extract

    extract(archive, target, shared=False)


def _pull_stack(stack_file: str | None, *, overwrite: bool) -> None:
    from dayfly.client.stack import load_stack
    from dayfly.client.stack_text import find_stack
    from dayfly.client.template_pull import pull as pull_one
    from dayfly.client.template_store import pull_from_store, store_url

    path = stack_file or find_stack()
    if path is None:
        raise InvalidRequest("There is no stack.yaml in this folder.", hint="Name one with -f.")
    wanted = load_stack(path).templates
    if not wanted:
        raise InvalidRequest(f"{path} names no templates: it has no configuration.templates")
    for name, source in wanted:
        click.echo(f"Pulling template: {neutralise(name)} from {neutralise(source) or 'store'}")
        with Progress(f"pulling {name}"):
            if source:
                done = pull_one(source, Path(), unpack, only=name, overwrite=overwrite)
            else:
                done = pull_from_store(name, store_url(), Path(), unpack, overwrite=overwrite)
        _wrote(done)


def _store(url: str) -> "tuple[StoreTemplate, ...]":
    from dayfly.client.template_store import list_templates, store_url

    with Progress("reading the store"):
        return list_templates(store_url(url))


def _wrote(done: "Pulled") -> None:
    click.echo(f"Wrote {len(done.names)} template(s) : [{neutralise(' '.join(done.names))}]")


def _table(found: "list[StoreTemplate]", *, verbose: bool) -> str:
    more = ["LANGUAGE", "PLATFORM"] if verbose else []
    rows = [["NAME", "RECOMMENDED", "DESCRIPTION", "SOURCE", *more]]
    for each in found:
        row = [each.template, "[x]" if each.recommended else "[ ]", each.description, each.source]
        rows.append([*row, *((each.language, each.platform) if verbose else ())])
    return columns(rows, [1] * len(rows[0]))


def _sheet(one: "StoreTemplate") -> str:
    fields = [
        ("Name", one.template),
        ("Description", one.description),
        ("Language", one.language),
        ("Source", one.source),
        ("Platform", one.platform),
        ("Repository", one.repo or "comes with Dayfly"),
        ("Official", one.official),
        ("Recommended", "true" if one.recommended else "false"),
    ]
    return sheet([(name, value) for name, value in fields if value])
