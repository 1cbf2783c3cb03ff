"""The command line's reference page, made from the commands themselves: `python -m dayfly.cli.reference`."""

import inspect
import re
import sys

import click

from dayfly.cli.main import COMMANDS, cli

_WIDTH = 78
"""Of the usage lines, whatever the terminal's."""
_HEAD = """\
# Command line

<!-- Generated: python -m dayfly.cli.reference > docs/reference/cli.md -->

`dayfly` speaks the HTTP API only; `start`, `stop` and `status` are about this machine. Every command answers `--help`.

**Gateway.** `--gateway`, else the stack file's `provider.gateway` (unless it is `http://127.0.0.1:8080`), else
`DAYFLY_URL`, else `OPENFAAS_URL`, else the platform this account started on this machine, else
`http://127.0.0.1:8080`. The account that started the platform needs no login; `DAYFLY_CA_FILE` names the certificates
to trust instead of the system's.

**Output.** `--output json` and `yaml` have the API's fields, `name` has names only, one a line. Data goes to standard
output, everything said about it to standard error.

**Exit codes.** An error is one line on standard error, a hint the next.

| code | meaning |
|---|---|
| 0 | done |
| 1 | the function failed: it answered with an error, or would not start |
| 2 | the command line itself is wrong |
| 64 | something given is invalid |
| 65 | the function's code or dependencies could not be prepared |
| 66 | not found |
| 69 | unavailable, or not supported here |
| 70 | a bug of ours |
| 73 | it exists already, or is in use |
| 74 | the disk under the data folder is full |
| 75 | a limit or quota was hit |
| 77 | not logged in, or not allowed |
| 78 | the configuration is wrong |
| 130 | Ctrl-C |

"""


def reference() -> str:
    """Return the page as Markdown."""
    root = click.Context(cli, info_name="dayfly", terminal_width=_WIDTH, **cli.context_settings)
    index = [f"- [`{name}`](#dayfly-{name}): {summary}" for name, summary in sorted(COMMANDS.items())]
    return _HEAD + "\n".join(index) + "\n" + "".join(_section(root, name, name) for name in sorted(COMMANDS))


def _section(parent: click.Context, name: str, title: str) -> str:
    assert isinstance(parent.command, click.Group)
    command = parent.command.get_command(parent, name)
    assert command is not None
    context = click.Context(command, parent=parent, info_name=name)
    prose, examples = _help(inspect.cleandoc(command.help or ""))
    out = [
        f"\n{'##' if parent.parent is None else '###'} dayfly {title}\n",
        f"    {command.get_usage(context).removeprefix('Usage: ')}\n",
        prose,
    ]
    records = [parameter.get_help_record(context) for parameter in command.get_params(context)]
    rows = [f"| `{_cell(record[0])}` | {_cell(record[1])} |" for record in records if record and record[1]]
    if rows:
        out.append("\n| option | meaning |\n|---|---|")
        out += rows
    if examples:
        out.append("\n```sh\n" + examples + "\n```")
    if isinstance(command, click.Group):
        out += [_section(context, each, f"{title} {each}").rstrip() for each in command.list_commands(context)]
    return "\n".join(out) + "\n"


def _help(text: str) -> tuple[str, str]:
    """The prose, its preformatted blocks indented, and the examples."""
    before, _, examples = text.partition("\b\nExamples:\n")
    paragraphs = []
    for paragraph in before.strip().split("\n\n"):
        if paragraph.startswith("\b\n"):
            title, *lines = paragraph.removeprefix("\b\n").splitlines()
            paragraphs.append(f"{title}\n\n" + "\n".join(f"    {line.strip()}" for line in lines))
        else:
            paragraphs.append(paragraph)
    return "\n\n".join(paragraphs), "\n".join(line.strip() for line in examples.rstrip().splitlines())


def _cell(text: str) -> str:
    return re.sub(r"\s+", " ", text).replace("|", "\\|").strip()


if __name__ == "__main__":
    sys.stdout.write(reference())
