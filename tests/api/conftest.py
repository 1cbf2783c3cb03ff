"""The API on a stage: its three apps in this process, over a control plane that only remembers what it is told."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import dataclasses
import io
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import unquote

import msgspec
import pytest
from tests.api.memory_history import MemoryHistory
from tests.api.memory_machine import MemoryMachine

from dayfly.api.asgi import ListenerApp
from dayfly.api.credentials import Credentials
from dayfly.api.services import DeployMode, InstanceInfo, Services
from dayfly.build.builder import Builder
from dayfly.build.context import File
from dayfly.build.pack import pack
from dayfly.control.budgets import Budgets
from dayfly.control.built_images import BuiltImages
from dayfly.control.clock import ManualClock
from dayfly.control.images import Images
from dayfly.control.namespaces import Namespaces
from dayfly.control.quotas import Quotas
from dayfly.control.refusals import not_kept
from dayfly.control.routes import Routes
from dayfly.control.saved_queries import SavedQueries
from dayfly.control.secrets import Secrets
from dayfly.control.sequence import Sequence
from dayfly.control.store_images import StoreImages
from dayfly.control.tokens import Tokens
from dayfly.control.triggers import Triggers
from dayfly.decide.flow_plan import Order
from dayfly.events.firing import Firing
from dayfly.events.flows.engine import Engine
from dayfly.events.flows.flows import Flows
from dayfly.events.flows.runs import Runs
from dayfly.events.intake import Intake
from dayfly.events.runner import Runner
from dayfly.model.allowance import Used
from dayfly.model.apart import Apart
from dayfly.model.budget import Budget, BudgetStanding, BudgetStatus
from dayfly.model.cost import Prices
from dayfly.model.direct import DirectAnswer, DirectCall
from dayfly.model.engine import EngineState
from dayfly.model.errors import Conflict, DayflyError, InvalidRequest, LimitExceeded, NotFound, PayloadTooLarge
from dayfly.model.flow import Flow
from dayfly.model.flow_run import Ended, Failed, FlowRun
from dayfly.model.function import Function, FunctionSpec, Revision
from dayfly.model.invocation import Invocation, RecordQuery
from dayfly.model.names import BundleDigest, FunctionKey, NamespaceName, parse_namespace
from dayfly.model.namespace import NamespaceChange
from dayfly.model.notice import Letter, Notice
from dayfly.model.payload import CallPayload
from dayfly.model.queued import CallState, CallStatus, QueueFigures
from dayfly.model.reach import Reach
from dayfly.model.receiver import Receiver
from dayfly.model.report import ErrorRow
from dayfly.model.rollout import Canary, Verdict
from dayfly.model.rollup import Rollup
from dayfly.model.route_entry import RouteEntry
from dayfly.model.status import FunctionStatus, ReplicaStatus, RevisionStatus
from dayfly.model.table import Endpoint
from dayfly.observe.alerts.alerts import Alerts
from dayfly.observe.alerts.book import Book
from dayfly.observe.alerts.past_alerts import AlertFile, PastAlerts
from dayfly.observe.alerts.readings import Looks, Sources
from dayfly.observe.alerts.senders import Senders
from dayfly.observe.alerts.telling import Telling
from dayfly.observe.alerts.watch import Watch
from dayfly.observe.alerts.way import NotSent
from dayfly.observe.failures import FailureQuery
from dayfly.observe.logs import LogStore
from dayfly.observe.meter import Meter
from dayfly.observe.query.catalogue import named_in
from dayfly.observe.query.order import Asker, Bounds, Form
from dayfly.observe.query.ready_made import READY_MADE
from dayfly.observe.query.runner import Found, Inventory
from dayfly.observe.reports.desk import Reports
from dayfly.observe.reports.gathering import Facts
from dayfly.observe.rollup_sums import RollupSums
from dayfly.observe.rollups import RollupQuery
from dayfly.queue.questions import Figures
from dayfly.server.apps import Apps, build_apps
from dayfly.storage.memory_flow_runs import MemoryRuns
from dayfly.storage.memory_queries import MemoryQueries as StoredQueries
from dayfly.storage.memory_routes import MemoryRoutes
from dayfly.storage.memory_tenancy import MemoryTenancy
from dayfly.storage.memory_things import MemoryThings
from dayfly.storage.memory_triggers import MemoryTriggers
from dayfly.storage.memory_watch import MemoryWatch
from dayfly.storage.secrets.memory import MemorySecrets

DEADLINE_S = 60.0
TOKEN = "t" * 43
PASSWORD = "correct horse battery"
BUNDLE = "sha256:" + "a" * 64
REACH = Reach(endpoints=("mqtt.example.org:1883",), folders=("/srv/inbox",))
BEARER = {"authorization": f"Bearer {TOKEN}"}
BASIC = {"authorization": "Basic " + base64.b64encode(f"admin:{PASSWORD}".encode()).decode()}


@dataclasses.dataclass
class Answer:
    """What an app sent."""

    status: int
    header_list: list[tuple[bytes, bytes]]
    body: bytes

    @property
    def headers(self) -> dict[str, str]:
        return {name.decode(): value.decode("latin-1") for name, value in self.header_list}

    def json(self) -> Any:
        return json.loads(self.body)


class Talk:
    """One request to an app, fed and read message by message."""

    def __init__(self, app: ListenerApp, method: str, target: str, headers: dict[str, str], body: list[bytes]) -> None:
        path, _, query = target.partition("?")
        scope: dict[str, Any] = {
            "type": "http", "asgi": {"version": "3.0", "spec_version": "2.3"}, "http_version": "1.1",
            "method": method, "scheme": "http", "path": unquote(path), "raw_path": path.encode(),
            "query_string": query.encode(), "root_path": "", "client": None, "server": ("127.0.0.1", 8080),
            "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()],
        }  # fmt: skip
        self.sent: asyncio.Queue[Any] = asyncio.Queue()
        self._body = list(body)
        self._cut = False
        self.left = asyncio.Event()
        self.task = asyncio.create_task(app(scope, self._receive, self.sent.put))

    async def _receive(self) -> dict[str, Any]:
        if self._body:
            piece = self._body.pop(0)
            return {"type": "http.request", "body": piece, "more_body": bool(self._body) or self._cut}
        await self.left.wait()
        return {"type": "http.disconnect"}

    def cut_after_body(self) -> None:
        """Let the client go away when it has sent the pieces given, with more announced."""
        self._cut = True
        self.left.set()

    async def message(self) -> Any:
        async with asyncio.timeout(DEADLINE_S):
            return await self.sent.get()

    async def whole(self) -> Answer:
        async with asyncio.timeout(DEADLINE_S):
            await self.task
        start, *rest = [self.sent.get_nowait() for _ in range(self.sent.qsize())]
        return Answer(start["status"], start["headers"], b"".join(message["body"] for message in rest))


class MemoryQueries:
    """Answers every query with what it was told with it."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, str | None]] = []

    def named(self, sql: str, asker: Asker) -> frozenset[str]:
        return named_in(sql) & asker.tables

    async def run(
        self, sql: str, form: Form, bounds: Bounds, *, asker: Asker, inventory: Inventory,
        raw: bool = False,
    ) -> Found:  # fmt: skip
        del raw
        self.asked.append((sql, form, asker.namespace))
        file = io.BytesIO(json.dumps(dict(inventory)).encode())
        return Found(file, len(file.getvalue()), 1, bounds.cuts and bounds.rows == 1)


