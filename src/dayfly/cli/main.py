"""The command `dayfly`: finds the command asked for, loads only that, and turns what goes wrong into an exit code.

Help has to be quick, so the table below knows each command's one-line summary without importing its module; a test
compares the two. Errors are told in one line on standard error, the hint on the next; the exit code is the error
class's. Ctrl-C ends with 130, a reader that went away ends us silently.
"""

import os
import sys
from importlib import import_module
from typing import Any

import click

from dayfly import __version__
from dayfly.cli.session import Session
from dayfly.cli.terminal import neutralise
from dayfly.model.errors import DayflyError, InternalError

INTERRUPTED = 130
_READER_GONE = 141

COMMANDS = {
    "completion": "Print the completion script of a shell.",
    "deploy": "Deploy functions from a stack file, or one from a folder.",
    "describe": "Show everything about a function.",
    "doctor": "Show what holds functions in their box on this machine.",
    "invoke": "Call a function: standard input in, answer out.",
    "list": "List the functions.",
    "login": "Save a login for a gateway.",
    "logout": "Forget the login for a gateway.",
    "logs": "Print what a function logged.",
    "new": "Write a new function: handler, test, stack file.",
    "promote": "Let a canary take over now.",
    "ready": "Wait until the platform, or a function, is ready.",
    "remove": "Remove functions.",
    "revisions": "List a function's revisions.",
    "rollback": "Let an earlier revision serve again.",
    "scale": "Set a function's number of replicas.",
    "start": "Start the platform on this machine.",
    "status": "Show the platform that runs on this machine.",
    "stop": "Stop the platform on this machine.",
    "upgrade": "Take over from the version that runs.",
    "version": "Show the version of this program and of the platform.",
}
_ALIASES = {"ls": "list", "rm": "remove", "delete": "remove", "inspect": "describe"}


class Commands(click.Group):
    """The group of all commands, each loaded when it is called."""

    def list_commands(self, _ctx: click.Context) -> list[str]:
        """All names, sorted."""
        return sorted(COMMANDS)

    def get_command(self, _ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of this name or alias, or None."""
        name = _ALIASES.get(cmd_name, cmd_name)
        if name not in COMMANDS:
            return None
        command: click.Command = import_module(f"dayfly.cli.{name}").command
        return command

    def format_commands(self, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the table of commands without loading them."""
        with formatter.section("Commands"):
            formatter.write_dl(sorted(COMMANDS.items()))

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; tell of its error and end with the exit code of the error's class."""
        try:
            return super().invoke(ctx)
        except DayflyError as error:
            _tell(error)
            ctx.exit(error.exit_code)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, "-V", "--version", prog_name="dayfly", message="%(prog)s %(version)s")
@click.pass_context
def cli(context: click.Context) -> None:
    """Serverless functions on one machine or many.

    \b
    A first function:
      dayfly start --detach
      dayfly new hello --lang python
      dayfly deploy
      echo Dayfly | dayfly invoke hello

    The gateway is chosen by --gateway, the stack file, DAYFLY_URL, OPENFAAS_URL; else it is the platform that this
    account started on this machine.
    """
    context.ensure_object(Session)


def main() -> None:
    """Run the command line and exit."""
    try:
        result = cli.main(prog_name="dayfly", standalone_mode=False)
        code = result if isinstance(result, int) else 0
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except (click.Abort, KeyboardInterrupt):
        code = INTERRUPTED
    except SystemExit as asked:
        code = asked.code if isinstance(asked.code, int) else 1
    except Exception as error:
        # The last line of defence: a person gets a sentence and a way to report it, never a bare traceback.
        if os.environ.get("DAYFLY_DEBUG"):
            raise
        hint = "Set DAYFLY_DEBUG=1 to see where, and please report it."
        _tell(InternalError(f"A bug in dayfly: {type(error).__name__}: {error}", hint=hint))
        code = InternalError.exit_code
    _leave(code)


def _leave(code: int) -> None:
    try:
        sys.stdout.flush()
    except (BrokenPipeError, ValueError):
        # Nobody reads any more; the interpreter must not find that out again while it shuts down.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        code = code or _READER_GONE
    sys.exit(code)


def _tell(error: DayflyError) -> None:
    first, _, rest = error.message.partition("\n")
    click.echo(neutralise(f"Error: {first}"), err=True)
    if error.hint:
        click.echo(neutralise(error.hint.replace("\n", " ")), err=True)
    if rest.strip():
        click.echo(neutralise(rest.rstrip()), err=True)
