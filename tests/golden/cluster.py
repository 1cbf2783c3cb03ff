"""Makes what this version of Dayfly leaves in a cluster, kept for every later version to be held against.

    python -m tests.golden.cluster tests/golden/VERSION          (VERSION-unreleased for one that was never released)

`kubernetes/kinds.json` are the definitions of our kinds, `kubernetes/objects.json` the objects as they lie in etcd once
the stores of this version have written one of each kind. As with the data folder beside them: once, and never changed.
"""

import asyncio
import json
import sys
from collections.abc import Collection
from pathlib import Path
from typing import Any

import msgspec
from tests.contract.storage.stage import cluster, connect

from dayfly.cluster.connection import Connection
from dayfly.cluster.kinds import OURS
from dayfly.cluster.schema import crds
from dayfly.model.budget import Budget
from dayfly.model.flow import Flow
from dayfly.model.function import Function, FunctionSpec, Revision
from dayfly.model.names import FunctionName, NamespaceName, parse_function_key
from dayfly.model.namespace import Namespace, Quota
from dayfly.model.route import Route
from dayfly.model.token import Token
from dayfly.model.trigger import Trigger
from dayfly.storage.kubernetes.functions import KubernetesStore
from dayfly.storage.kubernetes.tenancy import KubernetesTenancy
from dayfly.storage.kubernetes.things import KubernetesRoutes, KubernetesTriggers, budgets_in, flows_in

HOME, TEAM = "dayfly", NamespaceName("team")
KINDS = (*(kind.plural for kind in OURS), "secrets")
NAME = FunctionName("hello")
KEY = parse_function_key("hello.team")


def function(number: int, **fields: Any) -> Function:
    """Return the function as its revision of this number makes it."""
    given = {"name": NAME, "namespace": TEAM, "bundle": "sha256:" + "a" * 64, "env": {"GREETING": "hi"}} | fields
    spec = msgspec.convert(given, FunctionSpec)
    return Function(
        key=KEY, revision=Revision(number=number, spec=spec, created_unix_ms=number), created_unix_ms=1, replicas=None
    )


def thing(kind: Any, **spec: Any) -> Any:
    """Return a route, trigger, flow or budget with this spec."""
    given = {"namespace": TEAM, "name": "one"} | spec
    return msgspec.convert({"spec": given, "created_unix_ms": 1, "updated_unix_ms": 2}, kind)


async def fill(api: Connection) -> None:
    """Have one of each kind be there."""
    tenancy = KubernetesTenancy(api, HOME)
    await tenancy.put_namespace(Namespace(name=TEAM, quota=Quota(functions=3, memory="1Gi"), created_unix_ms=1))
    await tenancy.put_token(Token(id="t" * 12, namespace=TEAM, role="deploy", note="", created_unix_ms=1, hash=b"x"))
    store = KubernetesStore(api, HOME)
    await store.put(function(1))
    await store.put(function(2, limits={"memory": "128Mi"}, annotations={"com.dayfly.budget.calls": "10/day"}))
    await KubernetesRoutes(api, HOME).put(
        thing(Route, host="shop.example", path="/a", targets=[{"function": NAME}], rate={"calls": 3, "window": "1s"})
    )
    source = {"kind": "cron", "schedule": "* * * * *"}
    await KubernetesTriggers(api, HOME).put(thing(Trigger, function=NAME, source=source))
    steps = [{"name": "first", "do": "call", "function": NAME}, {"name": "then", "do": "delay", "for": "1s"}]
    await flows_in(api).put(thing(Flow, steps=steps))
    await budgets_in(api).put(thing(Budget, function=NAME, calls={"day": 5}, cpu_seconds={"month": 1.5}))


async def read(api: Connection, kinds: Collection[str]) -> dict[str, Any]:
    """Return all that the stores find, of the kinds that the cluster serves."""
    tenancy = KubernetesTenancy(api, HOME)
    budgets = budgets_in(api)
    found: dict[str, Any] = {
        "functions": await KubernetesStore(api, HOME).all(),
        "routes": await KubernetesRoutes(api, HOME).all(),
        "triggers": await KubernetesTriggers(api, HOME).all(),
        "flows": await flows_in(api).all(),
        "budgets": await budgets.all() if "budgets" in kinds else (),
        "namespaces": [each for each in await tenancy.namespaces() if each.name == TEAM],
        "tokens": await tenancy.tokens(),
    }
    return {name: list(each) for name, each in found.items()}


def main(folder: Path) -> None:
    """Make the folder's `kubernetes`, which must not exist yet."""
    double = cluster()

    async def write() -> None:
        async with connect(double) as api:
            await fill(api)

    asyncio.run(write())
    target = folder / "kubernetes"
    target.mkdir(parents=True)
    objects = {plural: double.objects(plural) for plural in KINDS}
    for name, content in (("kinds", crds()), ("objects", objects)):
        (target / f"{name}.json").write_text(json.dumps(content, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
