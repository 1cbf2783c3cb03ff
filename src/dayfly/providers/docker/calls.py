"""What is asked of the engine about containers, and what it says of them."""

import tarfile
from io import BytesIO
from typing import Any

import msgspec

from dayfly.model.replica import ReplicaStats
from dayfly.providers.docker import container
from dayfly.providers.docker.endings import State
from dayfly.providers.docker.engine import Engine, Refusal
from dayfly.providers.docker.frames import Frames

_CONFLICT, _NOT_FOUND = 409, 404
_MAX_FILE = 1 << 20
_LAST_LINES = 10


class Found(msgspec.Struct, frozen=True, rename="pascal"):
    """A container of ours in the engine's list."""

    id: str
    labels: dict[str, str]
    state: str

    @property
    def replica(self) -> str:
        """Whose it is."""
        return self.labels.get(container.REPLICA, "")

    @property
    def is_porter(self) -> bool:
        """Whether it is a replica's porter and not the replica."""
        return self.labels.get(container.ROLE) == "porter"

    @property
    def is_running(self) -> bool:
        """Whether it runs, or has only been paused."""
        return self.state in ("running", "paused")

    @property
    def is_over(self) -> bool:
        """Whether it ran and runs no more."""
        return self.state in ("exited", "dead")


async def list_ours(engine: Engine, installation: str) -> list[Found]:
    """Return the containers of this installation, and of no other. Raises Refusal, Unavailable."""
    filters = {"label": [f"{container.INSTALLATION}={installation}"]}
    listed: list[Found] = await engine.ask(
        "GET", "/containers/json", query={"all": True, "filters": filters}, kind=list[Found]
    )
    # Asked again of each: an engine that knows no such filter would have named everybody's.
    return [found for found in listed if found.labels.get(container.INSTALLATION) == installation]


async def create(engine: Engine, name: str, document: container.Document) -> str:
    """Make a container and return its id. Raises Refusal, Unavailable."""
    made = await engine.ask("POST", "/containers/create", query={"name": name}, body=document)
    return str(made["Id"])


async def start(engine: Engine, identity: str) -> None:
    """Start a container. Raises Refusal, Unavailable."""
    await engine.ask("POST", f"/containers/{identity}/start")


async def send_signal(engine: Engine, identity: str, signal: str) -> None:
    """Send a container's first process a signal; one that has ended is no error. Raises Refusal, Unavailable."""
    path = f"/containers/{identity}/kill"
    await engine.ask("POST", path, query={"signal": signal}, good=(_NOT_FOUND, _CONFLICT))


async def remove(engine: Engine, name: str) -> None:
    """Remove a container by force; one that is gone, or going, is no error. Raises Refusal, Unavailable."""
    await engine.ask("DELETE", f"/containers/{name}", query={"force": True, "v": True}, good=(_NOT_FOUND, _CONFLICT))


async def state_of(engine: Engine, name: str) -> State | None:
    """Return a container's state, None when there is none of this name. Raises Refusal, Unavailable."""
    try:
        found = await engine.ask("GET", f"/containers/{name}/json")
    except Refusal as refusal:
        if refusal.status == _NOT_FOUND:
            return None
        raise
    return msgspec.convert(found["State"], State)


async def use_of(engine: Engine, identity: str) -> ReplicaStats | None:
    """Return what a container uses now, None for one that does not run. Raises Unavailable."""
    try:
        told = await engine.ask("GET", f"/containers/{identity}/stats", query={"stream": False, "one-shot": True})
    except Refusal:  # it ended in this moment
        return None
    return understand_use(told)


def understand_use(told: dict[str, Any] | None) -> ReplicaStats | None:
    """Return the use that the engine's figures mean; None for those, or none, of a container that does not run."""
    told = told or {}
    cpu_ns = ((told.get("cpu_stats") or {}).get("cpu_usage") or {}).get("total_usage")
    memory = told.get("memory_stats") or {}
    if not cpu_ns or "usage" not in memory:
        return None
    # Pages that the kernel can take back at any time are in it, under a name that depends on the cgroups' version.
    kept = memory.get("stats") or {}
    cache = kept.get("total_inactive_file", kept.get("inactive_file", 0))
    return ReplicaStats(cpu_s=cpu_ns / 1e9, memory_bytes=max(0, memory["usage"] - cache))


async def last_words(engine: Engine, name: str) -> str:
    """Return the last lines that a container printed. Raises Refusal, Unavailable."""
    query = {"stdout": True, "stderr": True, "tail": _LAST_LINES}
    async with engine.stream("GET", f"/containers/{name}/logs", query=query) as pieces:
        data = b"".join([piece async for piece in pieces])
    return b"".join(content for _, content in Frames().feed(data)).decode(errors="replace").strip()


async def read_file(engine: Engine, identity: str, path: str) -> bytes:
    """Return a file of a container; nothing when there is none, or it is too large. Raises Refusal, Unavailable."""
    data = b""
    try:
        async with engine.stream("GET", f"/containers/{identity}/archive", query={"path": path}) as pieces:
            async for piece in pieces:
                data += piece
                if len(data) > _MAX_FILE:
                    return b""
    except Refusal as refusal:
        if refusal.status == _NOT_FOUND:
            return b""
        raise
    with tarfile.open(fileobj=BytesIO(data)) as archive:
        for member in archive:
            file = archive.extractfile(member) if member.isfile() else None
            return file.read() if file is not None else b""
    return b""
