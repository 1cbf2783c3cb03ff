"""Editing a kept request before it is made once more: a file that this account alone can read, in the person's editor.

The file is the request as HTTP writes it: the line, the headers, an empty line, the body.
"""

import os
import shlex
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from dayfly.model.direct import is_method, is_ours
from dayfly.model.errors import InvalidRequest, NotSupported
from dayfly.model.replay import ReplayedRequest

if TYPE_CHECKING:
    from dayfly.model.payload import CallPayload


def edited(payload: "CallPayload") -> ReplayedRequest:
    """Return the request as somebody has edited it. Raises InvalidRequest, NotSupported."""
    editor = shlex.split(os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi")
    with tempfile.TemporaryDirectory(prefix="dayfly-replay-") as folder:
        path = Path(folder) / "request.http"
        path.touch(mode=0o600)
        path.write_bytes(written(payload))
        try:
            code = subprocess.run([*editor, str(path)], check=False).returncode
        except OSError as error:
            raise NotSupported(
                f"The editor {editor[0]} cannot be started: {error.strerror}.", hint="Set EDITOR"
            ) from None
        if code:
            raise InvalidRequest(f"The editor {editor[0]} ended with {code}; nothing was called.")
        data = path.read_bytes()
        # Editors end a file with a line's end, which nobody has typed.
        return read(data if payload.body.endswith(b"\n") else data.removesuffix(b"\n") if payload.body else data)


def written(payload: "CallPayload") -> bytes:
    """Return a kept request as it is to be edited, without what the platform says itself."""
    headers = [each for each in payload.headers if not is_ours(each[0]) and each[0] != "idempotency-key"]
    lines = [f"{payload.method} {payload.target}", *(f"{name}: {value}" for name, value in headers), "", ""]
    return "\n".join(lines).encode("latin-1") + payload.body


def read(data: bytes) -> ReplayedRequest:
    """Return the request that a file holds. Raises InvalidRequest."""
    head, _, body = data.partition(b"\n\n")
    first, *lines = head.decode("latin-1").splitlines() or [""]
    method, _, target = first.strip().partition(" ")
    headers = []
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon:
            raise InvalidRequest(f"{line[:80]!r} is no header: the head is NAME: VALUE, up to the first empty line.")
        headers.append((name.strip(), value.strip()))
    if "[redacted]" in head.decode("latin-1") or b"[redacted]" in body:
        raise InvalidRequest("The request still holds [redacted]; put in what was there, or take it out.")
    if not is_method(method):
        raise InvalidRequest(f"{first[:80]!r} is not a method and a path.")
    return ReplayedRequest(method=method, target=target.strip() or "/", headers=tuple(headers), body=body)
