"""The program of a runtime pod: python -P -m dayfly.providers.pod."""

import asyncio
import gc
import logging
import os
import sys
from pathlib import Path

import msgspec

from dayfly.model.errors import DayflyError
from dayfly.model.replica import ReplicaExited
from dayfly.providers.local.provider import LocalProvider
from dayfly.providers.pod import lines
from dayfly.providers.pod.agent import Agent, on_signals
from dayfly.providers.pod.inner import Inner
from dayfly.providers.pod.seal import AgentKey
from dayfly.providers.pod.settings import Settings, read
from dayfly.runtimes.jail import calls
from dayfly.runtimes.jail.detect import detect
from dayfly.runtimes.log_event import LogFormat
from dayfly.runtimes.log_format import log_settings, log_to_stderr
from dayfly.runtimes.python import cells

_PR_SET_DUMPABLE = 4


def main() -> int:
    """Serve one claim; return 0 when the replica was stopped, or there was none, and 1 when it ended otherwise."""
    level, form = log_settings(os.environ)
    log_to_stderr("agent", level, form)
    os.umask(0o022)  # where functions have a user of their own, it must be able to read its code
    try:
        settings = read(os.environ)
        ended = asyncio.run(_serve(settings, form))
    except DayflyError as error:
        logging.getLogger("dayfly.pod").error("%s", error)
        return error.exit_code
    if ended is None:
        return 0
    Path(settings.termination_log).write_bytes(lines.last_word(ended))
    return 0 if ended.reason == "stopped" else 1


async def _serve(settings: Settings, form: LogFormat) -> ReplicaExited | None:
    loop = asyncio.get_running_loop()
    layers = msgspec.structs.replace(detect(cells.refusal), alone=True)
    folder = Path(settings.folder)
    inner = Inner(folder, layers, form)
    try:
        key = AgentKey(settings.control_key)
        # With namespaces a solo replica would be the first process of its own, to which signals mean something else.
        provider = LocalProvider(
            inner.zygote_socket, inner.replicas, alone_at=settings.function_address, solo=not layers.namespaces
        )
        agent = Agent(settings, key, provider, lines.Printer(sys.stdout.fileno()), layers.tier)
        on_signals(loop, agent.leave)
        inner.heed(loop)
        for name, pidfd in inner.pidfds().items():
            loop.add_reader(pidfd, agent.fail, f"the {name} of its pod ended")
        # What runs here later, as the same user, is not to read this process's memory.
        calls.prctl(_PR_SET_DUMPABLE, 0)
        gc.collect()
        gc.freeze()
        return await agent.run()
    finally:
        inner.close()


if __name__ == "__main__":
    sys.exit(main())
