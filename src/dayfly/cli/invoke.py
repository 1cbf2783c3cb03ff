"""`dayfly invoke`: standard input to a function, its answer to standard output, byte by byte as it comes."""

import hashlib
import hmac
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dayfly.cli.options import Pair, data_of, data_option, function_argument, gateway_option, namespace_option
from dayfly.cli.selection import stack_place, yaml_option
from dayfly.cli.session import connect
from dayfly.cli.terminal import Progress, warn
from dayfly.model.errors import FunctionFailed, InvalidRequest, NotSupported

if TYPE_CHECKING:
    from dayfly.client import Client
    from dayfly.client.answer import AnswerStream

_PIECE = 256 * 1024
_SHOWN_BYTES = 4096
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


@click.command("invoke")
@function_argument
@yaml_option
@gateway_option
@namespace_option
@click.option(
    "-m", "--method", type=click.Choice(METHODS, case_sensitive=False), default="POST", show_default=True,
    help="The HTTP method.",
)  # fmt: skip
@click.option("-H", "--header", "headers", multiple=True, metavar="'NAME: VALUE'", help="A header; may be repeated.")
@click.option("--query", type=Pair(), multiple=True, help="A query parameter; may be repeated.")
@click.option("--path", default="", help="What follows the function's name in the URL.")
@data_option
@click.option("--content-type", metavar="TYPE", help="The input's type.  [default: text/plain]")
@click.option(
    "--timeout", default="", metavar="SPAN", help="How long the function may stay silent.  [default: its own timeout]"
)
@click.option("-a", "--async", "queued", is_flag=True, help="Queue the call instead of waiting for it.")
@click.option("--wait", is_flag=True, help="With --async: wait for the answer, through retries.")
@click.option("--sign", default="", metavar="HEADER", help="A header for the input's signature, HMAC-SHA256.")
@click.option("--key", default="", metavar="TEXT", help="The key to sign with. Others on this machine may see it.")
@click.option("--key-file", metavar="FILE", help="The file that holds it.")
@click.option("--auth", "has_auth", is_flag=True, hidden=True)
@click.option("-v", "--verbose", is_flag=True, help="Print status, call id and duration on standard error.")
def command(
    name: str,
    stack_file: str | None,
    gateway: str,
    namespace: str,
    method: str,
    headers: tuple[str, ...],
    query: tuple[tuple[str, str], ...],
    path: str,
    data: str | None,
    content_type: str | None,
    timeout: str,
    queued: bool,
    wait: bool,
    sign: str,
    key: str,
    key_file: str | None,
    has_auth: bool,
    verbose: bool,
) -> None:
    """Call a function: standard input or --data in, answer out.

    The answer's bytes go to standard output unchanged, as they come. Any status but a 2xx is an error: what the
    function said goes to standard error, and the exit code is 1. A queued call has its id for an answer, which
    `dayfly queue get` takes.

    \b
    Examples:
      echo Dayfly | dayfly invoke hello
      dayfly invoke slugify -d 'Crème brûlée, twice'
      dayfly invoke thumbnail --content-type image/png < cat.png > small.png
      dayfly invoke bill --async --wait -H 'X-Priority: high' < order.json
      dayfly invoke hook --sign X-Hub-Signature --key-file key.txt < event.json
      dayfly invoke api -m GET --path /users/7 --query verbose=1 -H 'Accept: application/json' < /dev/null
    """
    from dayfly.client.connection import INVOKE_TIMEOUT_S
    from dayfly.model.quantities import parse_duration

    if wait and not queued:
        raise InvalidRequest("--wait is for queued calls; without --async the answer is waited for anyway.")
    if queued and method.upper() != "POST":
        raise InvalidRequest(f"Only a POST can be queued, not a {method.upper()}.")
    if has_auth:
        raise NotSupported(
            "--auth asks OpenFaaS Enterprise's identity provider for a token, which is not there.",
            hint="Give the header that the function looks for with -H.",
        )
    sent = _headers(headers, content_type)
    signing = _signing_key(sign, key, key_file)
    where, own = stack_place(stack_file, name)
    with connect(gateway, stack=where) as client:
        body = data_of(data) if data is not None else read_input(method.upper())
        if sign:
            body = body if isinstance(body, bytes) else b"".join(body)
            sent[sign] = f"sha256={hmac.new(signing, body, hashlib.sha256).hexdigest()}"
        call = client.stream(
            name,
            body,
            namespace=namespace or own,
            method=method.upper(),
            path=path,
            query=query,
            headers=sent,
            timeout_s=parse_duration(timeout) if timeout else INVOKE_TIMEOUT_S,
            queued=queued,
        )
        with Progress(f"waiting for {name}") as progress, call as answer:
            progress.clear()
            if verbose:
                took = f", {answer.header('x-duration-seconds')}s" if answer.header("x-duration-seconds") else ""
                warn(f"{answer.status}, call id {answer.call_id or 'unknown'}{took}")
            if queued and answer.status == 202:
                warn("Function submitted asynchronously.")
                if wait:
                    _write_result(client, answer.call_id)
                else:
                    click.echo(answer.call_id)
                return
            try:
                write_answer(answer)
            except FunctionFailed as error:
                # In faas-cli's words, which scripts look for.
                head, _, said = error.message.partition(": ")
                if not head.startswith(f"{answer.function} answered "):
                    said = error.message  # the platform's word on it, and not what the function sent
                told = f"Server returned unexpected status code: {answer.status} - {said}"
                raise FunctionFailed(told, hint=error.hint) from error


def _write_result(client: "Client", call_id: str) -> None:
    from dayfly.cli.queue import waited, write_result

    with Progress(f"waiting for {call_id}"):
        status = waited(client, call_id)
    write_result(status)


def write_answer(answer: "AnswerStream") -> None:
    """Write the body to standard output as it comes. Raises what an answer of any status but a 2xx means."""
    if not answer.ok:
        _refuse(answer)
    out = sys.stdout.buffer
    for piece in answer:
        out.write(piece)
        out.flush()


def read_input(method: str) -> bytes | Iterator[bytes]:
    """Return all of a short standard input, so that its length is known; a long one in pieces."""
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


def header_of(text: str) -> tuple[str, str]:
    """Return the header that somebody typed. Raises InvalidRequest."""
    name, colon, value = text.partition(":")
    if not colon:
        name, colon, value = text.partition("=")
        if colon:
            warn("Warning: Using deprecated 'key=value' format for headers. Please use 'Key: Value' format instead.")
    if not colon or not name.strip():
        raise InvalidRequest(f"--header: {text[:80]!r} is not 'NAME: VALUE'")
    return name.strip(), value.strip()


def _headers(texts: tuple[str, ...], content_type: str | None) -> dict[str, str]:
    """The headers to send; --content-type wins over a header of that name, which wins over text/plain."""
    given = dict(header_of(text) for text in texts)
    typed = [name for name in given if name.lower() == "content-type"]
    if content_type is not None:
        for name in typed:
            del given[name]
    elif typed:
        return given
    return {"Content-Type": content_type or "text/plain", **given}


def _signing_key(sign: str, key: str, key_file: str | None) -> bytes:
    """What to sign with. Raises InvalidRequest for one of the two options without the other."""
    if key and key_file:
        raise InvalidRequest("Give --key or --key-file, not both.")
    if bool(sign) != bool(key or key_file):
        raise InvalidRequest("signing requires both --sign <header-value> and --key <key-value>")
    if key_file:
        from dayfly.cli.secret_content import read_file, trimmed

        return trimmed(read_file(Path(key_file)), trim=True)
    return key.encode()