class MemorySpending:
    """Knows what it was told that functions used, and which hours it was asked for."""

    def __init__(self) -> None:
        self.of: dict[FunctionKey, Used] = {}
        self.asked: list[tuple[str, int, int]] = []

    async def used(self, namespace: NamespaceName, since_hour: int, until_hour: int) -> dict[FunctionKey, Used]:
        self.asked.append((namespace, since_hour, until_hour))
        return {key: used for key, used in self.of.items() if key.namespace == namespace}

    def standing(self, budget: Budget) -> BudgetStanding:
        allowances = tuple(
            BudgetStatus(
                namespace=budget.spec.namespace, function=budget.spec.function, measure=each.measure,
                period=each.period, amount=each.amount, used=0.0, state="within", ends_unix_ms=0, budget=each.budget,
            )
            for each in budget.spec.allowances.all
        )  # fmt: skip
        return BudgetStanding(**msgspec.structs.asdict(budget), allowances=allowances)


class MemoryPlane:
    """Keeps functions in a dict, and what it was asked in a list."""

    def __init__(self) -> None:
        self.functions: dict[FunctionKey, FunctionStatus] = {}
        self.history: dict[FunctionKey, list[Revision]] = {}
        self.canary: Canary | None = None
        self.rollouts: dict[tuple[FunctionKey, Verdict], int] = {}
        self.changes: list[str] = []
        self.fault: Exception | None = None
        self.refreshed = 0

    async def deploy(self, spec: FunctionSpec, *, mode: DeployMode, canary: Canary | None = None) -> FunctionStatus:
        spec.check()
        if self.fault:
            raise self.fault
        present = self.functions.get(spec.key)
        if present and mode == "create":
            raise Conflict(f"{spec.key} exists")
        if not present and mode == "update":
            raise NotFound(f"{spec.key} is not there")
        number = present.revision + 1 if present else 1
        replicas = max(spec.scaling.minimum, 1)
        self.functions[spec.key] = FunctionStatus(
            spec=spec, revision=number, state="ready", desired_replicas=replicas, ready_replicas=replicas,
            invocations=7, created_unix_ms=1_700_000_000_123, updated_unix_ms=1_700_000_000_123,
            url=f"http://127.0.0.1:8080/function/{spec.name}",
            replicas=(ReplicaStatus(id="r" * 10, phase="ready", revision=number, started_unix_ms=1, cpu_s=0.5,
                                    memory_bytes=1024),),
        )  # fmt: skip
        self.history.setdefault(spec.key, []).insert(0, Revision(number=number, spec=spec, created_unix_ms=1))
        self.canary = canary
        self.changes.append(f"deploy {spec.key} {mode}")
        return self.functions[spec.key]

    def wanted(self) -> list[Function]:
        return [Function(key=key, revision=kept[0], created_unix_ms=1) for key, kept in self.history.items()]

    async def remove(self, key: FunctionKey) -> None:
        await self.status(key)
        del self.functions[key], self.history[key]
        self.changes.append(f"remove {key}")

    async def scale(self, key: FunctionKey, replicas: int | None) -> FunctionStatus:
        if replicas is not None and not 0 <= replicas <= 1000:
            raise InvalidRequest(f"replicas: {replicas}")
        before = await self.status(key)
        self.functions[key] = msgspec.structs.replace(
            before, desired_replicas=1 if replicas is None else replicas, ready_replicas=replicas or 0
        )
        self.changes.append(f"scale {key} {replicas}")
        return self.functions[key]

    async def status(self, key: FunctionKey) -> FunctionStatus:
        if self.fault:
            raise self.fault
        if key not in self.functions:
            raise NotFound(f"there is no function {key}")
        return self.functions[key]

    async def statuses(self, namespace: NamespaceName, *, lively: bool = False) -> list[FunctionStatus]:
        del lively  # all of them were called
        return [status for key, status in sorted(self.functions.items()) if key.namespace == namespace]

    def newest(self, key: FunctionKey) -> Revision:
        if key not in self.history:
            raise NotFound(f"there is no function {key}")
        return self.history[key][0]

    async def revisions(self, key: FunctionKey) -> list[RevisionStatus]:
        serving = (await self.status(key)).revision
        return [
            RevisionStatus(
                number=one.number, spec=one.spec, created_unix_ms=one.created_unix_ms,
                role="serving" if one.number == serving else "kept",
            )
            for one in self.history[key]
        ]  # fmt: skip

    @contextlib.asynccontextmanager
    async def apart(self, key: FunctionKey, revision: int) -> AsyncIterator[Apart]:
        kept = [one.number for one in self.history[key]]
        if revision not in kept:
            raise not_kept(key, revision, kept)
        self.changes.append(f"use {key} {revision}")
        yield Apart(endpoint=Endpoint("lone", "unix:/lone", revision), timeout_s=9.0)
        self.changes.append(f"leave {key} {revision}")

    async def rollback(self, key: FunctionKey, to: int | None = None, canary: Canary | None = None) -> FunctionStatus:
        before = await self.status(key)
        wanted = before.revision - 1 if to is None else to
        found = next((one for one in self.history[key] if one.number == wanted), None)
        if found is None:
            raise NotFound(f"there is no revision {wanted} of {key}")
        self.functions[key] = msgspec.structs.replace(before, revision=found.number, spec=found.spec)
        self.canary = canary
        self.changes.append(f"rollback {key} {to}")
        return self.functions[key]

    async def promote(self, key: FunctionKey) -> FunctionStatus:
        status = await self.status(key)
        if self.canary is None:
            raise Conflict(f"no canary of {key} is under way")
        self.canary = None
        self.changes.append(f"promote {key}")
        return status

    async def refresh_load(self) -> None:
        self.refreshed += 1

    def gateways(self) -> int:
        return 2


