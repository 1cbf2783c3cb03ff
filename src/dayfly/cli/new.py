"""`dayfly new`: a function to start from, with a test that passes where its language has a cheap way, and a stack file.

The files are a template's starter. Nothing that exists is overwritten.
"""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dayfly.cli.options import language_option
from dayfly.cli.terminal import Progress, warn
from dayfly.model.errors import Conflict, InvalidName, InvalidRequest, InvalidSpec, NotFound
from dayfly.model.names import parse_function_name

if TYPE_CHECKING:
    from dayfly.client.template_file import Template

_GATEWAY = "http://127.0.0.1:8080"
_STACK = """\
version: 1.0
provider:
  name: openfaas
  gateway: {gateway}
functions:
"""
_IGNORED = ("template", "build", ".secrets")
"""What faas-cli keeps out of a project's repository."""
_LEFT_BEHIND = {"__pycache__", ".pytest_cache"}


@click.command("new")
@click.argument("name", default="")
@language_option
@click.option("--list", "list_", is_flag=True, help="List the languages, what each needs and whether it is here.")
@click.option(
    "-a", "--append", metavar="FILE", help="Add the function to this stack file, instead of writing a new one."
)
@click.option("--handler", metavar="DIR", help="The folder to write.  [default: ./NAME]")
@click.option("-p", "--prefix", default="", metavar="TEXT", help="What the image's name begins with, before a slash.")
@click.option("-g", "--gateway", default=_GATEWAY, metavar="URL", help="The gateway to write into the stack file.")
@click.option("--memory-limit", default="", metavar="SIZE", help="Memory it may use, for example 256Mi.")
@click.option("--cpu-limit", default="", metavar="CPU", help="CPU it may use, for example 500m.")
@click.option("--memory-request", default="", metavar="SIZE", help="Memory to set aside, for example 64Mi.")
@click.option("--cpu-request", default="", metavar="CPU", help="CPU to set aside, for example 100m.")
@click.option("--pull", is_flag=True, help="Look for a missing template in the template store, and pull it.")
@click.option("-q", "--quiet", is_flag=True, help="Print nothing.")
def command(
    name: str, lang: str, list_: bool, append: str | None, handler: str | None, gateway: str, pull: bool, quiet: bool,
    **given: str,
) -> None:  # fmt: skip
    """Write a new function: handler, test, stack file.

    The language is a template: one of ours, or one of the folder ./template. --list shows them. One that is not there
    is pulled from the template store (OPENFAAS_TEMPLATE_STORE_URL, else OpenFaaS's) where that variable, or --pull,
    allows it; NAME@REF names a branch, a tag or a commit of its repository.

    \b
    Examples:
      dayfly new --list
      dayfly new hello
      dayfly new api --lang go --append stack.yaml
    """
    if list_:
        click.echo(languages())
        return
    _check(name)
    template = _template(lang, pull=pull)
    folder, stack = Path(handler or name), Path(append or "stack.yaml")
    entry = _entry(name, lang, folder, given)
    content = _appended(stack, name, entry) if append else _fresh(name, lang, stack, entry, gateway)
    if folder.exists():
        raise Conflict(f"folder: {folder} already exists")
    _write(folder, template)
    try:
        stack.write_text(content, encoding="utf-8")
        _ignore(stack.parent / ".gitignore")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidRequest(f"{stack.parent} cannot be written to: {error}") from error
    if not quiet:
        click.echo(f"Folder: {folder} created.\nFunction created in folder: {folder}")
        click.echo(f"Stack file {'updated' if append else 'written'}: {stack}\n")
        if template.welcome:
            click.echo(f"Notes:\n{template.welcome.rstrip()}\n")
        click.echo(f"Deploy it with `dayfly deploy{f' -f {stack}' if append and stack.name != 'stack.yaml' else ''}`.")


def _template(lang: str, *, pull: bool) -> "Template":
    """The template, pulled where it is missing and that is allowed. Raises InvalidSpec, and what pulling raises."""
    from dayfly.client.template_store import OPENFAAS_STORE, pull_from_store, store_url
    from dayfly.client.templates import find_template, is_pulled

    try:
        return find_template(lang, Path())
    except InvalidSpec as error:
        url = store_url() or (OPENFAAS_STORE if pull else "")
        if not url or is_pulled(lang, Path()):
            store = "`dayfly new --pull` looks in the template store, and needs the network."
            hint = error.hint if is_pulled(lang, Path()) else f"{error.hint} {store}".strip()
            raise InvalidSpec(error.message, hint=hint) from error
    from dayfly.cli.template import unpack

    try:
        with Progress(f"pulling {lang} from the template store"):
            done = pull_from_store(lang, url, Path(), unpack)
    except NotFound as error:
        raise InvalidSpec(f"lang: {lang[:60]!r} is no template here, nor in the template store {url}") from error
    warn(f"Pulled from the template store: {', '.join(done.names)}.")
    return find_template(lang, Path())


