"""`dayfly new`: a function to start from, with a test that passes and a stack file that deploys it.

The files lie in `scaffolds/`, one folder a language. Their modules end in `.txt` there, so that no tool takes them for
modules of ours. Nothing that exists is overwritten.
"""

from importlib import resources
from pathlib import Path

import click

from dayfly.model.errors import Conflict, InvalidRequest
from dayfly.model.names import parse_function_name

LANGUAGES = ("python", "python-classic", "python-typed", "asgi", "wsgi")
_STACK = """\
version: 1.0
provider:
  name: openfaas
  gateway: http://127.0.0.1:8080
functions:
"""


@click.command("new")
@click.argument("name")
@click.option("--lang", type=click.Choice(LANGUAGES), default="python", show_default=True, help="What kind of handler.")
@click.option(
    "-a", "--append", metavar="FILE", help="Add the function to this stack file, instead of writing a new one."
)
@click.option("--handler", metavar="DIR", help="The folder to write.  [default: ./NAME]")
@click.option("-q", "--quiet", is_flag=True, help="Print nothing.")
def command(name: str, lang: str, append: str | None, handler: str | None, quiet: bool) -> None:
    """Write a new function: handler, test, stack file.

    \b
    The kinds of handler:
      python          def handle(event, context): the answer is what it returns
      python-classic  def handle(req: str) -> str
      python-typed    def handle(name: str, times: int = 1): JSON in and out, checked
      asgi, wsgi      an application object: FastAPI, Starlette; Flask, Django

    \b
    Examples:
      dayfly new hello
      dayfly new api --lang asgi --append stack.yaml
    """
    parse_function_name(name)
    folder, stack = Path(handler or name), Path(append or "stack.yaml")
    entry = _entry(name, lang, folder)
    content = _appended(stack, name, entry) if append else _fresh(stack, entry)
    if folder.exists():
        raise Conflict(f"folder: {folder} already exists")
    _write(folder, lang)
    stack.write_text(content, encoding="utf-8")
    if not quiet:
        click.echo(f"Folder: {folder} created.\nFunction created in folder: {folder}")
        click.echo(f"Stack file {'updated' if append else 'written'}: {stack}\n")
        click.echo(f"Deploy it with `dayfly deploy{f' -f {stack}' if append and stack.name != 'stack.yaml' else ''}`.")


def _entry(name: str, lang: str, folder: Path) -> str:
    place = folder if folder.is_absolute() else f"./{folder.as_posix()}"
    # Quoted: the name is checked, but a folder may be called anything, and `123` or `no` must stay text elsewhere too.
    shown = (
        name
        if name[0].isalpha() and name not in ("y", "n", "yes", "no", "on", "off", "true", "false", "null")
        else f'"{name}"'
    )
    quoted = str(place).replace("\\", "\\\\").replace('"', '\\"').replace("${", "$${")
    folder_text = f'"{quoted}"' if any(letter in str(place) for letter in " \t:#\"'{}[],&*!|>%@`\\$") else str(place)
    return f"  {shown}:\n    lang: {lang}\n    handler: {folder_text}\n    image: {name}:latest\n"


def _fresh(stack: Path, entry: str) -> str:
    if stack.exists():
        hint = f'Try "dayfly new --append {stack}" instead.'
        raise Conflict(f"file: {stack} already exists.", hint=hint)
    return _STACK + entry


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


def _write(folder: Path, lang: str) -> None:
    try:
        folder.mkdir(mode=0o755, parents=True)
        for source in (resources.files("dayfly.cli") / "scaffolds" / lang).iterdir():
            name = source.name.removesuffix(".txt") if source.name.endswith(".py.txt") else source.name
            (folder / name).write_bytes(source.read_bytes())
    except OSError as error:
        raise InvalidRequest(f"{folder} cannot be written: {error.strerror}.") from error
