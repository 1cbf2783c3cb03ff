"""`dayfly invoke`: standard input to a function, its answer to standard output, byte by byte as it comes."""

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from dayfly.cli.options import Pair, function_argument, gateway_option, namespace_option
from dayfly.cli.session import connect
from dayfly.cli.terminal import Progress, warn
from dayfly.model.errors import InvalidRequest, NotSupported

if TYPE_CHECKING:
    from dayfly.client.answer import AnswerStream

_PIECE = 256 * 1024
_SHOWN_BYTES = 4096
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


@click.command("invoke")
@function_argument
@gateway_option
@namespace_option
@click.option(
    "-m", "--method", type=click.Choice(_METHODS, case_sensitive=False), default="POST", show_default=True,
    help="The HTTP method.",
)  # fmt: skip
@click.option("-H", "--header", "headers", multiple=True, metavar="'NAME: VALUE'", help="A header; may be repeated.")
@click.option("--query", type=Pair(), multiple=True, help="A query parameter; may be repeated.")
@click.option("--path", default="", help="What follows the function's name in the URL.")
@click.option("--content-type", default="text/plain", show_default=True, help="The input's type.")
@click.option(
    "--timeout", default="", metavar="SPAN", help="How long the function may stay silent.  [default: its own timeout]"
)
@click.option("-a", "--async", "queued", is_flag=True, help="Queue the call. This version cannot yet.")
@click.option("-v", "--verbose", is_flag=True, help="Print status, call id and duration on standard error.")
def command(
    name: str,
    gateway: str,
    namespace: str,
    method: str,
    headers: tuple[str, ...],
    query: tuple[tuple[str, str], ...],
    path: str,
    content_type: str,
    timeout: str,
    queued: bool,
    verbose: bool,
) -> None:
    """Call a function: standard input in, answer out.

    The answer's bytes go to standard output unchanged, as they come. Any status but a 2xx is an error: what the
    function said goes to standard error, and the exit code is 1.

    \b
    Examples:
      echo Dayfly | dayfly invoke hello
      dayfly invoke thumbnail --content-type image/png < cat.png > small.png
      dayfly invoke api -m GET --path /users/7 --query verbose=1 -H 'Accept: application/json' < /dev/null
    """
    from dayfly.client.connection import INVOKE_TIMEOUT_S
    from dayfly.model.quantities import parse_duration

    if queued:
        raise NotSupported(
            "Queued calls are not there yet in this version.", hint="Leave --async out to call and wait."
        )
    sent = {"Content-Type": content_type, **dict(_header(text) for text in headers)}
    with connect(gateway) as client:
        call = client.stream(
            name,
            _input(method.upper()),
            namespace=namespace,
            method=method.upper(),
            path=path,
            query=query,
            headers=sent,
            timeout_s=parse_duration(timeout) if timeout else INVOKE_TIMEOUT_S,
        )
        with Progress(f"waiting for {name}") as progress, call as answer:
            progress.clear()
            if verbose:
                took = f", {answer.header('x-duration-seconds')}s" if answer.header("x-duration-seconds") else ""
                warn(f"{answer.status}, call id {answer.call_id or 'unknown'}{took}")
            if not answer.ok:
                _refuse(answer)
            out = sys.stdout.buffer
            for piece in answer:
                out.write(piece)
                out.flush()


def _input(method: str) -> bytes | Iterator[bytes]:
    """All of a short input, so that its length is known; a long one in pieces."""
    if sys.stdin.isatty():
        if method in ("GET", "HEAD", "OPTIONS", "DELETE"):
            return b""
        warn("Reading from STDIN - hit (Control + D) to stop.")
    first = sys.stdin.buffer.read(_PIECE)
    return first if len(first) < _PIECE else _pieces(first)


def _pieces(piece: bytes) -> Iterator[bytes]:
    while piece:
        yield piece
        piece = sys.stdin.buffer.read(_PIECE)


def _refuse(answer: "AnswerStream") -> None:
    body = b""
    for piece in answer:
        body += piece
        if len(body) >= _SHOWN_BYTES:
            break
    answer.raise_for_status(body)


def _header(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon or not name.strip():
        raise InvalidRequest(f"--header: {text[:80]!r} is not 'NAME: VALUE'")
    return name.strip(), value.strip()
