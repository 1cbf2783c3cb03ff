"""`dayfly run`: a handler once, without a server."""

import contextlib
import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import click
import msgspec

from dayfly.cli.changes import Changes
from dayfly.cli.invoke import METHODS, header_of, read_input, write_answer
from dayfly.cli.local_secrets import FOLDER, read_secrets
from dayfly.cli.options import Pair, Written
from dayfly.cli.selection import envsubst_option, yaml_option
from dayfly.cli.sources import Wanted, only
from dayfly.cli.terminal import Progress, for_stderr, warn
from dayfly.model.errors import DayflyError, InvalidRequest, NotSupported

if TYPE_CHECKING:
    from dayfly.client.stack_function import StackFunction
    from dayfly.model.function import FunctionSpec
    from dayfly.model.replica import Prepared
    from dayfly.server.once import Reply


@click.command("run")
@click.argument("target", default="", type=Written(), metavar="[NAME|FOLDER]")
@yaml_option
@envsubst_option
@click.option("--lang", default="", metavar="LANG", help="The language of a folder that no stack file knows.")
@click.option("--entrypoint", default="", metavar="MODULE[:NAME]", help="The handler in such a folder.")
@click.option(
    "-m", "--method", type=click.Choice(METHODS, case_sensitive=False), default="POST", show_default=True,
    help="The HTTP method.",
)  # fmt: skip
@click.option("-H", "--header", "headers", multiple=True, metavar="'NAME: VALUE'", help="A header; may be repeated.")
@click.option("--query", type=Pair(), multiple=True, help="A query parameter; may be repeated.")
@click.option("--path", default="", help="What would follow the function's name in the URL.")
@click.option("--content-type", default="text/plain", show_default=True, help="The input's type.")
@click.option("-e", "--env", type=Pair(), multiple=True, help="An environment variable; may be repeated.")
@click.option(
    "--secrets", "secrets_dir", type=click.Path(file_okay=False), metavar="DIR", default=FOLDER, show_default=True,
    help="The folder with a file for each secret of the function.",
)  # fmt: skip
@click.option(
    "--timeout", default="", metavar="SPAN", help="How long the call may take.  [default: the function's own]"
)
@click.option(
    "--no-install",
    is_flag=True,
    help="Python: take dependencies from where dayfly is installed, not from requirements.txt.",
)
@click.option("--status", is_flag=True, help="Print the answer's status and headers on standard error.")
def command(
    target: str,
    method: str,
    headers: tuple[str, ...],
    query: tuple[tuple[str, str], ...],
    path: str,
    content_type: str,
    env: tuple[tuple[str, str], ...],
    secrets_dir: str,
    timeout: str,
    no_install: bool,
    status: bool,
    **given: Any,
) -> None:
    """Run a handler once: standard input in, answer out, without a server.

    The handler is found as on the platform and gets the same event and context; its dependencies are installed once,
    into a cache. What it prints goes to standard error. When it raises, its traceback goes there too, and the exit code
    is 1. Secrets of the stack file are read from DIR/NAME; the function finds them below $DAYFLY_SECRETS.

    Nothing holds the function in a box here: it runs as you, and may do what you may.

    \b
    Examples:
      dayfly run ./hello < input.txt
      echo '{"a": 1}' | dayfly run adder --content-type application/json
      dayfly run api -m GET --path /users/7 --query verbose=1 --status < /dev/null
    """
    from dayfly.model.quantities import parse_duration
    from dayfly.server.once import Call, called, order_for, secret_files

    wanted = msgspec.convert({**given, "targets": (target,) if target else ()}, Wanted)
    one = only(wanted.find().functions)
    if timeout:
        parse_duration(timeout)
    spec = Changes(env=env, call_timeout=timeout).apply(one.spec, "")
    spec.check()
    call = Call(
        method=method.upper(),
        target=_target(path, query),
        headers={"Content-Type": content_type, **dict(header_of(text) for text in headers)},
        body=read_input(method.upper()),
    )
    with contextlib.ExitStack() as stack:
        secrets = stack.enter_context(secret_files(read_secrets(spec.secrets, Path(secrets_dir))))
        work = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="dayfly-run-")))
        with Progress() as progress:
            ready = _as_it_is(one) if no_install else _prepared(one, spec, work, progress)
        order = order_for(spec, ready, one.folder, secrets)
        reply = stack.enter_context(called(order, call, lambda text: print(for_stderr(text), file=sys.stderr)))
        _answer(spec.name, reply, status=status)


def _prepared(one: "StackFunction", spec: "FunctionSpec", work: Path, progress: Progress) -> "Prepared":
    """Build it, and install what it needs, as for a platform. Raises NotSupported for an image."""
    from dayfly.client.building import build
    from dayfly.server.once import prepared

    if spec.runtime == "image":
        raise NotSupported(
            f"{spec.name} is a container image, which dayfly run does not run.", hint="`dayfly dev` and `deploy` do."
        )
    bundle = build(one.source, say=lambda what: progress.show(f"{spec.name}: {what}"))
    assert bundle is not None, "only an image is none"
    progress.show(f"{spec.name}: installing its dependencies")
    return prepared(spec, bundle.data, bundle.digest, work, _cache())


def _as_it_is(one: "StackFunction") -> "Prepared":
    """Take the folder, and what this program can import itself. Raises InvalidRequest."""
    from dayfly.model.replica import Prepared

    if one.spec.runtime != "python" or not one.source.is_plain:
        raise InvalidRequest(
            "--no-install is for functions in Python, whose dependencies are where dayfly is installed."
        )
    site = tuple(folder for folder in sys.path if folder.endswith("-packages"))
    return Prepared(str(one.folder.resolve()), site)


def _answer(name: str, reply: "Reply", *, status: bool) -> None:
    from dayfly.client.answer import AnswerStream

    if status:
        warn("\n".join([str(reply.status), *(f"{name}: {value}" for name, value in reply.headers)]))
    try:
        write_answer(AnswerStream(name, reply.status, reply.headers, reply.pieces))
    except DayflyError as error:
        # The rest is a traceback, which the function has printed already.
        raise type(error)(error.message.partition("\n")[0], hint=error.hint) from error


def _target(path: str, query: tuple[tuple[str, str], ...]) -> str:
    from dayfly.client.calls import check_path

    check_path(path)
    return "/" + path.removeprefix("/") + (f"?{urlencode(query)}" if query else "")


def _cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "dayfly", "layers")
