"""Whether this machine has a container engine that image functions could run on, for somebody who asks just that."""

import asyncio
import os
from collections.abc import Mapping

from dayfly.model.engine import EngineState
from dayfly.model.errors import Unavailable
from dayfly.providers.docker.endpoint import candidates, first_present, why_none
from dayfly.providers.docker.engine import Engine


def look_for_engine(environ: Mapping[str, str]) -> EngineState:
    """Return the engine that a platform started now would find, or why it would find none. Raises ConfigError."""
    sockets = candidates(environ.get("DAYFLY_DOCKER_HOST", ""), environ, uid=os.geteuid())
    path = first_present(sockets)
    return asyncio.run(_ask(path)) if path is not None else EngineState(reason=why_none(sockets))


async def _ask(path: str) -> EngineState:
    engine = Engine(path)
    try:
        return EngineState(engine=await engine.open())
    except Unavailable as error:
        return EngineState(reason=str(error))
    finally:
        await engine.close()
