"""What porters' containers are made of: an image with nothing in it, and this machine's own Python shown to them.

Nothing is downloaded and nothing compiled: a porter needs an interpreter and one small program, and both are here.
"""

import hashlib
import importlib.util
import io
import os
import sys
import tarfile
from pathlib import Path
from typing import Any

from dayfly.model.engine import ContainerEngine
from dayfly.model.errors import Unavailable
from dayfly.providers.docker.container import Place
from dayfly.providers.docker.engine import Engine, Refusal
from dayfly.runtimes.python.newroot import SYSTEM

NAME, TAG = "dayfly-porter", "1"
PORTER_UID = 19_998
"""Who porters are when root runs the platform; the egress proxy is 19999, functions are 20000 and above."""


def place(installation: str, engine: ContainerEngine | None = None) -> Place:
    """Return what all containers of this platform have in common on this engine."""
    rootless = engine is not None and engine.rootless
    spec = importlib.util.find_spec("dayfly")
    assert spec is not None
    assert spec.origin is not None
    package = os.path.dirname(os.path.realpath(spec.origin))
    interpreter = os.path.realpath(sys.executable)
    as_root = os.geteuid() == 0
    # A rootless engine's root is the account that runs it; any other user of its would be a stranger to our folders.
    ours = f"{PORTER_UID}:{PORTER_UID}" if as_root else "0:0" if rootless else f"{os.geteuid()}:{os.getegid()}"
    return Place(
        installation=installation,
        interpreter=interpreter,
        visible=tuple(_outermost(*SYSTEM, sys.base_prefix, sys.base_exec_prefix, interpreter, package)),
        package_root=os.path.dirname(package),
        porter_program=str(Path(package) / "providers/docker/porter.py"),
        porter_user=ours,
        porter_becomes=PORTER_UID if as_root else 0 if rootless else os.geteuid(),
        is_podman=engine is not None and engine.name == "Podman",
    )


async def ensure(engine: Engine) -> str:
    """Return the id of the empty image, made where it is missing. Raises Unavailable, Refusal.

    One of its name that holds anything is not it, whoever made it.
    """
    if found := await _find(engine):
        return found
    query = {"fromSrc": "-", "repo": f"{NAME}:{TAG}"}
    headers = {"Content-Type": "application/x-tar"}
    async with engine.stream("POST", "/images/create", query=query, headers=headers, content=_empty()) as pieces:
        told = b"".join([piece async for piece in pieces])
    if found := await _find(engine):
        return found
    raise Unavailable(
        f"the engine at {engine.path} could not make an empty image: {told[-300:].decode(errors='replace')}"
    )


async def _find(engine: Engine) -> str:
    try:
        image: dict[str, Any] = await engine.ask("GET", f"/images/{NAME}:{TAG}/json")
    except Refusal:
        return ""
    layers = (image.get("RootFS") or {}).get("Layers") or []
    return str(image["Id"]) if layers == [f"sha256:{hashlib.sha256(_empty()).hexdigest()}"] else ""


def _empty() -> bytes:
    """Return an archive with no entry; always the same bytes."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w"):
        pass
    return file.getvalue()


def _outermost(*paths: str) -> list[str]:
    """Return the paths that exist, but for those inside of others."""
    kept: list[str] = []
    for path in sorted(set(map(os.path.abspath, paths)), key=len):
        if os.path.exists(path) and not any(path == other or path.startswith(other + "/") for other in kept):
            kept.append(path)
    return kept