class MemoryReconciler:
    """Has no function, and keeps what it is told in a list."""

    def __init__(self) -> None:
        self.machines: dict[FunctionKey, Any] = {}
        self.told: list[Any] = []

    def tell(self, key: FunctionKey, event: Any) -> None:
        self.told.append((key, event))


class MemoryBundles:
    """Counts what it is sent, and has what it was told to have; every namespace has BUNDLE."""

    def __init__(self) -> None:
        self.kept: dict[tuple[str, str], bytes] = {}

    async def put(
        self, namespace: NamespaceName, digest: BundleDigest, chunks: AsyncIterator[bytes], limit_bytes: int
    ) -> int:
        data = b""
        async for chunk in chunks:
            data += chunk
            if len(data) > limit_bytes:
                raise PayloadTooLarge("the bundle is too large")
        self.kept[namespace, digest] = data
        return len(data)

    async def has(self, namespace: NamespaceName, digest: BundleDigest) -> bool:
        return digest == BUNDLE or (namespace, digest) in self.kept

    async def read(self, namespace: NamespaceName, digest: BundleDigest) -> bytes:
        if digest == BUNDLE:
            return pack({"handler.py": File(b"")})[0]
        if (namespace, digest) not in self.kept:
            raise NotFound(f"the bundle {digest} is not here")
        return self.kept[namespace, digest]


