"""The rights in the namespace of functions' pods are those that the provider makes use of, and no others."""

import asyncio
import contextlib
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from lightkube.config.kubeconfig import KubeConfig
from tests.cluster.resources import METRICS, Refused
from tests.cluster.rights import KINDS, grant, unused, used
from tests.contract.provider.conftest import eventually

from dayfly.cluster.connection import Connection
from dayfly.oci.reference import parse_reference
from dayfly.providers.kubernetes.provider import KubernetesProvider
from dayfly.server.cluster import ground, leading
from dayfly.server.cluster.install import permissions
from dayfly.server.cluster.pinning import Pins

STAGES = ("kubernetes",)
HOME = "rights"
HELLO = "def handle(event, context):\n    return 'hello'\n"
STANDIN = "registry.test/standin:1"
OWN = {"app.kubernetes.io/name": "dayfly", "app.kubernetes.io/instance": HOME}


def test_every_right_to_pods_is_made_use_of(stage: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = stage.cluster
    double, pods = cluster.double, cluster.NAMESPACE
    double.namespaces(HOME)
    token = grant(double, HOME, [pods])
    spec = {"containers": [{"name": "control", "image": "dayfly:1"}], "nodeName": "n9"}
    for name in ("control-1", "control-2"):
        double.create("pods", HOME, {"metadata": {"name": name, "labels": OWN}, "spec": spec})
    cluster.kubelet.said[HOME, "control-1"] = [b"2026-11-30T10:00:00Z up\n"]
    with contextlib.suppress(Refused):  # no other test was here before
        double.registry.delete(double.resource("configmaps"), pods, cluster.pool.name, {})
    monkeypatch.setattr(double.registry, "aggregated", METRICS)
    config = KubeConfig.from_dict(double.kubeconfig(token, namespace=pods)).get()
    assert config is not None
    site = msgspec.structs.replace(cluster.site, own_namespace=HOME)
    stage.provider = lambda: KubernetesProvider(lambda: Connection(config), site, b"an installation's secret")
    cluster.kubelet.images[STANDIN] = [sys.executable, str(Path(__file__).parents[2] / "cluster/standin.py")]

    async def main() -> None:
        async with Connection(config) as api:
            pod: Any = SimpleNamespace(name="control-1", namespace=HOME, variable=lambda _: pods)
            await leading.lead(api, HOME, pod.name)
            await ground._site(pod, api)
            assert await Pins(api, pods, ("no-login",))._login(parse_reference("registry.test/a:1")) is None
        async with stage.opened() as (provider, audience):
            code = stage.order(HELLO)
            large = msgspec.structs.replace(stage.again(code), memory_bytes=1 << 30)
            secret = {"secrets": {"a": b"1"}, "secret_versions": {"a": 1}}
            image = stage.order("", lang="image", runtime="image", image=STANDIN, code_dir="", **secret)
            orders = [code, large, image, stage.again(image)]
            for order in orders:
                await provider.start(order)
                await audience.ready(order.replica)
            await provider.recover()
            await provider.survey()
            assert [line.text async for line in await provider.container_log("control-1", tail=1, follow=False)]
            for order in orders:
                await provider.stop(order.replica, grace_s=5)
                await audience.exited(order.replica)
            # What only the image's pods referred to goes when the last of them is gone.
            await eventually(lambda: ("delete", "secrets") in {(each.verb, each.plural) for each in used(double, HOME)})

    asyncio.run(main())
    done = used(double, HOME)
    assert unused(permissions.for_pods(), done, pods) == set()
    home = [each for each in permissions.in_our_namespace() if each.resources[0].partition("/")[0] == "pods"]
    assert unused(home, done, HOME) == set()
    nodes = [rule for rule in permissions.about_the_cluster(KINDS) if rule.resources == ("nodes",)]
    assert {rule.group for rule in nodes} == {"", "metrics.k8s.io"}
    assert unused(nodes, done) == set()
