"""The apps over the real control plane, with a provider without processes and one gateway's counts."""

import asyncio
import hashlib
import json
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx2
import msgspec
from prometheus_client.parser import text_string_to_metric_families

from dayfly.api.credentials import Credentials
from dayfly.api.services import InstanceInfo, Services
from dayfly.build.builder import Builder
from dayfly.control.clock import SystemClock
from dayfly.control.images import Images
from dayfly.control.plane import ControlPlane
from dayfly.control.tokens import Tokens
from dayfly.control.triggers import Triggers
from dayfly.model.budget import Budget
from dayfly.model.function import FunctionSpec
from dayfly.model.reach import Reach
from dayfly.model.replica import Prepared
from dayfly.model.status import FunctionStatus
from dayfly.model.table import FunctionLoad, Load
from dayfly.observe.logs import LogStore
from dayfly.observe.meter import Meter
from dayfly.providers.fake import FakePlan, FakeProvider
from dayfly.server.apps import build_apps
from dayfly.storage.blobs import FileBlobs
from dayfly.storage.memory import MemoryStore
from dayfly.storage.memory_ledger import MemoryLedger
from dayfly.storage.memory_routes import MemoryRoutes
from dayfly.storage.memory_tenancy import MemoryTenancy
from dayfly.storage.memory_things import MemoryThings
from dayfly.storage.memory_triggers import MemoryTriggers
from dayfly.storage.secrets.memory import MemorySecrets

TOKEN = "t" * 43
DATA = b"any bytes will do here"
DIGEST = "sha256:" + hashlib.sha256(DATA).hexdigest()
BUNDLE = f"/v1/namespaces/openfaas-fn/bundles/{DIGEST}"
HELLO = "/v1/namespaces/openfaas-fn/functions/hello"


class NothingToInstall:
    async def prepare(self, spec: FunctionSpec) -> None:
        """Nothing."""


class NothingToPrepare:
    async def check(self, _spec: FunctionSpec) -> None:
        return None

    async def prepare(self, _spec: FunctionSpec, _revision: int) -> Prepared:
        return Prepared("/code", ())