class MemoryQueue:
    """Has the calls that a test puts into it, and does with them what it is told."""

    def __init__(self) -> None:
        self.calls: dict[str, CallStatus] = {}
        self.changes: list[str] = []
        self.news: list[CallStatus] = []
        """How a call stands after each further look."""

    def add(self, call_id: str, namespace: str, state: CallState = "dead", **fields: Any) -> CallStatus:
        self.calls[call_id] = CallStatus(
            id=call_id, function=f"hello.{namespace}", namespace=namespace, state=state, attempts=1,
            accepted_unix_ms=1, **fields,
        )  # fmt: skip
        return self.calls[call_id]

    async def status(self, call_id: str, wait_s: float = 0.0) -> CallStatus:
        if call_id not in self.calls:
            raise NotFound(f"there is no call {call_id}")
        if wait_s:
            self.changes.append(f"wait {call_id} {wait_s:g}")
        return self.calls[call_id]

    async def changed(self, call_id: str, seen: CallStatus, wait_s: float) -> CallStatus:
        if call_id not in self.calls:
            raise NotFound(f"there is no call {call_id}")
        assert wait_s > 0
        assert seen.id == call_id
        return self.news.pop(0)

    async def cancel(self, call_id: str) -> CallStatus:
        self.changes.append(f"cancel {call_id}")
        return self.calls[call_id]

    async def listed(
        self, namespaces: Iterable[str] | None, state: str = "", function: str = "", limit: int = 100
    ) -> list[CallStatus]:
        seen = None if namespaces is None else set(namespaces)
        found = [each for each in self.calls.values() if seen is None or each.namespace in seen]
        return [each for each in found if state in ("", each.state) and function in ("", each.function)][:limit]

    async def redrive(self, call_ids: Iterable[str]) -> int:
        self.changes += (asked := [f"redrive {call_id}" for call_id in call_ids])
        return len(asked)

    async def purge(self, call_ids: Iterable[str]) -> int:
        self.changes += (asked := [f"purge {call_id}" for call_id in call_ids])
        return len(asked)

    async def figures(self) -> Figures:
        return Figures(
            (QueueFigures(function="hello.team", pending=3, inflight=2, dead=1, submitted=9, processed={"done": 4}),),
            is_up=True, reconnects=5,
        )  # fmt: skip


