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
from dayfly.cli.group import plain_flags
from dayfly.cli.session import Session
from dayfly.cli.terminal import neutralise
from dayfly.model.errors import DayflyError, InternalError

INTERRUPTED = 130
_READER_GONE = 141

COMMANDS = {
    "alert": "List alerts; make, list and remove rules, silences and receivers.",
    "audit": "Show who changed what, and check the log of it.",
    "budget": "List and set what functions may use in a day or a month.",
    "build": "Build functions as container images.",
    "builder": "Let faas-cli have functions built by the platform.",
    "call": "Show how a call went: its time, its attempts, its log lines.",
    "calls": "List the calls that were made, the newest first.",
    "completion": "Print the completion script of a shell.",
    "cost": "Show what functions used and cost.",
    "deploy": "Deploy functions from a stack file, or one from a folder or an image.",
    "describe": "Show everything about a function.",
    "dev": "Deploy functions again whenever they are saved.",
    "diff": "Show how a stack file differs from what is deployed.",
    "doctor": "Show what holds functions in their box on this machine, and which Node.js runs those in Node.",
    "flow": "Make, list and remove flows; run them, look at their runs, answer and rerun these.",
    "generate": "Print functions as Kubernetes objects.",
    "images": "Build the image that Dayfly runs as in a Kubernetes cluster.",
    "install": "Install the platform in a Kubernetes cluster, or change what is installed.",
    "invoke": "Call a function: standard input or --data in, answer out.",
    "key": "Make and show keys that images are signed with.",
    "list": "List the functions.",
    "local-run": "Run a function at a port of this machine.",
    "login": "Save a login for a gateway.",
    "logout": "Forget the login for a gateway.",
    "logs": "Print what a function logged, or search the logs of a namespace.",
    "machine": "Show the machine or cluster and what runs there.",
    "metrics": "Ask what figures were over time, and list them.",
    "namespace": "Make, change, list and remove namespaces, the tenants of an installation.",
    "new": "Write a new function: handler, test, stack file.",
    "plugin": "List the plugins, programs of your own that are commands here too.",
    "promote": "Let a canary take over now.",
    "publish": "Build functions' images for platforms and push them.",
    "push": "Push functions' images to their registries.",
    "query": "Ask what the platform knows, in SQL that only reads.",
    "queue": "List, read and cancel queued calls; list, redrive and purge dead letters.",
    "ready": "Wait until the platform, or a function, is ready.",
    "registry-login": "Write a login at a registry.",
    "remove": "Remove functions.",
    "replay": "Make recorded calls once more, and show how the answers differ.",
    "report": "Make, list, read and send reports: what functions did in a day, a week or a month.",
    "revisions": "List a function's revisions.",
    "rollback": "Let an earlier revision serve again.",
    "route": "Make, change, list and remove routes, addresses of your own choosing that lead to functions.",
    "run": "Run a handler once: standard input in, answer out, without a server.",
    "scale": "Set a function's number of replicas.",
    "secret": "Write, list and remove secrets.",
    "source": "List the files of a function's code, print one of them, or write them into a folder.",
    "start": "Start the platform on this machine.",
    "status": "Show the platform that runs on this machine.",
    "stop": "Stop the platform on this machine.",
    "store": "List, show and deploy functions of a store.",
    "template": "List and pull templates.",
    "token": "Make, list and revoke tokens.",
    "top": "Show what functions and their replicas do and use.",
    "trigger": "Make, list, pause, try and remove triggers, which call functions when something happens.",
    "uninstall": "Remove the platform from a Kubernetes cluster.",
    "up": "Build, push and deploy functions.",
    "upgrade": "Take over from the version that runs.",
    "version": "Show the version of this program and of the platform.",
}
_ALIASES = {"ls": "list", "rm": "remove", "delete": "remove", "inspect": "describe", "ns": "namespace"}
_LISTS = {"namespaces": "namespace"}
"""What faas-cli keeps of older days: a word for the list of something."""


class Commands(click.Group):
    """The group of all commands, each loaded when it is called."""

    def list_commands(self, _ctx: click.Context) -> list[str]:
        """All names, sorted."""
        return sorted(COMMANDS)

    def get_command(self, _ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of this name or alias, or None."""
        name = {**_ALIASES, **_LISTS}.get(cmd_name, cmd_name)
        if name not in COMMANDS:
            return None
        command: click.Command = import_module(f"dayfly.cli.{name.replace('-', '_')}").command
        if cmd_name in _LISTS and isinstance(command, click.Group):
            return command.commands["list"]
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command, and its arguments with plain flags; of a word that is none, what it may have meant."""
        if args and self.get_command(ctx, args[0]) is None:
            from difflib import get_close_matches

            near = get_close_matches(args[0], [*COMMANDS, *_ALIASES, *_LISTS])
            if near:
                ctx.fail(f"No such command {args[0]!r}. Did you mean {' or '.join(near)}?")
        name, command, rest = super().resolve_command(ctx, args)
        return name, command, plain_flags(command, rest)

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
@click.option("-f", "--yaml", "stack_file", hidden=True)
@click.option("--filter", "glob", hidden=True)
@click.option("--regex", hidden=True)
@click.pass_context
def cli(context: click.Context, /, **selection: str | None) -> None:
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
    # As with faas-cli, what a command takes of a stack file may be said before its name too.
    given = {name: value for name, value in selection.items() if value is not None}
    context.default_map = dict.fromkeys((*COMMANDS, *_ALIASES), given)


def main() -> None:
    """Run the command line and exit."""
    _become_plugin(sys.argv[1:])
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


def _become_plugin(args: list[str]) -> None:
    """Give way to a plugin, where the command is none of ours and one of this name is there."""
    if not args or args[0] in {*COMMANDS, *_ALIASES, *_LISTS}:
        return
    from dayfly.cli.plugins import FAILED, become, find_plugin

    path = find_plugin(args[0], os.environ)
    if path is not None:
        click.echo(f"Error from plugin: {become(path, args[1:])}", err=True)
        sys.exit(FAILED)


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
