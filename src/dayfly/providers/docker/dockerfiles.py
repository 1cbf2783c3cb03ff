"""Dockerfiles, carried out by the engine from an archive of their context."""

from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

import msgspec

from dayfly.model.engine import EngineState
from dayfly.model.errors import BuildFailed, InvalidSpec
from dayfly.model.image import parse_image
from dayfly.providers.docker.engine import QUIET_S, Engine, Refusal

_MOST_KEPT = 64 * 1024
"""Bytes of a line of the engine's that is not over yet."""


class Dockerfiles:
    """Builds by the engine that there is. `engine` raises Unavailable while it is away."""

    def __init__(self, engine: Callable[[], Engine], state: Callable[[], EngineState]) -> None:
        self._engine = engine
        self._state = state

    def why_none(self) -> str:
        """Return why there is no engine; empty when there is one."""
        state = self._state()
        return state.reason if state.engine is None else ""

    async def build(self, image: str, archive: bytes, args: Mapping[str, str]) -> AsyncIterator[str]:
        """Build a context, packed as a tar archive, as an image of this name, and tell how it goes, line by line.

        Raises BuildFailed with the engine's word, InvalidSpec for a name that no image can be given, Unavailable.
        """
        name = parse_image(image)
        if name.is_id or name.digest:
            raise InvalidSpec(f"image: {image[:200]} says which image it is by a digest; what is built gets a tag")
        query: dict[str, Any] = {"t": f"{name.repository}:{name.tag}", "rm": True, "forcerm": True}
        headers = {"Content-Type": "application/x-tar"}
        if args:
            query["buildargs"] = dict(args)
        try:
            async with self._engine().stream(
                "POST", "/build", query=query, headers=headers, content=archive, quiet_s=QUIET_S
            ) as pieces:
                async for text in _told(pieces):
                    yield text
        except Refusal as refusal:
            raise BuildFailed(f"the engine will not build {image}: {refusal}") from refusal


async def _told(pieces: AsyncIterator[bytes]) -> AsyncIterator[str]:
    """Yield what the engine's JSON says. Raises BuildFailed when it says that a step failed."""
    kept = b""
    async for piece in pieces:
        *lines, kept = (kept + piece).split(b"\n")
        kept = kept[-_MOST_KEPT:]
        for line in lines:
            if text := _text(line):
                yield text
    if text := _text(kept):
        yield text


def _text(line: bytes) -> str:
    try:
        told = msgspec.json.decode(line)
    except msgspec.DecodeError:
        return ""
    if not isinstance(told, dict):
        return ""
    if error := told.get("error"):
        raise BuildFailed(f"the Dockerfile could not be built: {error}")
    return str(told.get("stream") or "").rstrip()
