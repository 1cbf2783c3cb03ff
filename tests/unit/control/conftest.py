"""A control plane on a stage: no processes, no clock, but a real socket with scripted gateways on it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

import msgspec
import pytest

from dayfly.control.clock import ManualClock
from dayfly.control.plane import ControlPlane
from dayfly.decide.invariants import validate
from dayfly.model.budget import Budget
from dayfly.model.function import FunctionSpec
from dayfly.model.log import LogLine
from dayfly.model.names import BundleDigest, FunctionKey, NamespaceName, parse_function_key
from dayfly.model.namespace import NamespaceChange
from dayfly.model.replica import Ceilings, Prepared
from dayfly.model.route_entry import RouteEntry
from dayfly.model.table import (
    Delta,
    Demand,
    Entry,
    FunctionLoad,
    Hello,
    Load,
    Report,
    RevisionLoad,
    Snapshot,
    ToControl,
    ToGateway,
)
from dayfly.providers.fake import FakeProvider
from dayfly.storage.blobs import FileBlobs
from dayfly.storage.memory import MemoryStore
from dayfly.storage.memory_ledger import MemoryLedger
from dayfly.storage.memory_routes import MemoryRoutes
from dayfly.storage.memory_tenancy import MemoryTenancy
from dayfly.storage.memory_things import MemoryThings
from dayfly.storage.secrets.memory import MemorySecrets

DEADLINE_S = 60.0
BUNDLE = "sha256:" + "a" * 64
CEILINGS = Ceilings(processes=100)
_TO_GATEWAY: msgspec.msgpack.Decoder[ToGateway] = msgspec.msgpack.Decoder(ToGateway)


async def until(holds: Callable[[], object], what: str = "") -> None:
    """Let the loop turn until the condition holds."""
    deadline = time.monotonic() + DEADLINE_S
    while not holds():
        assert time.monotonic() < deadline, f"in vain waited for: {what or holds}"
        await asyncio.sleep(0)


async def rounds(count: int = 50) -> None:
    """Let the loop turn a good while, for what must not happen."""
    for _ in range(count):
        await asyncio.sleep(0)


class AnyBlobs(FileBlobs):
    """Has every bundle but those in `missing`."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.missing: set[str] = set()

    def has(self, digest: BundleDigest) -> bool:
        return digest not in self.missing


class AnyTenancy(MemoryTenancy):
    """Gives every namespace every bundle, but for those in `foreign`."""

    def __init__(self, store: MemoryStore) -> None:
        super().__init__(lambda: store.broken)
        self.foreign: set[str] = set()

    async def has_bundle(self, namespace: NamespaceName, digest: BundleDigest) -> bool:
        return digest not in self.foreign or await super().has_bundle(namespace, digest)


