"""A gateway on loopback whose only function is a canary: it counts and keeps every request that reaches it."""

import asyncio
import shutil
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import h11
import msgspec
import pytest
import uvloop
from tests.unit.gateway.conftest import DEADLINE_S, Conversation, Rig

from dayfly.http1.limits import Limits

LIMITS = Limits(body_bytes=1 << 20, header_timeout_s=30, body_window_s=30, linger_s=0.4)
QUICK = msgspec.structs.replace(LIMITS, header_timeout_s=0.4, body_window_s=0.4)
"""For what is to be given up: a machine that is busy must not give up anything else."""


class Canary:
    """A replica that reads with h11, which shares no code with the gateway."""

    def __init__(self) -> None:
        self.targets: list[str] = []
        """Of the whole requests, in the order they came."""
        self.wire: dict[int, bytes] = {}
        """The bytes of each connection."""

    async def script(self, conversation: Conversation) -> None:
        """Serve one connection."""
        connection, number = h11.Connection(h11.SERVER), len(self.wire)
        self.wire[number] = b""
        while True:
            event = connection.next_event()
            if event is h11.NEED_DATA:
                data = await conversation.reader.read(65_536)
                self.wire[number] += data
                connection.receive_data(data)
            elif isinstance(event, h11.Request):
                target = event.target.decode()
            elif isinstance(event, h11.EndOfMessage):
                self.targets.append(target)
                length = [(b"Content-Length", b"6")]
                conversation.send(connection.send(h11.Response(status_code=200, headers=length)) or b"")
                conversation.send(connection.send(h11.Data(data=b"canary")) or b"")
                conversation.send(connection.send(h11.EndOfMessage()) or b"")
                connection.start_next_cycle()
            elif event is h11.PAUSED or isinstance(event, h11.ConnectionClosed):
                return


Scene = Callable[[Rig, Canary], Awaitable[None]]
Stage = Callable[[Scene, Limits], None]


@pytest.fixture
def stage() -> Iterator[Stage]:
    """Return what runs a scene with a gateway and its canary."""
    folder = Path(tempfile.mkdtemp(prefix="dfhostile"))

    def run(scene: Scene, limits: Limits) -> None:
        async def main() -> None:
            async with asyncio.timeout(DEADLINE_S), Rig(folder, {}, limits) as rig:
                canary = Canary()
                await rig.serve(rig.entry(await rig.replica(canary.script), name="canary"))
                await scene(rig, canary)

        uvloop.run(main())

    yield run
    shutil.rmtree(folder, ignore_errors=True)
