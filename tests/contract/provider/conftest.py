"""A stage for the contract of `Provider`: one real provider per parameter, functions written on the spot, real calls.

Another provider joins by adding a `Stage` of its own to `STAGES`.
"""

import asyncio
import contextlib
import http.client
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import pytest

from dayfly.model.log import LogLine
from dayfly.model.names import DEFAULT_NAMESPACE, FunctionKey, FunctionName, ReplicaId, new_replica_id
from dayfly.model.replica import ReplicaEvent, ReplicaExited, ReplicaReady, StartOrder
from dayfly.providers.local.provider import LocalProvider
from dayfly.providers.port import Provider
from dayfly.runtimes.jail.detect import detect
from dayfly.runtimes.python import cells
from dayfly.runtimes.python.command import zygote_argv

DEADLINE_S = 20.0
T = TypeVar("T")


class Answer(msgspec.Struct, frozen=True):
    """What a call was answered with."""

    status: int
    headers: dict[str, str]
    body: bytes


class Audience:
    """Collects what one provider reports and lets a test wait for it."""

    def __init__(self) -> None:
        self.events: list[ReplicaEvent] = []
        self.lines: list[LogLine] = []
        self._changed = asyncio.Condition()
        self._tasks: set[asyncio.Task[None]] = set()

    def on_event(self, event: ReplicaEvent) -> None:
        self.events.append(event)
        self._notify()

    def on_log(self, line: LogLine) -> None:
        self.lines.append(line)
        self._notify()

    async def ready(self, replica: ReplicaId) -> ReplicaReady:
        found = await self.until(lambda: [e for e in self.events if e.replica == replica])
        assert isinstance(found[0], ReplicaReady), found[0]
        return found[0]

    async def exited(self, replica: ReplicaId) -> ReplicaExited:
        def ends() -> list[ReplicaExited]:
            return [e for e in self.events if isinstance(e, ReplicaExited) and e.replica == replica]

        return (await self.until(ends))[0]

    async def line(self, text: str) -> LogLine:
        return (await self.until(lambda: [line for line in self.lines if text in line.text]))[0]

    async def until(self, look: Callable[[], list[T]]) -> list[T]:
        async with asyncio.timeout(DEADLINE_S), self._changed:
            await self._changed.wait_for(lambda: bool(look()))
        return look()

    def _notify(self) -> None:
        async def tell() -> None:
            async with self._changed:
                self._changed.notify_all()

        task = asyncio.get_running_loop().create_task(tell())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


class LocalStage:
    """The local provider with a zygote of its own."""

    def __init__(self, *, template_budget_bytes: int = 1 << 30, workers: int = 0) -> None:
        self._workers = workers
        self.folder = Path(tempfile.mkdtemp(prefix="dayfly-"))
        self.run = self.folder / "run"
        (self.run / "r").mkdir(parents=True)
        self._budget = template_budget_bytes
        self._count = 0
        self.zygote = self.start_zygote()

    def start_zygote(self) -> subprocess.Popen[bytes]:
        argv = zygote_argv(
            interpreter=sys.executable,
            socket=self.run / "zygote.sock",
            template_budget_bytes=self._budget,
            layers=detect(cells.refusal),
            workers=self._workers,
        )
        groups = [12_345] if os.geteuid() == 0 else None  # one that functions must not keep
        self.zygote = subprocess.Popen(
            argv, env={"PATH": "/usr/bin:/bin"}, stdin=subprocess.DEVNULL, extra_groups=groups
        )
        return self.zygote

    def provider(self) -> Provider:
        return LocalProvider(self.run / "zygote.sock", self.run / "r")

    def order(self, source: str, **changes: Any) -> StartOrder:
        """Return an order for a function whose handler.py holds `source`."""
        self._count += 1
        code = self.folder / f"code{self._count}"
        code.mkdir()
        code.chmod(0o755)
        (code / "handler.py").write_text(source)
        (code / "handler.py").chmod(0o644)
        settled: dict[str, Any] = {
            "replica": new_replica_id(),
            "key": FunctionKey(DEFAULT_NAMESPACE, FunctionName(f"fn-{self._count}")),
            "revision": 1,
            "lang": "python",
            "dialect": "auto",
            "handler": "handler",
            "code_dir": str(code),
            "timeout_s": 60.0,
        }
        return StartOrder(**(settled | changes))

    def again(self, order: StartOrder) -> StartOrder:
        """Return an order for another replica of the same function."""
        return msgspec.structs.replace(order, replica=new_replica_id())

    @contextlib.asynccontextmanager
    async def opened(self) -> AsyncIterator[tuple[Provider, Audience]]:
        provider, audience = self.provider(), Audience()
        await provider.open(audience.on_event, audience.on_log)
        try:
            yield provider, audience
        finally:
            await provider.close()

    def sleepers(self) -> set[int]:
        """Return the pids of the `sleep 300` processes of this machine that live."""
        found = set()
        for each in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if (each / "cmdline").read_bytes() == b"sleep\x00300\x00" and alive(int(each.name)):
                    found.add(int(each.name))
        return found

    def close(self) -> None:
        self.zygote.kill()
        self.zygote.wait()
        shutil.rmtree(self.folder)


async def call(
    address: str, body: bytes = b"", *, method: str = "POST", target: str = "/", headers: dict[str, str] | None = None
) -> Answer:
    """Call a replica over a connection of its own. Raises OSError, http.client.HTTPException."""

    def ask() -> Answer:
        connection = http.client.HTTPConnection("replica", timeout=DEADLINE_S)
        with socket.socket(socket.AF_UNIX) as sock, contextlib.closing(connection):
            sock.settimeout(DEADLINE_S)
            sock.connect(address.removeprefix("unix:"))
            connection.sock = sock
            connection.request(method, target, body, headers or {})
            response = connection.getresponse()
            return Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())

    return await asyncio.to_thread(ask)


async def eventually(condition: Callable[[], object]) -> None:
    """Wait until the kernel shows what it does not announce. Raises TimeoutError."""
    async with asyncio.timeout(DEADLINE_S):
        while not condition():  # noqa: ASYNC110 - the state of processes comes without an event
            await asyncio.sleep(0.01)


STAGES: dict[str, Callable[..., LocalStage]] = {"local": LocalStage}


@pytest.fixture(params=sorted(STAGES))
def stage(request: pytest.FixtureRequest) -> Iterator[LocalStage]:
    """A provider's stage, torn down with everything that runs on it; a dict as parameter makes a special local one."""
    made = LocalStage(**request.param) if isinstance(request.param, dict) else STAGES[request.param]()
    try:
        yield made
    finally:
        made.close()


@pytest.fixture(name="eventually")
def eventually_() -> Callable[..., Any]:
    """The function that waits for a condition."""
    return eventually


@pytest.fixture
def ask() -> Callable[..., Any]:
    """The function that calls a replica."""
    return call


def alive(pid: int) -> bool:
    """Whether a process with this pid exists and is no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.fixture
def is_alive() -> Callable[[int], bool]:
    """The function that tells whether a process lives."""
    assert alive(os.getpid())
    return alive
