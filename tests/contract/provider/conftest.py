"""A stage for the contract of `Provider`: one real provider per parameter, functions written on the spot, real calls.

Another provider joins with a stage of its own in `STAGES`. A module of tests names the stages that it is for.
"""

import asyncio
import contextlib
import http.client
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import pytest
from lightkube.config.kubeconfig import KubeConfig
from tests.cluster.deployments import Deployments
from tests.cluster.kubelet import Kubelet
from tests.cluster.server import Double
from tests.engine.daemon import BASE, Daemon

from dayfly.cluster.connection import Connection
from dayfly.model.log import LogLine
from dayfly.model.names import DEFAULT_NAMESPACE, FunctionKey, FunctionName, ReplicaId, new_replica_id
from dayfly.model.replica import ReplicaEvent, ReplicaExited, ReplicaReady, StartOrder
from dayfly.providers.docker.provider import DockerProvider
from dayfly.providers.kubernetes import marks
from dayfly.providers.kubernetes.choice import Room
from dayfly.providers.kubernetes.house import Site
from dayfly.providers.kubernetes.pool import PoolValues, deployment
from dayfly.providers.kubernetes.provider import KubernetesProvider
from dayfly.providers.local.provider import LocalProvider
from dayfly.providers.pod import archive
from dayfly.providers.port import Provider
from dayfly.providers.several import SeveralProviders
from dayfly.runtimes.jail.detect import detect
from dayfly.runtimes.jail.layers import Layers
from dayfly.runtimes.python import cells
from dayfly.runtimes.python.command import zygote_argv
from dayfly.runtimes.python.processes import descendants_of

DEADLINE_S = 60.0
AS_USER = Path(__file__).parents[2] / "escape" / "as_user.py"
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


class Stage:
    """What every stage has: `provider` gives a new provider, `order` an order for a function of a handler's source."""

    def provider(self) -> Provider:
        raise NotImplementedError

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

    def code(self, order: StartOrder) -> Path:
        """Return the folder of this machine that the function's code is in where its replica runs, which has a pod."""
        return Path(order.code_dir)

    def below(self) -> set[int]:
        """Return the pids of its functions' processes and of what runs those, and of no other test's."""
        raise NotImplementedError

    def sleepers(self) -> set[int]:
        """Return the pids of the `sleep 300` processes of this machine that live."""
        found = set()
        for each in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if (each / "cmdline").read_bytes() == b"sleep\x00300\x00" and alive(int(each.name)):
                    found.add(int(each.name))
        return found

    def close(self) -> None:
        """End everything that runs on it."""
        raise NotImplementedError


