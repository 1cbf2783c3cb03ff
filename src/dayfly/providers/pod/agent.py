"""The agent of a runtime pod: waits, is claimed once, unpacks a function's code, has it served, and ends with it.

It is the pod's first process. The replica is made by the same zygote, in the same sandbox, as on a single machine; it
listens on the pod's own address itself, so that nothing of ours is between a gateway and a function. The agent answers
for the pod's health, so that a function that is busy is not taken for dead.

A control plane that goes away between the claim and the last piece of the code leaves a pod that nobody can use: it
ends. One that goes away later attaches again; the replica serves on meanwhile.
"""

import asyncio
import contextlib
import hashlib
import logging
import os
import shutil
import signal
import tempfile
from collections.abc import Callable
from pathlib import Path

import msgspec

from dayfly.model.errors import DayflyError, InvalidRequest, Unavailable
from dayfly.model.names import ReplicaId
from dayfly.model.replica import ReplicaEvent, ReplicaExited, ReplicaReady, StartOrder
from dayfly.providers.local.provider import LocalProvider
from dayfly.providers.pod import archive, lines, wire
from dayfly.providers.pod.seal import CHALLENGE_BYTES, AgentKey
from dayfly.providers.pod.settings import Settings
from dayfly.providers.pod.wire import Conversation

_log = logging.getLogger("dayfly.pod")

LONG_S = 24 * 3600.0
"""What a replica is given to end in when the kubelet says so: the kubelet counts, and kills."""
_SPOOL_BYTES = 8 << 20