class ScriptedPreparer:
    """Prepares at once, unless `gate` is cleared; fails with `error` when set."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.gate.set()
        self.error: Exception | None = None
        self.refusal: Exception | None = None
        self.place = "/code"
        self.asked: list[FunctionSpec] = []

    async def check(self, _spec: FunctionSpec) -> None:
        """Refuse what it was told to."""
        if self.refusal is not None:
            raise self.refusal

    async def prepare(self, spec: FunctionSpec, revision: int) -> Prepared:
        self.asked.append(spec)
        assert revision > 0
        await self.gate.wait()
        if self.error is not None:
            raise self.error
        return Prepared(f"{self.place}/{spec.bundle[-8:]}", ("/layers/x",))


class SimpleMeter:
    """Adds up what gateways report, without the finer points."""

    def __init__(self) -> None:
        self.loads: dict[str, dict[str, FunctionLoad]] = {}
        self.base: dict[str, int] = {}
        self.sides: dict[str, tuple[RevisionLoad, ...]] = {}
        self.left: list[str] = []
        self.forgotten: list[FunctionKey] = []

    def merge(self, gateway: str, boot: str, load: Load) -> None:
        assert boot
        self.loads.setdefault(gateway, {}).update({figures.function: figures for figures in load.functions})

    def gone(self, gateway: str) -> None:
        self.left.append(gateway)
        self.loads.pop(gateway, None)

    def inflight(self, key: FunctionKey) -> int:
        return sum(figures.inflight for figures in self._of(key))

    def waiting(self, key: FunctionKey) -> int:
        return sum(figures.waiting for figures in self._of(key))

    def invocations(self, key: FunctionKey) -> int:
        return self.base.get(str(key), 0) + sum(row[0] for figures in self._of(key) for row in figures.codes.values())

    def begun(self, key: FunctionKey) -> int:
        return sum(figures.started for figures in self._of(key))

    def take_sides(self, key: FunctionKey) -> tuple[RevisionLoad, ...]:
        return self.sides.pop(str(key), ())

    def forget(self, key: FunctionKey) -> None:
        self.forgotten.append(key)
        self.base.pop(str(key), None)
        for load in self.loads.values():
            load.pop(str(key), None)

    def restore(self, totals: Mapping[str, int]) -> None:
        self.base = dict(totals)

    def totals(self) -> dict[str, int]:
        names = set(self.base) | {name for load in self.loads.values() for name in load}
        return {name: self.invocations(parse_function_key(name)) for name in names}

    def _of(self, key: FunctionKey) -> list[FunctionLoad]:
        return [load[str(key)] for load in self.loads.values() if str(key) in load]


class ListedLogs:
    """Keeps log lines in a list."""

    def __init__(self) -> None:
        self.lines: list[LogLine] = []

    def write(self, line: LogLine) -> None:
        self.lines.append(line)

    async def forget(self, namespace: NamespaceName) -> None:
        self.lines = [line for line in self.lines if line.key.namespace != namespace]


class ScriptedGateway:
    """A gateway that does what a test says. It keeps its table, and answers reports unless `mute`."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.table: dict[str, Entry] = {}
        self.routes: dict[str, RouteEntry] = {}
        self.heard: list[ToGateway] = []
        self.figures: dict[str, FunctionLoad] = {}
        self.mute = False
        self.cut = asyncio.Event()
        self._reading: asyncio.Task[None] | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def connect(self, path: Path, *, hello: bool = True) -> None:
        reader, self._writer = await asyncio.open_unix_connection(str(path))
        self._reading = asyncio.create_task(self._read(reader))
        if hello:
            self.send(Hello(gateway=self.name, boot="boot-1"))
            await until(lambda: self.heard, "a snapshot")

    async def disconnect(self) -> None:
        if self._writer is not None and self._reading is not None:
            self._writer.close()
            await asyncio.wait([self._reading])

    def send(self, message: ToControl) -> None:
        self.send_raw(self.encoded(message))

    def send_bytes(self, data: bytes) -> None:
        self.send_raw(len(data).to_bytes(4, "big") + data)

    def send_raw(self, data: bytes) -> None:
        assert self._writer is not None
        self._writer.write(data)

    @staticmethod
    def encoded(message: ToControl) -> bytes:
        data = msgspec.msgpack.encode(message)
        return len(data).to_bytes(4, "big") + data

    def demand(self, function: str, waiting: int = 1) -> None:
        self.send(Demand(function=function, waiting=waiting))

    def report(self, function: str, *, inflight: int = 0, waiting: int = 0, finished: int = 0) -> None:
        self.count(function, inflight=inflight, waiting=waiting, finished=finished)
        self.send(Load(functions=(self.figures[function],)))

    def count(self, function: str, *, inflight: int = 0, waiting: int = 0, finished: int = 0) -> None:
        codes: dict[int, tuple[int, float, tuple[int, ...]]] = {200: (finished, 0.1, (finished,))} if finished else {}
        self.figures[function] = FunctionLoad(function, inflight, waiting, finished + inflight + waiting, codes)

    def endpoints(self, function: str) -> list[str]:
        return [e.replica for e in self.table[function].endpoints] if function in self.table else []

    async def _read(self, reader: asyncio.StreamReader) -> None:
        try:
            while True:
                length = int.from_bytes(await reader.readexactly(4), "big")
                self._take(_TO_GATEWAY.decode(await reader.readexactly(length)))
        except (asyncio.IncompleteReadError, ConnectionError):
            self.cut.set()

    def _take(self, message: ToGateway) -> None:
        self.heard.append(message)
        if isinstance(message, Report):
            if not self.mute:
                self.send(Load(functions=tuple(self.figures.values()), id=message.id))
            return
        if isinstance(message, Snapshot):
            self.table = {f"{entry.name}.{entry.namespace}": entry for entry in message.entries}
            self.routes = {route.key: route for route in message.routes}
        if isinstance(message, Delta):
            self.table.update({f"{entry.name}.{entry.namespace}": entry for entry in message.changed})
            for name in message.removed:
                self.table.pop(name, None)
            self.routes.update({route.key: route for route in message.routes})
            for name in message.unrouted:
                del self.routes[name]


