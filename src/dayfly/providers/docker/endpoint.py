"""Where an engine may listen: what somebody named, else the places where Docker and Podman are found.

Only engines of this machine will do: a container's sockets are handed over a folder that both sides see.
"""

import os
from collections.abc import Mapping
from pathlib import Path

from dayfly.model.errors import ConfigError

OFF = "none"
_DOCKER, _PODMAN = "/var/run/docker.sock", "/run/podman/podman.sock"


def candidates(named: str, environ: Mapping[str, str], *, uid: int) -> tuple[str, ...]:
    """Return the paths of unix sockets to look for an engine at, in this order; none when none is to be looked for.

    `named` is the setting DAYFLY_DOCKER_HOST; without it DOCKER_HOST counts. Raises ConfigError when the setting names
    no unix socket.
    """
    if named == OFF:
        return ()
    if named:
        if (path := _path(named)) is None:
            raise ConfigError(
                f"DAYFLY_DOCKER_HOST: {named[:200]} is no engine of this machine, and image functions need one",
                hint="name a socket as unix:///var/run/docker.sock, or say none to do without",
            )
        return (path,)
    if others := environ.get("DOCKER_HOST", ""):
        path = _path(others)
        return (path,) if path is not None else ()
    runtime = environ.get("XDG_RUNTIME_DIR") or f"/run/user/{uid}"
    own = (f"{runtime}/docker.sock", f"{runtime}/podman/podman.sock")
    return (_DOCKER, _PODMAN) if uid == 0 else (_DOCKER, *own)


def first_present(paths: tuple[str, ...]) -> str | None:
    """Return the first of the paths where there is a socket that this account may connect to."""
    for path in paths:
        if Path(path).is_socket() and os.access(path, os.R_OK | os.W_OK):
            return path
    return None


def why_none(paths: tuple[str, ...]) -> str:
    """Return why none of the paths leads to an engine, for whoever looks for one."""
    if not paths:
        return "none is looked for: DAYFLY_DOCKER_HOST is none, or DOCKER_HOST names one that is not of this machine"
    closed = [path for path in paths if Path(path).is_socket() and not os.access(path, os.R_OK | os.W_OK)]
    if closed:
        return f"{closed[0]} is there, and this account may not use it; for Docker, its group is `docker`"
    return f"there is no Docker or Podman engine: nothing listens at {' or '.join(paths)} (DAYFLY_DOCKER_HOST)"


def _path(text: str) -> str | None:
    path = text.removeprefix("unix://")
    return path if path.startswith("/") else None