class Agent:
    """Serves one claim. `provider` starts the replica, `printer` prints; `run` returns when there is no more to do."""

    def __init__(
        self, settings: Settings, key: AgentKey, provider: LocalProvider, printer: lines.Printer, tier: str
    ) -> None:
        self._settings = settings
        self._key = key
        self._provider = provider
        self._printer = printer
        self._tier = tier
        self._replica = ReplicaId("")
        self._began = False
        """Whether the provider has the order."""
        self._ready: wire.Ready | None = None
        self._read = 0
        self._stopping = False
        self._ended: asyncio.Future[ReplicaExited | None] = asyncio.get_running_loop().create_future()
        self._all_told = asyncio.Event()
        """Set once nobody who listens is owed a word."""
        self._listeners: set[Conversation] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self) -> ReplicaExited | None:
        """Serve until the replica has ended, and return how; None when there was none and the pod is to go."""
        await self._provider.open(self._heard, self._printer.line)
        server = await asyncio.start_server(self._connected, self._settings.host, self._settings.agent_port)
        async with server:
            self._printer.hello(self._key.public, self._tier)
            ended = await asyncio.shield(self._ended)
            if ended is not None:
                await self._tell(wire.Exited(ended.reason, ended.detail))
            self._all_told.set()
        for listener in list(self._listeners):
            await listener.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._provider.close()
        return ended

    def leave(self) -> None:
        """The kubelet says that the pod is to end: its replica finishes its calls."""
        self._stopping = True
        if not self._replica:
            self._end(None)
        elif not self._began:
            self._end(ReplicaExited(self._replica, "stopped", "stopped before it had started"))
        else:
            self._spawn(self._provider.stop(self._replica, grace_s=LONG_S))

    def fail(self, detail: str) -> None:
        """What the agent stands on has gone."""
        self._end(ReplicaExited(self._replica, "lost", detail) if self._replica else None)

    # -- what is heard -----------------------------------------------------------------------------------------------

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(wire.CONNECT_S):
                first = await reader.readexactly(len(wire.MAGIC))
            if first == wire.MAGIC:
                challenge = os.urandom(CHALLENGE_BYTES)
                await self._converse(await Conversation.welcome(reader, writer, self._key, challenge))
            elif first.startswith(b"GET "):
                rest = first + await asyncio.wait_for(reader.readline(), wire.CONNECT_S)
                writer.write(self._health(rest))
                await writer.drain()
        except (OSError, TimeoutError, asyncio.IncompleteReadError, ValueError, Unavailable) as error:
            _log.info("a connection ended: %s", error or type(error).__name__)
        except (DayflyError, msgspec.DecodeError) as error:
            _log.warning("a connection was refused: %s", error)
        except Exception as error:  # whatever it is, who waits for the replica must hear of it
            _log.exception("a connection broke")
            self.fail(f"the agent of its pod broke: {type(error).__name__}: {error}")
        finally:
            writer.close()

    def _health(self, line: bytes) -> bytes:
        """Answer the kubelet: the agent is well, as it answers; it is ready when nobody has to wait for its replica."""
        waits = bool(self._replica) and self._ready is None
        status = b"503 Service Unavailable" if waits and line.startswith(b"GET /ready") else b"200 OK"
        return b"HTTP/1.1 %s\r\nContent-Length: 0\r\nConnection: close\r\n\r\n" % status

    async def _converse(self, control: Conversation) -> None:
        first = await control.hear_control()
        if isinstance(first, wire.Claim):
            if self._replica:
                await control.say(wire.Refused(f"the pod serves {self._replica} already"))
                return
            self._replica = first.order.replica
            self._listeners.add(control)
            await self._take(control, first.order)
        elif isinstance(first, wire.Attach) and self._replica and first.replica == self._replica:
            self._listeners.add(control)
            await control.say(wire.Taken(self._read, self._stopping))
            if self._ready is not None:
                await control.say(self._ready)
        else:
            await control.say(wire.Refused(f"the pod serves {self._replica or 'nobody yet'}"))
            return
        try:
            while not self._ended.done():
                await self._obey(control, await control.hear_control())
            await self._all_told.wait()
        finally:
            self._listeners.discard(control)

    async def _take(self, control: Conversation, order: StartOrder) -> None:
        """Receive the code, and have the replica started; what fails on the way is its end."""
        try:
            await control.say(wire.Taken())
            await self._receive(control, order)
        except (DayflyError, OSError, msgspec.DecodeError) as error:
            self._end(ReplicaExited(self._replica, "start_failed", f"its pod did not get its code: {error}"))

    async def _receive(self, control: Conversation, order: StartOrder) -> None:
        folder = Path(self._settings.folder) / "f"
        # A container that was started again finds what the one before it was given.
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
        folder.mkdir(mode=0o755)
        digest = hashlib.sha256()
        with tempfile.SpooledTemporaryFile(_SPOOL_BYTES, dir=self._settings.folder) as spool:
            while True:
                piece = await control.hear_control()
                if not isinstance(piece, wire.Code):
                    raise InvalidRequest("something else came before the end of the code")
                if not piece.data:
                    break
                digest.update(piece.data)
                spool.write(piece.data)
                if spool.tell() > archive.MAX_UNPACKED_BYTES:
                    raise InvalidRequest("the archive is larger than what may be unpacked")
            if piece.sha256 != digest.hexdigest():
                raise InvalidRequest("the code's checksum is not the one that was told")
            spool.seek(0)
            await asyncio.to_thread(archive.unpack, spool, folder)  # type: ignore[arg-type]  # it is one in all but name
        if self._ended.done():
            return
        code, layers = archive.places(order, folder)
        interpreter = _own(order.interpreter)
        self._began = True
        await self._provider.start(
            msgspec.structs.replace(order, code_dir=code, layer_dirs=layers, interpreter=interpreter)
        )

    async def _obey(self, control: Conversation, message: wire.FromControl) -> None:
        match message:
            case wire.Stop():
                self._stopping = True
                if self._began:
                    await self._provider.stop(self._replica, grace_s=message.grace_s)
                else:
                    self.leave()
            case wire.Ask():
                use = (await self._provider.stats()).get(self._replica)
                await control.say(wire.Use(use.cpu_s, use.memory_bytes) if use is not None else wire.Use(0, 0))
            case wire.Read():
                self._read = max(self._read, message.line)
            case _:
                raise InvalidRequest(f"{type(message).__name__} is not for now")

    # -- what happens ------------------------------------------------------------------------------------------------

    def _heard(self, event: ReplicaEvent) -> None:
        if isinstance(event, ReplicaReady):
            self._ready = wire.Ready(event.started_in_s)
            self._spawn(self._tell(self._ready))
        else:
            self._end(event)

    def _end(self, event: ReplicaExited | None) -> None:
        if not self._ended.done():
            if event is not None:
                self._printer.end(event, self._read)
            self._ended.set_result(event)

    async def _tell(self, message: wire.FromAgent) -> None:
        for listener in list(self._listeners):
            with contextlib.suppress(DayflyError):  # it has gone, and attaches again
                await listener.say(message)

    def _spawn(self, work: "asyncio._CoroutineLike[None]") -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _own(interpreter: str) -> str:
    """Return this pod's interpreter for one that the control plane has, where it lies: what is shown is by that."""
    return os.path.realpath(shutil.which(os.path.basename(interpreter)) or interpreter) if interpreter else ""


def on_signals(loop: asyncio.AbstractEventLoop, leave: Callable[[], None]) -> None:
    """Have the kubelet's signal heard."""
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, leave)