class FlowCalls:
    """Answers what flows call with what a test says; what it says nothing about goes on for ever."""

    def __init__(self) -> None:
        self.missing = ""
        self.answers: dict[str, Any] = {}
        """By the name of the function."""
        self.made: list[Order] = []
        self.cancelled: list[str] = []

    async def make(self, run: FlowRun, order: Order, accepted: Callable[[str], None]) -> Ended | Failed:
        del run
        self.made.append(order)
        accepted(f"call {order.path}")
        if order.function not in self.answers:
            await asyncio.Event().wait()
        return Ended(path=order.path, attempt=order.attempt, result=self.answers[order.function])

    async def cancel(self, call_id: str) -> None:
        self.cancelled.append(call_id)

    async def release(self, call_id: str) -> None:
        del call_id


class MemoryRecords:
    """Has the records that a test puts into it, and keeps what it was asked."""

    def __init__(self) -> None:
        self.dropped: dict[str, int] = {"rate": 3}
        self.calls: list[Invocation] = []
        self.asked: list[RecordQuery] = []
        self.asked_rollups: list[RollupQuery] = []
        self.kept: dict[tuple[str, str], list[CallPayload]] = {}

    async def flush(self) -> None:
        pass

    def add(self, call_id: str, namespace: str, **fields: Any) -> Invocation:
        given: dict[str, Any] = {
            "trigger": "http", "method": "GET", "path": "/", "started_unix_ms": 1_000, "status": 200, **fields,
        }  # fmt: skip
        number = len(self.calls) + 1
        self.calls.append(Invocation(number=number, id=call_id, function="hello", namespace=namespace, **given))
        return self.calls[-1]

    async def find(self, query: RecordQuery) -> list[Invocation]:
        self.asked.append(query)
        return [each for each in reversed(self.calls) if each.namespace == query.namespace][: query.limit]

    async def of_id(self, call_id: str) -> list[Invocation]:
        return [each for each in self.calls if each.id == call_id]

    async def payloads(self, namespace: str, call_id: str) -> list[CallPayload]:
        return self.kept.get((namespace, call_id), [])

    async def rolled_up(self, query: RollupQuery) -> list[Rollup]:
        self.asked_rollups.append(query)
        return []

    async def failures(self, query: FailureQuery) -> list[ErrorRow]:
        del query
        return []

    async def summed(self, query: RollupSums) -> list[Rollup]:
        del query
        return []


class MemoryCalls:
    """Answers calls for the console as it is told to, once `gate` is open, and remembers them."""

    def __init__(self) -> None:
        self.made: list[tuple[str, DirectCall, bytes, str, str]] = []
        self.triggers: list[str] = []
        self.apart: list[Apart | None] = []
        self.answer = DirectAnswer(status=200, headers=(), call_id="c", seconds=0.5, of_function=True)
        self.body = b""
        self.gate = asyncio.Event()
        self.gate.set()
        self.called = asyncio.Event()
        self.given_up = 0
        self.full = False
        self.seated: list[str] = []

    @contextlib.contextmanager
    def seat(self, namespace: NamespaceName) -> Iterator[None]:
        if self.full:
            raise LimitExceeded("no seat is free")
        self.seated.append(namespace)
        yield
        self.seated.remove(namespace)

    async def call(
        self,
        key: FunctionKey,
        call: DirectCall,
        body: bytes,
        *,
        call_id: str,
        peer: str,
        trigger: str = "console",
        apart: Apart | None = None,
    ) -> tuple[DirectAnswer, bytes]:
        self.made.append((str(key), call, body, call_id, peer))
        self.triggers.append(trigger)
        self.apart.append(apart)
        self.called.set()
        try:
            await self.gate.wait()
        except asyncio.CancelledError:
            self.given_up += 1
            raise
        return self.answer, self.body


