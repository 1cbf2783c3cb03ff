"""Images: found in the engine or pulled, and pinned, so that all replicas of a revision run the same.

A tag is a name that its owner may give to something else tomorrow. So what a revision's image means is found out once:
the engine's own image if it has one by this name, else what the registry has. From then on it is named by its digest,
with which it can be pulled again; an image that no registry knows is named by its id, and lives in the engine alone.
"""

import asyncio
import logging
import os
from collections.abc import Mapping
from typing import Any
from weakref import WeakValueDictionary

import msgspec

from dayfly.model.errors import BuildFailed, ConfigError
from dayfly.model.image import HUB, ImageName, parse_image
from dayfly.providers.docker import logins
from dayfly.providers.docker.engine import QUIET_S, Engine, Refusal, Silence, part

_log = logging.getLogger("dayfly.providers.docker")

_NOT_FOUND = 404


class Image(msgspec.Struct, frozen=True, kw_only=True):
    """What an image says of itself, as far as it matters to us."""

    id: str
    digests: tuple[str, ...] = ()
    """`REPOSITORY@DIGEST`, for each repository that the engine had it from."""
    user: str = ""
    env: dict[str, str] = {}
    volumes: tuple[str, ...] = ()
    stop_signal: str = "SIGTERM"


async def find(engine: Engine, name: str) -> Image | None:
    """Return the image that the engine has by this name, digest or id. Raises Refusal, Unavailable."""
    try:
        found: dict[str, Any] = await engine.ask("GET", f"/images/{part(name)}/json")
    except Refusal as refusal:
        if refusal.status == _NOT_FOUND:
            return None
        raise
    return _understand(found)


class Pins:
    """Says what an image's name means in the engine; one pull of a name at a time."""

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        self._environ = environ
        self._pulls: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def pin(self, engine: Engine, name: str, pinned: str) -> str:
        """Return the image that `name` means as one that will not change: `pinned` when that was found out before.

        The engine has it afterwards. Raises BuildFailed, InvalidSpec, Unavailable.
        """
        wanted = pinned or name
        try:
            image = await find(engine, wanted)
            if image is None:
                await self._pull(engine, wanted, name)
                image = await find(engine, wanted)
        except Refusal as refusal:
            raise BuildFailed(f"the engine will not have the image {name}: {refusal}") from refusal
        if image is None:
            raise BuildFailed(f"the engine pulled the image {name} and does not have it; is its disk full?")
        return pinned or _pin(parse_image(name), image)

    async def _pull(self, engine: Engine, wanted: str, name: str) -> None:
        parsed = parse_image(wanted)
        if parsed.is_id:
            raise BuildFailed(
                f"the engine does not have the image {name} any more ({wanted[:19]}…), and no registry knows it by a"
                " digest; deploy again to run what the name means now"
                if wanted != name
                else f"the engine has no image {name[:19]}…"
            )
        lock = self._pulls.setdefault(wanted, asyncio.Lock())
        async with lock:
            if await find(engine, wanted) is None:
                _log.info("pulling the image %s", wanted)
                await _stream_pull(engine, parsed, name, await self._login(wanted, name))

    async def _login(self, wanted: str, name: str) -> dict[str, str]:
        try:
            return await logins.find(wanted, self._environ)
        except ConfigError as error:
            raise BuildFailed(f"the image {name} cannot be pulled: {error}", hint=error.hint) from error


async def _stream_pull(engine: Engine, wanted: ImageName, name: str, headers: dict[str, str]) -> None:
    source = wanted.pinned(wanted.digest) if wanted.digest else wanted.repository
    query = {"fromImage": source} | ({"tag": wanted.tag} if wanted.tag else {})
    last = b""
    try:
        async with engine.stream("POST", "/images/create", query=query, headers=headers, quiet_s=QUIET_S) as pieces:
            async for piece in pieces:
                last = (last + piece)[-8_192:]
    except Refusal as refusal:
        raise BuildFailed(f"the image {name} cannot be pulled: {refusal}", hint=_hint(wanted, headers)) from refusal
    except Silence as silence:  # the engine itself waits for a registry without end
        told = f"nothing more has come from the registry {wanted.registry} for {QUIET_S:g} s"
        raise BuildFailed(f"the image {name} cannot be pulled: {told}") from silence
    if failure := _failure(last):
        raise BuildFailed(f"the image {name} cannot be pulled: {failure}", hint=_hint(wanted, headers))


def _failure(tail: bytes) -> str:
    """Return what the last line of a pull's progress says went wrong, if it does."""
    try:
        told = msgspec.json.decode(tail.strip().rsplit(b"\n", 1)[-1])
    except msgspec.DecodeError:
        return ""
    return str(told.get("error") or "") if isinstance(told, dict) else ""


def _hint(wanted: ImageName, headers: dict[str, str]) -> str:
    if headers:
        return f"the login for {wanted.registry} was presented"
    return f"no login for {wanted.registry} was found; `docker login {wanted.registry}` as the platform's account"


def _pin(name: ImageName, image: Image) -> str:
    if name.digest and not name.is_id:
        return name.pinned(name.digest)
    for digest in image.digests:
        if _canonical(digest.partition("@")[0]) == _canonical(name.repository):
            return digest
    return image.id


def _canonical(repository: str) -> str:
    """Return the repository with the parts that Docker leaves out."""
    host, slash, rest = repository.partition("/")
    is_host = slash and ("." in host or ":" in host or host == "localhost")
    registry, path = (host, rest) if is_host else (HUB, repository)
    registry = HUB if registry == f"index.{HUB}" else registry
    return f"{registry}/library/{path}" if registry == HUB and "/" not in path else f"{registry}/{path}"


def _understand(found: dict[str, Any]) -> Image:
    config = found.get("Config") or {}
    env = dict(line.partition("=")[::2] for line in config.get("Env") or ())
    identity = str(found["Id"])
    return Image(
        id=identity if identity.startswith("sha256:") else f"sha256:{identity}",
        digests=tuple(found.get("RepoDigests") or ()),
        user=str(config.get("User") or ""),
        env=env,
        volumes=tuple(config.get("Volumes") or ()),
        stop_signal=str(config.get("StopSignal") or "SIGTERM"),
    )