def _check(name: str) -> None:
    if not name:
        raise InvalidRequest("please provide a name for the function", hint="dayfly new --list shows the languages.")
    try:
        parse_function_name(name)
    except InvalidName as error:
        raise InvalidName(f"function name can only contain a-z, 0-9 and dashes: {error.message}") from error


def languages() -> str:
    """Return the templates that are here, a line each: what it needs, and whether this machine has it."""
    from concurrent.futures import ThreadPoolExecutor

    from dayfly.client.building import is_there
    from dayfly.client.templates import templates

    found = templates(Path(), lambda bad: warn(f"left out: {bad.message}"))
    with ThreadPoolExecutor() as pool:
        there = list(pool.map(is_there, found))
    wide = max(len(template.name) for template in found)
    rows = (
        f"- {template.name:<{wide}}  {'✓' if has else '—'}  {template.needs}".rstrip()
        for template, has in zip(found, there, strict=True)
    )
    return "Languages available as templates (✓: this machine has what it needs):\n" + "\n".join(rows)


def _entry(name: str, lang: str, folder: Path, given: dict[str, Any]) -> str:
    place = folder if folder.is_absolute() else f"./{folder.as_posix()}"
    # Quoted: the name is checked, but a folder may be called anything, and `123` or `no` must stay text elsewhere too.
    shown = (
        name
        if name[0].isalpha() and name not in ("y", "n", "yes", "no", "on", "off", "true", "false", "null")
        else f'"{name}"'
    )
    quoted = str(place).replace("\\", "\\\\").replace('"', '\\"').replace("${", "$${")
    folder_text = f'"{quoted}"' if any(letter in str(place) for letter in " \t:#\"'{}[],&*!|>%@`\\$") else str(place)
    prefix = given["prefix"] or os.environ.get("OPENFAAS_PREFIX", "")
    image = f"{prefix.rstrip('/')}/{name}:latest" if prefix else f"{name}:latest"
    lines = [f"  {shown}:", f"    lang: {lang}", f"    handler: {folder_text}", f"    image: {image}"]
    for part in ("limits", "requests"):
        found = {kind: given[f"{kind}_{part[:-1]}"] for kind in ("memory", "cpu")}
        if any(found.values()):
            lines += [f"    {part}:", *(f"      {kind}: {value}" for kind, value in found.items() if value)]
    return "\n".join(lines) + "\n"


def _fresh(name: str, lang: str, stack: Path, entry: str, gateway: str) -> str:
    if stack.exists():
        hint = f'Try "dayfly new {name} --lang {lang} --append {stack}" instead.'
        raise Conflict(f"file: {stack} already exists.", hint=hint)
    return _STACK.format(gateway=gateway) + entry


def _appended(stack: Path, name: str, entry: str) -> str:
    """The stack's text with one more function at its end, everything else, comments too, as it was."""
    from dayfly.client.stack import load_stack

    if name in load_stack(stack, envsubst=False).entries:
        raise Conflict(f"{name} is in {stack} already")
    text = stack.read_text(encoding="utf-8")
    lines = text.splitlines()
    start = next((at for at, line in enumerate(lines) if line.rstrip() in ("functions:", "functions: {}")), None)
    if start is None:
        raise InvalidRequest(f"{stack} has no line `functions:` of its own to add to.")
    lines[start] = "functions:"
    end = next((at for at in range(start + 1, len(lines)) if lines[at][:1].strip() not in ("", "#")), len(lines))
    while end > start + 1 and not lines[end - 1].strip():
        end -= 1
    return "\n".join([*lines[:end], entry.rstrip("\n"), *lines[end:]]) + "\n"


def _ignore(path: Path) -> None:
    """Add to a .gitignore what is missing there."""
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    missing = [name for name in _IGNORED if name not in text.split()]
    if missing:
        gap = "" if not text or text.endswith("\n") else "\n"
        path.write_text(f"{text}{gap}" + "".join(f"{name}\n" for name in missing), encoding="utf-8")


def _write(folder: Path, template: "Template") -> None:
    try:
        folder.mkdir(mode=0o755, parents=True)
        for source in sorted(template.starter.rglob("*")):
            path = source.relative_to(template.starter)
            if _LEFT_BEHIND.intersection(path.parts):
                continue
            if source.is_dir():
                (folder / path).mkdir()
            else:
                (folder / path).write_bytes(source.read_bytes())
                (folder / path).chmod(0o755 if source.stat().st_mode & 0o111 else 0o644)
    except OSError as error:
        raise InvalidRequest(f"{folder} cannot be written: {error.strerror}.") from error