class MemoryPreparer:
    """Installs nothing, or fails as it is told to."""

    def __init__(self) -> None:
        self.prepared: list[FunctionSpec] = []
        self.fault: Exception | None = None

    async def prepare(self, spec: FunctionSpec) -> None:
        if self.fault:
            raise self.fault
        self.prepared.append(spec)


class MemoryDockerfiles:
    """An engine that builds nothing and says so, once there is one."""

    def __init__(self) -> None:
        self.missing = "none is here"
        self.built: list[tuple[str, bytes, dict[str, str]]] = []
        self.fault: Exception | None = None

    def why_none(self) -> str:
        return self.missing

    async def build(self, image: str, archive: bytes, args: Mapping[str, str]) -> AsyncIterator[str]:
        self.built.append((image, archive, dict(args)))
        yield "Step 1/1 : FROM scratch"
        if self.fault:
            raise self.fault


class Planted:
    """The plane's functions, as things that keep a namespace from being removed."""

    kind = "functions"

    def __init__(self, plane: MemoryPlane) -> None:
        self._plane = plane

    async def inside(self, namespace: NamespaceName) -> list[str]:
        return [status.spec.name for status in await self._plane.statuses(namespace)]

    async def clear(self, namespace: NamespaceName) -> None:
        for status in await self._plane.statuses(namespace):
            await self._plane.remove(status.spec.key)


class Deployed:
    """The plane's functions, as the lifecycles that routes ask for."""

    def __init__(self, plane: MemoryPlane) -> None:
        self._plane = plane

    def get(self, key: FunctionKey) -> Any:
        return SimpleNamespace(removed=False) if key in self._plane.functions else None


class Announced:
    """Where routes are announced: nowhere."""

    routes: Callable[[], tuple[RouteEntry, ...]] = tuple

    def routed(self, entry: RouteEntry) -> None:
        del entry

    def unrouted(self, namespace: NamespaceName, name: str) -> None:
        del namespace, name


class MemoryVault:
    """Keeps what receivers keep secret."""

    def __init__(self) -> None:
        self.kept: dict[tuple[str, str], bytes] = {}

    async def keep(self, namespace: str, name: str, content: bytes) -> None:
        self.kept[namespace, name] = content

    async def read(self, namespace: str, name: str) -> bytes | None:
        return self.kept.get((namespace, name))

    async def drop(self, namespace: str, name: str) -> None:
        self.kept.pop((namespace, name), None)


class MemorySenders(Senders):
    """Sends nothing, and keeps what it was to send; `refusal` is why it cannot."""

    def __init__(self) -> None:
        self.told: list[tuple[Receiver, Notice]] = []
        self.letters: list[tuple[Receiver, Letter]] = []
        self.refusal = ""

    async def tell(self, receiver: Receiver, notice: Notice) -> str:
        if self.refusal:
            raise NotSent(self.refusal)
        self.told.append((receiver, notice))
        return ""

    async def post(self, receiver: Receiver, letter: Letter) -> str:
        if self.refusal:
            raise NotSent(self.refusal)
        self.letters.append((receiver, letter))
        return ""


@dataclasses.dataclass
class StageAlerts:
    """The parts of alerts, over what a test says that figures are."""

    book: Book
    watch: Watch
    telling: Telling
    senders: MemorySenders
    vault: MemoryVault
    store: MemoryWatch
    past: PastAlerts
    alerts: Alerts
    kind = "alert rules and receivers"

    async def open(self) -> None:
        await self.alerts.open()

    async def inside(self, namespace: NamespaceName) -> list[str]:
        return await self.alerts.inside(namespace)

    async def clear(self, namespace: NamespaceName) -> None:
        await self.alerts.clear(namespace)


def stage_alerts(
    clock: ManualClock, plane: MemoryPlane, namespaces: Namespaces, queue: MemoryQueue, records: MemoryRecords,
    past: PastAlerts,
) -> StageAlerts:  # fmt: skip
    """Return alerts that look at the stage's plane, queue and records."""
    store, vault, senders = MemoryWatch(), MemoryVault(), MemorySenders()
    book = Book(store, vault, namespaces.check_open, clock)
    sources = Sources(
        functions=plane.wanted, namespaces=namespaces.names, statuses=plane.statuses, exits=dict, budgets=list,
        queue=queue.figures, sums=records.summed, disk=lambda: 0.5, certificates=dict,
    )  # fmt: skip
    watch = Watch(book, Looks(sources, clock.unix_ms, clock.now), store, clock)
    telling = Telling(book, watch, senders, store, clock, "http://127.0.0.1:8081")
    alerts = Alerts(book, watch, telling, senders, past, clock, 15.0)
    return StageAlerts(book, watch, telling, senders, vault, store, past, alerts)