class Rig:
    """A control plane and everything around it."""

    def __init__(self, folder: Path) -> None:
        self.clock = ManualClock()
        self.store = MemoryStore()
        self.secrets = MemorySecrets()
        self.tenancy = AnyTenancy(self.store)
        self.routes = MemoryRoutes(lambda: self.store.broken)
        self.budgets = MemoryThings(Budget, lambda: self.store.broken)
        self.provider = FakeProvider(call_later=lambda s, act: self.clock.call_at(self.clock.now() + s, act))
        self.blobs = AnyBlobs(folder / "blobs")
        self.preparer = ScriptedPreparer()
        self.meter = SimpleMeter()
        self.logs = ListedLogs()
        self.link = folder / "link.sock"
        self.ledger = MemoryLedger()
        self.plane = self.new_plane()
        self._gateways: list[ScriptedGateway] = []

    def new_plane(self) -> ControlPlane:
        return ControlPlane(
            store=self.store,
            secrets=self.secrets,
            tenancy=self.tenancy,
            routes=self.routes,
            budgets=self.budgets,
            ledger=self.ledger,
            provider=self.provider,
            blobs=self.blobs,
            preparer=self.preparer,
            meter=self.meter,
            logs=self.logs,
            link_socket=self.link,
            gateway_url="http://127.0.0.1:8080",
            clock=self.clock,
            ceilings=CEILINGS,
        )

    async def restart(self) -> None:
        """Stop the control plane and start another on what it left."""
        await self.plane.stop()
        self.meter = SimpleMeter()
        self.plane = self.new_plane()
        await self.plane.start()

    async def gateway(self, name: str = "gw0") -> ScriptedGateway:
        gateway = self.make_gateway(name)
        await gateway.connect(self.link)
        return gateway

    def make_gateway(self, name: str) -> ScriptedGateway:
        """A gateway that is not connected yet."""
        gateway = ScriptedGateway(name)
        self._gateways.append(gateway)
        return gateway

    async def deployed(self, name: str = "hello", **fields: object) -> FunctionKey:
        """Deploy and wait until the revision is ready; the namespace is made where there is none."""
        spec = make_spec(name, **fields)
        if spec.key.namespace not in self.plane.namespaces.names():
            await self.plane.namespaces.create(spec.key.namespace, NamespaceChange())
        await self.plane.deploy(spec, mode="upsert")
        await until(lambda: self.state(spec.key) == "ready", f"{name} is ready")
        await until(
            lambda: all(g.endpoints(str(spec.key)) for g in self._gateways if not g.cut.is_set()), "gateways know"
        )
        return spec.key

    async def at_zero(self, name: str = "hello", **fields: object) -> FunctionKey:
        """Deploy, and let it go to zero."""
        key = await self.deployed(name, **fields)
        self.clock.advance(901)
        self.clock.advance(1)
        await until(lambda: not self.running(key), f"{name} is at zero")
        return key

    def state(self, key: FunctionKey) -> str:
        from dayfly.control.statuses import state_of

        return state_of(self.plane._reconciler.machine(key), self.clock.now())

    def running(self, key: FunctionKey) -> list[str]:
        return [replica for replica, fake in self.provider.replicas.items() if fake.order.key == key]

    until = staticmethod(until)
    rounds = staticmethod(rounds)

    async def close(self) -> None:
        for machine in self.plane._reconciler.machines.values():
            validate(machine, self.clock.now())
        for gateway in self._gateways:
            await gateway.disconnect()
        await self.plane.stop()


def make_spec(name: str = "hello", **fields: object) -> FunctionSpec:
    return msgspec.convert({"name": name, "bundle": BUNDLE, **fields}, FunctionSpec)


Story = Callable[[Rig], Awaitable[None]]
Play = Callable[[Story], None]


@pytest.fixture
def play(tmp_path: Path) -> Play:
    """Start a control plane, let the story happen, check every invariant, and stop."""

    def run(story: Story) -> None:
        async def main() -> None:
            rig = Rig(tmp_path)
            await rig.plane.start()
            try:
                await story(rig)
            finally:
                await rig.close()

        asyncio.run(main())

    return run