async def until(holds: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + 60
    while not (result := await holds()):
        assert time.monotonic() < deadline
        await asyncio.sleep(0)
    return result


async def story(folder: Path, admin_file: Path) -> None:
    logs, meter, blobs = LogStore(folder / "logs.db"), Meter(), FileBlobs(folder / "blobs")
    await logs.open()
    tenancy = MemoryTenancy()
    plane = ControlPlane(
        store=MemoryStore(), secrets=MemorySecrets(), tenancy=tenancy, routes=MemoryRoutes(), blobs=blobs,
        budgets=MemoryThings(Budget),
        ledger=MemoryLedger(),
        provider=FakeProvider(FakePlan(prints=("started", "listening"))), preparer=NothingToPrepare(),
        meter=meter, logs=logs, link_socket=folder / "link.sock", gateway_url="http://127.0.0.1:8080",
        clock=SystemClock(),
    )  # fmt: skip
    await plane.start()
    info = InstanceInfo(provider="fake", gateway_url="http://127.0.0.1:8080", console_url="", metrics_url="")
    tokens = Tokens(tenancy, b"k" * 32, SystemClock())
    never: Any = None
    no_flows: Any = SimpleNamespace(figures=lambda _: [])
    builder = Builder(
        b"b" * 32, folder / "incoming", namespaces=plane.namespaces.names, bundles=plane.bundles, built=tenancy,
        preparer=NothingToInstall(), dockerfiles=never, unix_ms=SystemClock().unix_ms,
    )  # fmt: skip
    services = Services(
        plane=plane, secrets=plane.secrets, namespaces=plane.namespaces, routes=plane.routes,
        triggers=Triggers(MemoryTriggers(), plane.functions, Reach(), SystemClock()),
        intake=never, tokens=tokens, logs=logs, meter=meter, bundles=plane.bundles, images=Images(), builder=builder,
        info=info, budgets=plane.budgets, spending=plane.spending,
        flows=no_flows, runs=never, alerts=never, reports=never,
    )  # fmt: skip
    apps = build_apps(services, Credentials(admin_file, TOKEN, tokens=tokens))

    def client(app: Any) -> httpx2.AsyncClient:
        headers = {"authorization": f"Bearer {TOKEN}"}
        return httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url="http://dayfly", headers=headers)

    try:
        async with client(apps.public) as api, client(apps.metrics) as metrics:
            assert (await api.put(BUNDLE, content=DATA + b"!")).status_code == 400
            assert (await api.head(BUNDLE)).status_code == 404
            assert (await api.put(BUNDLE, content=DATA)).status_code == 201
            assert (await api.head(BUNDLE)).status_code == 200

            deployed = await api.put(HELLO, json={"bundle": DIGEST, "image": "me/hello:1"})
            assert (deployed.status_code, deployed.json()["desired_replicas"]) == (201, 1)

            async def ready() -> bool:
                status = msgspec.json.decode((await api.get(HELLO)).content, type=FunctionStatus)
                return status.state == "ready"

            await until(ready)
            deployment = {"service": "hello", "image": "me/hello:1", "labels": {"com.openfaas.scale.min": "2"}}
            assert (await api.put("/system/functions", json=deployment)).status_code == 202
            shown = (await api.get("/system/function/hello")).json()
            assert (shown["replicas"], shown["image"]) == (2, "me/hello:1")
            assert (await api.put("/system/functions", json={**deployment, "service": "new"})).status_code == 404
            assert (await api.post("/system/functions", json=deployment)).status_code == 409
            assert len((await api.get(HELLO + "/revisions")).json()) == 2

            codes: dict[int, tuple[int, float, tuple[int, ...]]] = {200: (5, 1.0, (5, *(0,) * 11))}
            meter.merge("gw0", "a", Load((FunctionLoad("hello.openfaas-fn", 1, 0, 6, codes),)))
            assert (await api.get("/system/functions")).json()[0]["invocationCount"] == 5
            text = (await metrics.get("/metrics")).text
            samples = {one.name: one.value for family in text_string_to_metric_families(text) for one in family.samples}
            assert samples["gateway_function_invocation_total"] == 5
            assert samples["gateway_service_count"] == 2

            lines = [json.loads(line) for line in (await api.get("/system/logs?name=hello&tail=2")).text.splitlines()]
            assert [line["text"] for line in lines] == ["started", "listening"]

            secret = {"name": "password", "value": "canary"}
            assert (await api.put("/system/functions", json={**deployment, "secrets": ["password"]})).status_code == 400
            assert (await api.post("/system/secrets", json=secret)).status_code == 202
            assert (await api.put("/system/functions", json={**deployment, "secrets": ["password"]})).status_code == 202
            (told,) = (await api.get("/v1/namespaces/openfaas-fn/secrets")).json()
            assert (told["name"], told["functions"]) == ("password", ["hello"])
            refused = await api.delete("/v1/namespaces/openfaas-fn/secrets/password")
            assert (refused.status_code, refused.json()["code"]) == (409, "conflict")
            assert (await api.request("DELETE", "/system/secrets", json=secret)).status_code == 202

            assert (await api.post("/system/scale-function/hello", json={"replicas": 0})).status_code == 202
            assert (await api.get("/system/function/hello")).json()["replicas"] == 0
            removed = await api.request("DELETE", "/system/functions", json={"functionName": "hello"})
            assert removed.status_code == 202
            assert (await api.get(HELLO)).status_code == 404
            assert (await api.get("/v1/info")).json()["functions"] == 0
    finally:
        await plane.shutdown()
        await logs.close()


def test_the_apps_over_the_real_control_plane(tmp_path: Path, admin_file: Path) -> None:
    asyncio.run(story(tmp_path, admin_file))