class Taken:
    """A queue that keeps what it is given, once a key, or refuses as it is told to."""

    def __init__(self) -> None:
        self.firings: dict[tuple[str, str], Firing] = {}
        self.refusal: DayflyError | None = None

    async def __call__(self, firing: Firing) -> None:
        if self.refusal is not None:
            raise self.refusal
        self.firings.setdefault((str(firing.function), firing.key), firing)


@dataclasses.dataclass
class Stage:
    """Everything a test may look at."""

    plane: MemoryPlane
    secrets: Secrets
    kept: MemorySecrets
    namespaces: Namespaces
    routes: Routes
    triggers: Triggers
    runner: Runner
    fired: Taken
    tokens: Tokens
    clock: ManualClock
    bundles: MemoryBundles
    logs: LogStore
    meter: Meter
    credentials: Credentials
    services: Services
    apps: Apps
    queue: MemoryQueue
    calls: FlowCalls
    """What flows call."""
    run_log: MemoryRuns
    flow_engine: Engine
    records: MemoryRecords
    builder: Builder
    preparer: MemoryPreparer
    dockerfiles: MemoryDockerfiles
    engine: list[EngineState]
    """Holds what the installation says of its container engine; empty is to say nothing."""
    direct: MemoryCalls
    alerts: StageAlerts
    team = parse_namespace("team")
    bearer = BEARER
    basic = BASIC
    bundle = BUNDLE

    def talk(
        self, method: str, target: str, *, app: str = "public", headers: dict[str, str] | None = None,
        body: bytes | list[bytes] = b"",
    ) -> Talk:  # fmt: skip
        pieces = body if isinstance(body, list) else [body]
        return Talk(getattr(self.apps, app), method, target, headers or {}, pieces)

    async def ask(
        self, method: str, target: str, *, app: str = "public", headers: dict[str, str] | None = None,
        body: bytes | list[bytes] = b"", data: object = None,
    ) -> Answer:  # fmt: skip
        """Ask as the administrator, unless other headers are given."""
        if data is not None:
            body = json.dumps(data).encode()
        return await self.talk(
            method, target, app=app, headers=BEARER if headers is None else headers, body=body
        ).whole()

    async def deploy(self, name: str = "hello", **fields: object) -> FunctionStatus:
        """Deploy a function; its namespace is made where there is none."""
        spec = msgspec.convert({"name": name, "bundle": BUNDLE, **fields}, FunctionSpec)
        if spec.key.namespace not in self.namespaces.names():
            await self.namespaces.create(spec.key.namespace, NamespaceChange())
        return await self.plane.deploy(spec, mode="upsert")


Story = Callable[[Stage], Awaitable[None]]
Play = Callable[[Story], None]


