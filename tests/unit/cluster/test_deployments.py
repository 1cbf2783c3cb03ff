"""The double's controller of Deployments does what Kubernetes' own does with pods that are claimed, dear or foreign."""

from __future__ import annotations

from typing import Any

import pytest
from tests.cluster.deployments import COST, Deployments
from tests.cluster.resources import Object
from tests.cluster.server import Double

MERGE = "application/merge-patch+json"


def deployment(name: str = "pool", replicas: int = 2, image: str = "a") -> Object:
    template = {"metadata": {"labels": {"app": name}}, "spec": {"containers": [{"name": "c", "image": image}]}}
    selector = {"matchLabels": {"app": name}}
    return {"metadata": {"name": name}, "spec": {"replicas": replicas, "selector": selector, "template": template}}


@pytest.fixture
def pass_(double: Double) -> Deployments:
    """One pass at a time, by the test."""
    return Deployments(double)


def pods(double: Double, space: str) -> list[Object]:
    return double.objects("pods", space)


def change(double: Double, space: str, plural: str, name: str, **patch: Any) -> None:
    double.registry.patch(double.resource(plural), space, name, MERGE, patch)


def ready(double: Double, space: str, pod: Object) -> None:
    name = pod["metadata"]["name"]
    change(double, space, "pods", name, spec={"nodeName": "node"})
    status = {"status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}}
    double.registry.patch(double.resource("pods"), space, name, MERGE, status, "status")


def test_a_pod_whose_labels_match_no_longer_is_let_go_and_replaced(
    double: Double, space: str, pass_: Deployments
) -> None:
    double.create("deployments", space, deployment())
    pass_()
    first, second = (each["metadata"]["name"] for each in pods(double, space))
    change(double, space, "pods", first, metadata={"labels": {"app": "claimed"}})
    pass_()
    left = {each["metadata"]["name"]: each["metadata"].get("ownerReferences") for each in pods(double, space)}
    assert left[first] == []
    assert left[second]
    assert len(left) == 3
    change(double, space, "pods", first, metadata={"labels": {"app": "pool"}})
    pass_()
    assert len(pods(double, space)) == 2, "what matches again is adopted, and is then one too many"


def test_the_cheapest_goes_first(double: Double, space: str, pass_: Deployments) -> None:
    double.create("deployments", space, deployment(replicas=3))
    pass_()
    costs = {each["metadata"]["name"]: cost for each, cost in zip(pods(double, space), "201", strict=True)}
    for name, cost in costs.items():
        change(double, space, "pods", name, metadata={"annotations": {COST: cost}})
    for each in pods(double, space):
        ready(double, space, each)
    change(double, space, "deployments", "pool", spec={"replicas": 1})
    pass_()
    going = {each["metadata"]["name"] for each in pods(double, space) if "deletionTimestamp" in each["metadata"]}
    assert {costs[name] for name in going} == {"0", "1"}


def test_another_template_takes_over_once_it_is_ready(double: Double, space: str, pass_: Deployments) -> None:
    double.create("deployments", space, deployment(replicas=1))
    pass_()
    ready(double, space, pods(double, space)[0])
    change(double, space, "deployments", "pool", spec=deployment(image="b")["spec"] | {"replicas": 1})
    pass_()
    both = pods(double, space)
    assert {each["spec"]["containers"][0]["image"] for each in both} == {"a", "b"}
    ready(double, space, next(each for each in both if each["spec"]["containers"][0]["image"] == "b"))
    for _ in range(3):
        pass_()
    left = [each for each in pods(double, space) if "deletionTimestamp" not in each["metadata"]]
    assert [each["spec"]["containers"][0]["image"] for each in left] == ["b"]
    status = double.objects("deployments", space)[0]["status"]
    assert (status["readyReplicas"], status["observedGeneration"]) == (1, 2)


def test_what_a_deployment_owns_goes_with_it(double: Double, space: str, pass_: Deployments) -> None:
    double.create("deployments", space, deployment())
    pass_()
    double.registry.delete(double.resource("deployments"), space, "pool")
    assert pods(double, space) == []
    assert double.objects("replicasets", space) == []