class LocalStage(Stage):
    """The local provider with a zygote of its own."""

    runtime = "python"
    is_ours = True
    """Whether a runtime of ours runs the handler: it tells lines by their calls, and why an import failed."""

    def __init__(
        self,
        *,
        template_budget_bytes: int = 1 << 30,
        workers: int = 0,
        namespaces: bool = True,
        grouped: bool = True,
        alone: bool = False,
    ) -> None:
        self._workers = workers
        self._namespaces = namespaces
        self._alone = alone
        self._prefix = () if grouped else (sys.executable, "-P", str(Path(__file__).parent / "ungrouped.py"))
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
            layers=detect(cells.refusal) if self._namespaces else without_namespaces(alone=self._alone),
            workers=self._workers,
        )
        if not self._namespaces:  # functions then see the interpreter and their code as other accounts do
            self.folder.chmod(0o755)
            argv = [sys.executable, "-P", str(AS_USER), "0", *argv] if os.geteuid() == 0 else argv
        groups = [12_345] if os.geteuid() == 0 else None  # one that functions must not keep
        self.zygote = subprocess.Popen(
            [*self._prefix, *argv], env={"PATH": "/usr/bin:/bin"}, stdin=subprocess.DEVNULL, extra_groups=groups
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

    def below(self) -> set[int]:
        """Return the zygote's descendants."""
        return {*descendants_of(self.zygote.pid)}

    def sleepers(self) -> set[int]:
        """Return those of this stage's functions."""
        return super().sleepers() & self.below()

    def close(self) -> None:
        self.zygote.kill()
        self.zygote.wait()
        for link in self.run.glob("scratch/*/secrets"):
            remove(link.resolve())
        remove(self.folder)


def remove(folder: Path) -> None:
    """Remove a folder, although what dies with its zygote may write into it for a moment still."""
    give_up = time.monotonic() + DEADLINE_S
    while folder.exists():
        assert time.monotonic() < give_up, f"{folder} cannot be removed"
        shutil.rmtree(folder, ignore_errors=True)


def without_namespaces(*, alone: bool = False) -> Layers:
    """Return what this machine would give if it refused namespaces; `alone` makes it like a pod."""
    return msgspec.structs.replace(detect(cells.refusal), namespaces=False, proc=False, alone=alone)


class DockerStage(Stage):
    """The Docker provider on the session's engine, with functions in the tests' image."""

    runtime = "image"
    is_ours = False

    def __init__(self, daemon: Daemon) -> None:
        self.daemon = daemon
        self.folder = Path(tempfile.mkdtemp(prefix="dayfly-"))
        self.folder.chmod(0o711)
        self.installation = secrets.token_hex(4)
        self.image = BASE
        self.egress = self.folder / "egress.sock"
        self._count = 0

    def provider(self) -> DockerProvider:
        sockets = (str(self.daemon.socket),)
        return DockerProvider(sockets, self.folder / "p", self.installation, egress=str(self.egress))

    def order(self, source: str, **changes: Any) -> StartOrder:
        """Return an order for an image function whose handler is `source`."""
        self._count += 1
        env = {"HANDLER": source, **changes.pop("env", {})}
        settled: dict[str, Any] = {
            "replica": new_replica_id(),
            "key": FunctionKey(DEFAULT_NAMESPACE, FunctionName(f"fn-{self._count}")),
            "revision": 1,
            "lang": "image",
            "runtime": "image",
            "dialect": "auto",
            "handler": "handler",
            "image": self.image,
            "code_dir": "",
            "timeout_s": 60.0,
        }
        return StartOrder(**(settled | changes), env=env)

    def close(self) -> None:
        """End what is left, and see that a provider without replicas leaves nothing."""

        async def end() -> None:
            async with self.opened() as (provider, audience):
                for found in await provider.recover():
                    await provider.stop(found.order.replica, grace_s=0)
                    await audience.exited(found.order.replica)

        try:
            asyncio.run(end())
            label = f"label=dayfly.installation={self.installation}"
            left = self.daemon.run("ps", "--all", "--filter", label, "--format", "{{.Names}}")
            assert left == ""
            assert not list((self.folder / "p").iterdir())
        finally:
            shutil.rmtree(self.folder)


class SeveralStage(LocalStage):
    """The local provider beside an engine's, seen as one."""

    def __init__(self, daemon: Daemon) -> None:
        super().__init__()
        self.beside = DockerStage(daemon)

    def provider(self) -> Provider:
        return SeveralProviders(super().provider(), {"image": self.beside.provider()})

    def close(self) -> None:
        super().close()
        self.beside.close()


class Cluster:
    """A double of a cluster, with a pool of runtime pods that all stages of a session share."""

    NAMESPACE = "dayfly-fn"

    def __init__(self) -> None:
        self.double = Double()
        self.kubelet = Kubelet(self.double, self.NAMESPACE)
        ports = range(30_000 + secrets.randbelow(20_000), 60_000)
        self.pool = PoolValues(
            installation=secrets.token_hex(4), image="runtime", size=2, agent_port=ports[0], function_port=ports[1]
        )
        self.site = Site(namespace=self.NAMESPACE, pool=self.pool, room=Room(512 << 20))
        self.config: dict[str, Any] = {}
        self._entered = contextlib.ExitStack()

    def __enter__(self) -> "Cluster":
        self.double.controllers.append(Deployments(self.double))
        self._entered.enter_context(self.double)
        self.config = self.double.kubeconfig(namespace=self.NAMESPACE)
        self.double.namespaces(self.NAMESPACE)
        self._entered.enter_context(self.kubelet)
        self.double.create("deployments", self.NAMESPACE, deployment(self.pool))
        return self

    def __exit__(self, *error: object) -> None:
        self._entered.close()

    def connect(self) -> Connection:
        config = KubeConfig.from_dict(self.config).get()
        assert config is not None
        return Connection(config)

    def ours(self) -> list[str]:
        """Return the names of pods that are functions'."""
        pods = self.double.objects("pods", self.NAMESPACE)
        return [pod["metadata"]["name"] for pod in pods if pod["metadata"]["labels"].get(marks.ROLE) == marks.OURS]


class KubernetesStage(LocalStage):
    """The Kubernetes provider on the session's double of a cluster, whose pods are processes of this machine."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.folder = Path(tempfile.mkdtemp(prefix="dayfly-"))
        self._count = 0

    def provider(self) -> KubernetesProvider:
        return KubernetesProvider(self.cluster.connect, self.cluster.site, b"an installation's secret")

    def code(self, order: StartOrder) -> Path:
        """Return where the agent has unpacked it."""
        pods = self.cluster.double.objects("pods", self.cluster.NAMESPACE)
        names = {pod["metadata"]["labels"].get(marks.REPLICA): pod["metadata"]["name"] for pod in pods}
        return self.cluster.kubelet.volume(names[order.replica], "run") / "f" / archive.CODE

    def below(self) -> set[int]:
        """Return the descendants of this cluster's pods."""
        return {each for pid in self.cluster.kubelet.pids().values() for each in descendants_of(pid)}

    def close(self) -> None:
        """End what is left, and see that nothing stays."""

        async def end() -> None:
            async with self.opened() as (provider, audience):
                for found in await provider.recover():
                    await provider.stop(found.order.replica, grace_s=0)
                    await audience.exited(found.order.replica)
            await eventually(lambda: not self.cluster.ours())

        try:
            asyncio.run(end())
        finally:
            shutil.rmtree(self.folder)


def reach(address: str) -> socket.socket:
    """Return a socket that is connected to a replica. Raises OSError."""
    scheme, _, path = address.partition(":")
    if path.isdigit():
        return socket.create_connection((scheme, int(path)), DEADLINE_S)
    sock = socket.socket(socket.AF_UNIX)
    try:
        sock.settimeout(DEADLINE_S)
        sock.connect(path)
        if scheme == "unix":
            return sock
        answer, fds, _flags, _address = socket.recv_fds(sock, 512, 1)
    except OSError:
        sock.close()
        raise
    sock.close()
    if not fds:
        raise ConnectionRefusedError(answer.decode())
    handed = socket.socket(fileno=fds[0])
    handed.settimeout(DEADLINE_S)
    return handed


async def connect(address: str, data: bytes = b"") -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Return a connection to a replica, on which `data` was sent. Raises OSError."""
    reader, writer = await asyncio.open_connection(sock=await asyncio.to_thread(reach, address))
    writer.write(data)
    return reader, writer


async def call(
    address: str, body: bytes = b"", *, method: str = "POST", target: str = "/", headers: dict[str, str] | None = None
) -> Answer:
    """Call a replica over a connection of its own. Raises OSError, http.client.HTTPException."""

    def ask() -> Answer:
        connection = http.client.HTTPConnection("replica", timeout=DEADLINE_S)
        with reach(address) as sock, contextlib.closing(connection):
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


STAGED = ("stage", "servers", "programs")
"""The fixtures that are stages, whichever a module has."""


def pytest_configure(config: pytest.Config) -> None:
    """Make the mark known that keeps a test on the local stage."""
    config.addinivalue_line("markers", "local_only(why): runs on the local stage alone, as pods are not like that")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run what asks for a stage on those that its module names in STAGES, on the local one when it names none.

    What is marked `local_only` runs there alone, and the mark has to say why.
    """
    given = [mark for mark in metafunc.definition.iter_markers("parametrize") if "stage" in mark.args[0]]
    for name in STAGED:
        if name in metafunc.fixturenames and not given:
            kept = metafunc.definition.get_closest_marker("local_only")
            assert kept is None or kept.args, f"{metafunc.definition.nodeid}: local_only does not say why"
            stages = getattr(metafunc.module, "STAGES", ("local",)) if kept is None else ("local",)
            metafunc.parametrize(name, stages, indirect=True)


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """A double of a cluster, for all who ask for it."""
    with Cluster() as made:
        yield made


@contextlib.contextmanager
def staged(request: pytest.FixtureRequest) -> Iterator[Any]:
    """Give the stage that is asked for by its name; a dict makes a special local one."""
    if isinstance(request.param, dict):
        made: Stage = LocalStage(**request.param)
    elif request.param == "local":
        made = LocalStage()
    elif request.param == "kubernetes":
        made = KubernetesStage(request.getfixturevalue("cluster"))
    else:
        daemon = request.getfixturevalue("daemon")
        made = DockerStage(daemon) if request.param == "docker" else SeveralStage(daemon)
    try:
        yield made
    finally:
        made.close()


@pytest.fixture
def stage(request: pytest.FixtureRequest) -> Iterator[Any]:
    """A provider's stage, torn down with everything that runs on it."""
    with staged(request) as made:
        yield made


@pytest.fixture(name="eventually")
def eventually_() -> Callable[..., Any]:
    """The function that waits for a condition."""
    return eventually


@pytest.fixture(name="reach")
def reach_() -> Callable[[str], socket.socket]:
    """The function that connects to a replica."""
    return reach


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
