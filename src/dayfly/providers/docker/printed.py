"""What any container of this installation printed and prints, for people to look at: porters, replicas, leftovers."""

import time
from collections.abc import AsyncGenerator, Sequence

from dayfly.model.errors import NotFound, Unavailable
from dayfly.model.machine import Container, PartLine
from dayfly.providers.docker.engine import Engine, Refusal
from dayfly.providers.docker.frames import Frames, split_time
from dayfly.providers.part_lines import part_line


def printed(
    engine: Engine, ours: Sequence[Container], name: str, *, tail: int, follow: bool
) -> AsyncGenerator[PartLine, None]:
    """Return the lines of the container of this name or id. Raises NotFound for one that is not ours."""
    found = next((each for each in ours if name in (each.name, each.id)), None)
    if found is None:
        raise NotFound(f"there is no container {name[:80]}")
    return _lines(engine, found.id, found.name, tail, follow=follow)


async def _lines(
    engine: Engine, container: str, name: str, tail: int, *, follow: bool
) -> AsyncGenerator[PartLine, None]:
    query = {
        "stdout": True, "stderr": True, "timestamps": True, "follow": follow, "tail": str(tail) if tail >= 0 else "all",
    }  # fmt: skip
    frames = Frames()
    try:
        async with engine.stream("GET", f"/containers/{container}/logs", query=query) as pieces:
            async for piece in pieces:
                for stream, content in frames.feed(piece):
                    unix_ns, text = split_time(content)
                    yield part_line(unix_ns, name, text, stream)
    except (Refusal, Unavailable) as error:  # the container is gone, or the engine is
        yield PartLine(unix_ns=time.time_ns(), part=name, level="warning", text=f"its log cannot be read: {error}")