@pytest.fixture(scope="session")
def admin_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A credential file made once: its hash is meant to be slow."""
    path = tmp_path_factory.mktemp("credentials") / "admin.json"
    Credentials(path, TOKEN, password=PASSWORD)
    return path


@pytest.fixture
def play(tmp_path: Path, admin_file: Path) -> Play:
    """Build the apps, let the story happen, close."""

    async def main(story: Story) -> None:
        plane, bundles, meter, kept = MemoryPlane(), MemoryBundles(), Meter(), MemorySecrets()
        queue, records = MemoryQueue(), MemoryRecords()
        clock, tenancy, direct = ManualClock(), MemoryTenancy(), MemoryCalls()
        namespaces = Namespaces(tenancy, Quotas({}), clock)
        secrets = Secrets(kept, Sequence(), namespaces.check_open, clock)
        reconciler: Any = MemoryReconciler()
        await secrets.start(reconciler)
        namespaces.house(Planted(plane))
        namespaces.house(secrets)
        await namespaces.open()
        tokens = Tokens(tenancy, b"k" * 32, clock)
        namespaces.on_removed.append(tokens.forget)
        logs = LogStore(tmp_path / "logs.db")
        await logs.open()
        credentials = Credentials(admin_file, TOKEN, tokens=tokens)
        engine: list[EngineState] = []
        info = InstanceInfo(
            provider="local", gateway_url="http://127.0.0.1:8080", console_url="http://127.0.0.1:8081",
            metrics_url="http://127.0.0.1:8082", architecture="x86_64",
            engine=lambda: engine[0] if engine else EngineState(reason="this installation looks for none"),
        )  # fmt: skip
        preparer, dockerfiles = MemoryPreparer(), MemoryDockerfiles()
        builder = Builder(
            b"b" * 32, tmp_path / "incoming", namespaces=namespaces.names, bundles=bundles, built=tenancy,
            preparer=preparer, dockerfiles=dockerfiles, unix_ms=clock.unix_ms,
        )  # fmt: skip
        spending = MemorySpending()
        images = Images(sources=[BuiltImages(tenancy, bundles)], store=StoreImages(bundles, info.engine))
        machines: Any = Deployed(plane)
        routes = Routes(MemoryRoutes(), kept, Announced(), clock, machines)
        routes.join(namespaces, secrets)
        flow_calls, run_log = FlowCalls(), MemoryRuns()
        engine_of_flows = Engine(run_log, flow_calls, clock)
        flows = Flows(MemoryThings(Flow), engine_of_flows, run_log, namespaces.check_open, clock)
        namespaces.house(flows)
        runs = Runs(flows, engine_of_flows, run_log, flow_calls, namespaces.check_open, clock)
        fired = Taken()
        triggers = Triggers(MemoryTriggers(), plane.wanted, REACH, clock)
        triggers.has_flow = flows.has
        runner = Runner(
            triggers.all, plane.wanted, kept.contents, fired, clock, begin=runs.begin, has_flow=flows.has
        )  # fmt: skip
        intake = Intake(triggers, runner, kept.contents, clock)
        triggers.join(namespaces, secrets)
        triggers.standing = runner.standing
        triggers.on_change.append(runner.look)
        past = PastAlerts(AlertFile(tmp_path / "alerts.db"))
        await past.open()
        alerts = stage_alerts(clock, plane, namespaces, queue, records, past)
        await alerts.open()
        namespaces.house(alerts)
        facts = Facts(
            namespaces=namespaces.names, sums=records.summed, failures=records.failures, used=spending.used,
            alerts=past, prices=Prices(call=0.5, currency="EUR"),
        )  # fmt: skip
        reports = Reports(alerts.store, facts, alerts.alerts, namespaces.check_open, clock)
        namespaces.house(reports)
        services = Services(
            plane=plane, secrets=secrets, namespaces=namespaces, routes=routes, triggers=triggers, intake=intake,
            alerts=alerts.alerts, reports=reports, tokens=tokens, logs=logs, meter=meter,
            bundles=bundles, images=images, builder=builder, info=info, queue=queue, direct=direct,
            budgets=Budgets(MemoryThings(Budget), namespaces, clock),
            spending=spending, prices=Prices(call=0.5, currency="EUR"), records=records, flows=flows, runs=runs,
            query=MemoryQueries(), history=MemoryHistory(lambda: plane.functions), machine=MemoryMachine(),
            saved_queries=SavedQueries(StoredQueries(), READY_MADE, clock),
        )  # fmt: skip
        apps = build_apps(services, credentials)
        try:
            stage = Stage(
                plane,
                secrets,
                kept,
                namespaces,
                routes,
                triggers,
                runner,
                fired,
                tokens,
                clock,
                bundles,
                logs,
                meter,
                credentials,
                services,
                apps,
                queue,
                flow_calls,
                run_log,
                engine_of_flows,
                records,
                builder,
                preparer,
                dockerfiles,
                engine,
                direct,
                alerts,
            )
            await story(stage)
        finally:
            await alerts.telling.close()
            await past.close()
            await engine_of_flows.close()
            await logs.close()

    return lambda story: asyncio.run(main(story))
