"""What is to be in a secret, from wherever it is given, without showing it to others on the way."""

import sys
from pathlib import Path

import click

from dayfly.cli.terminal import warn
from dayfly.model.errors import InvalidRequest
from dayfly.model.secret import MAX_SECRET_BYTES

_MOST = 4 * MAX_SECRET_BYTES
"""More than can become a secret, and little enough to hold."""
_EXPOSED = "WARNING! Others on this machine may see --from-literal; better give the secret on standard input."


def read_content(literal: str | None, file: str | None, *, trim: bool) -> bytes:
    """Return what an option, a file, standard input or somebody at the terminal gives. Raises InvalidRequest."""
    if literal is not None and file is not None:
        raise InvalidRequest("Give --from-literal or --from-file, not both.")
    if literal is not None:
        warn(_EXPOSED)
        return trimmed(literal.encode(), trim=trim)
    if file is not None:
        return trimmed(read_file(Path(file)), trim=trim)
    if sys.stdin.isatty():
        return str(click.prompt("Secret", hide_input=True, err=True)).encode()
    return trimmed(sys.stdin.buffer.read(_MOST), trim=trim)


def read_file(path: Path) -> bytes:
    """Return what is in the file. Raises InvalidRequest."""
    try:
        with path.open("rb") as file:
            return file.read(_MOST)
    except OSError as error:
        raise InvalidRequest(f"{path} cannot be read: {error.strerror}.") from error


def trimmed(content: bytes, *, trim: bool) -> bytes:
    """Return text without the blanks around it; bytes that are no text keep theirs, which may be part of a key."""
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return content
    is_text = all(letter.isprintable() or letter.isspace() for letter in text)
    return text.strip().encode() if trim and is_text else content
