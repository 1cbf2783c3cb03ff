"""What nodes and pods use, as a metrics server tells it, and what is told where none does."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from lightkube.config.kubeconfig import KubeConfig
from tests.cluster.direct import Direct
from tests.cluster.resources import METRICS, Object
from tests.cluster.rights import grant
from tests.cluster.server import Double

from dayfly.cluster.connection import Connection
from dayfly.providers.kubernetes.metrics import Use, Uses, quantity, uses

AT = {"timestamp": "2026-11-30T10:00:05Z", "window": "20.052s"}
HOME, PODS = "dayfly", "dayfly-functions"


@pytest.fixture
def double() -> Double:
    """A cluster with a metrics server; what it says is what metrics-server 0.7 says."""
    double = Double()
    double.namespaces(HOME, PODS, "team")
    double.registry.aggregated = METRICS
    nodes, pods = METRICS
    told = {"metadata": {"name": "n1"}, **AT, "usage": {"cpu": "156340551n", "memory": "1059508Ki"}}
    double.registry.create(nodes, "", told)
    double.registry.create(pods, PODS, pod("replica", ("12m", "20Mi")))
    double.registry.create(pods, HOME, pod("control", ("250m", "100M"), ("1u", "28Ki")))
    double.registry.create(pods, HOME, pod("starting"))
    double.registry.create(pods, HOME, pod("odd", ("much", "28Ki"), ("1m", "1Ki")))
    return double


def pod(name: str, *containers: tuple[str, str]) -> Object:
    told = [{"name": f"c{at}", "usage": {"cpu": cpu, "memory": memory}} for at, (cpu, memory) in enumerate(containers)]
    return {"metadata": {"name": name}, **AT, "containers": told}


def asked(double: Double, token: str = "admin", own: str = HOME) -> Uses:
    async def main() -> Uses:
        config = KubeConfig.from_dict(double.kubeconfig(token)).get()
        assert config is not None
        async with Connection(config, transport=Direct(double)) as connection:
            return await uses(connection, PODS, own)

    return asyncio.run(main())


def test_nodes_and_pods_are_told_with_what_they_use(double: Double) -> None:
    own = {"control": Use(0.250001, 100_000_000 + 28 * 1024)}
    assert asked(double) == Uses({"n1": Use(0.156341, 1059508 * 1024)}, {"replica": Use(0.012, 20 << 20)}, own)
    assert asked(double, own="").own == {}


def test_where_no_metrics_server_is_that_is_told(double: Double) -> None:
    double.registry.aggregated = ()
    (note,) = asked(double).notes
    assert note == "no metrics server is in the cluster, so what nodes and pods use is not known"


def test_a_metrics_server_that_does_not_answer_is_told(double: Double) -> None:
    double.fail(503, path="/apis/metrics.k8s.io/", times=0)
    (note,) = asked(double).notes
    assert note.startswith("the cluster's metrics server does not answer: ")
    assert "503" in note


def test_whoever_may_not_ask_for_nodes_is_told_of_pods(double: Double) -> None:
    token = grant(double, HOME, [PODS], ["team"])
    found = asked(double, token)
    assert found.notes == ()
    assert (set(found.nodes), set(found.functions), set(found.own)) == (set(), {"replica"}, {"control"})


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("156340551n", 0.156340551), ("12u", 0.000012), ("250m", 0.25), ("2", 2.0), ("0", 0.0), ("1.5", 1.5),
        ("1059508Ki", 1059508.0 * 1024), ("2Gi", 2.0 * 2**30), ("129M", 129e6), ("1e3", 1000.0), ("1E3", 1000.0),
        ("3E", 3e18), ("12e-3", 0.012), ("", None), ("much", None), ("-1", None), ("1.2.3", None), ("5Kb", None),
    ],
)  # fmt: skip
def test_quantities_are_read_as_kubernetes_writes_them(text: str, number: Any) -> None:
    assert quantity(text) == pytest.approx(number)
