"""The API on a stage: its three apps in this process, over a control plane that only remembers what it is told."""

from __future__ import annotations

import asyncio
import base64
import dataclasses
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import msgspec
import pytest

from dayfly.api.asgi import ListenerApp
from dayfly.api.credentials import Credentials
from dayfly.api.services import DeployMode, InstanceInfo
from dayfly.model.errors import Conflict, InvalidRequest, NotFound, PayloadTooLarge
from dayfly.model.function import FunctionSpec, Revision
from dayfly.model.names import DEFAULT_NAMESPACE, BundleDigest, FunctionKey, NamespaceName
from dayfly.model.rollout import Canary, Verdict
from dayfly.model.status import FunctionStatus, ReplicaStatus, RevisionStatus
from dayfly.observe.logs import LogStore
from dayfly.observe.meter import Meter
from dayfly.server.apps import Apps, build_apps

DEADLINE_S = 10.0
TOKEN = "t" * 43
PASSWORD = "correct horse battery"
BUNDLE = "sha256:" + "a" * 64
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


class MemoryPlane:
    """Keeps functions in a dict, and what it was asked in a list."""

    def __init__(self) -> None:
        self.functions: dict[FunctionKey, FunctionStatus] = {}
        self.history: dict[FunctionKey, list[Revision]] = {}
        self.canary: Canary | None = None
        self.rollouts: dict[tuple[FunctionKey, Verdict], int] = {}
        self.changes: list[str] = []
        self.fault: Exception | None = None

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

    async def statuses(self, namespace: NamespaceName) -> list[FunctionStatus]:
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

    async def namespaces(self) -> list[NamespaceName]:
        return sorted({DEFAULT_NAMESPACE, *(key.namespace for key in self.functions)})

    def gateways(self) -> int:
        return 2


class MemoryBundles:
    """Counts what it is sent, and has what it was told to have."""

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {BUNDLE: b""}

    async def put(self, digest: BundleDigest, chunks: AsyncIterator[bytes], limit_bytes: int) -> int:
        data = b""
        async for chunk in chunks:
            data += chunk
            if len(data) > limit_bytes:
                raise PayloadTooLarge("the bundle is too large")
        self.kept[digest] = data
        return len(data)

    def has(self, digest: BundleDigest) -> bool:
        return digest in self.kept


@dataclasses.dataclass
class Stage:
    """Everything a test may look at."""

    plane: MemoryPlane
    bundles: MemoryBundles
    logs: LogStore
    meter: Meter
    credentials: Credentials
    apps: Apps
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
        spec = msgspec.convert({"name": name, "bundle": BUNDLE, **fields}, FunctionSpec)
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
        plane, bundles, meter = MemoryPlane(), MemoryBundles(), Meter()
        logs = LogStore(tmp_path / "logs.db")
        await logs.open()
        credentials = Credentials(admin_file, TOKEN)
        info = InstanceInfo(
            provider="local", gateway_url="http://127.0.0.1:8080", console_url="http://127.0.0.1:8081",
            metrics_url="http://127.0.0.1:8082", architecture="x86_64",
        )  # fmt: skip
        apps = build_apps(plane, logs, meter, bundles, credentials, info)
        try:
            await story(Stage(plane, bundles, logs, meter, credentials, apps))
        finally:
            await logs.close()

    return lambda story: asyncio.run(main(story))
