"""Where the text of a stack file comes from: a file, or a web server. More than 1 MiB is refused before it is held."""

import os
from pathlib import Path

from dayfly.model.errors import InvalidRequest, InvalidSpec

DEFAULT_FILES = ("stack.yaml", "stack.yml")
MAX_BYTES = 1024 * 1024


def find_stack(folder: Path | None = None) -> Path | None:
    """Return the stack file of the folder (the working folder by default), or None."""
    candidates = ((folder or Path()) / name for name in DEFAULT_FILES)
    return next((path for path in candidates if path.is_file()), None)


def is_url(source: str | os.PathLike[str]) -> bool:
    """Return whether a stack file's name is a URL."""
    return str(source).lower().startswith(("http://", "https://"))


def read_text(source: str | os.PathLike[str], hint: str = "Name a stack file with -f.") -> str:
    """Return the text of a file or a URL. `hint` says what to do about a file that is not there.

    Raises InvalidRequest when it cannot be read, Unavailable when its server does not answer, InvalidSpec for more than
    1 MiB and for what is not UTF-8.
    """
    if is_url(source):
        # Here, because the HTTP library costs a command that reads a file too much.
        from dayfly.client.fetch import fetch

        raw = fetch(str(source), max_bytes=MAX_BYTES)
    else:
        raw = _read(source, hint)
    if len(raw) > MAX_BYTES:
        raise InvalidSpec(f"{source}: larger than 1 MiB")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidSpec(f"{source}: this is not UTF-8 text") from error


def _read(path: str | os.PathLike[str], hint: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read(MAX_BYTES + 1)
    except OSError as error:
        raise InvalidRequest(f"{path} cannot be read: {error.strerror}.", hint=hint) from error
