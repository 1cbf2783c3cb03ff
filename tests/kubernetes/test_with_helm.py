"""The committed chart in the real Helm: installed, upgraded under calls, uninstalled, and installed again.

It comes when the other installation is gone, as there is one in a cluster; all but the image is the chart's default.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.kubernetes.callers import calling
from tests.kubernetes.installation import FUNCTIONS, IMAGE, NAMESPACE, PLACE, Installation, saying, until
from tests.kubernetes.standing import comes_back, names, serves
from tests.kubernetes.volumes import CLASS, SIZE
from tests.unit.server.cluster.tools import program

from dayfly.model.quantities import parse_memory
from dayfly.server.cluster.install import chart
from dayfly.server.cluster.names import ADMIN_SECRET, INTERNAL_SECRET

pytestmark = pytest.mark.timeout(600)
_CHART = Path(__file__).parents[2] / chart.FOLDER
_RELEASE = "dayfly"
_SMALL = "600Mi"
_VALUES = {
    "image.reference": IMAGE, "image.pullPolicy": "Never", "functions.namespace": FUNCTIONS,
    "queue.storage": SIZE, "queue.storageClass": CLASS,
}  # fmt: skip


def _helm(cluster: Installation, *argv: str, fails: bool = False) -> str:
    return cluster.run(str(program("helm")), *argv, "--namespace", NAMESPACE, fails=fails)


def _install(cluster: Installation) -> None:
    values = [word for name, value in _VALUES.items() for word in ("--set", f"{name}={value}")]
    _helm(cluster, "install", _RELEASE, str(_CHART), "--create-namespace", *values, "--wait", "--timeout", "5m")
    restricted = "pod-security.kubernetes.io/enforce=restricted"
    cluster.kubectl("label", "namespace", NAMESPACE, restricted, "--overwrite")
    cluster.reach()
    until(lambda: serves(cluster), "the API does not answer")


def _secrets(cluster: Installation) -> dict[str, Any]:
    found = {each["metadata"]["name"]: each["data"] for each in cluster.objects("secrets", NAMESPACE)}
    return {name: found[name] for name in (ADMIN_SECRET, INTERNAL_SECRET)}


@pytest.fixture(scope="module")
def released(cluster: Installation) -> Iterator[Installation]:
    """The platform as Helm installs it, where nothing of another installation is left; nothing of it is left either."""
    program("helm")
    cluster.let_go()
    if NAMESPACE in names(cluster.objects("namespaces")):
        cluster.dayfly("uninstall", "--namespace", NAMESPACE, "--everything")
    cluster.renew_volumes()
    try:
        _install(cluster)
        yield cluster
    finally:
        _remove(cluster)


def _remove(cluster: Installation) -> None:
    """Remove all of it, as docs/kubernetes.md, Uninstall, says."""
    cluster.let_go()
    _helm(cluster, "uninstall", _RELEASE, "--ignore-not-found", "--wait")
    cluster.kubectl("delete", "crd", "-l", "app.kubernetes.io/part-of=dayfly")
    cluster.kubectl("delete", "namespace", NAMESPACE, PLACE, "--ignore-not-found")


def test_a_function_answers_and_all_of_it_asks_for_less_than_600_mib(released: Installation) -> None:
    released.deploy("helmed", saying("by helm"))
    released.answers("helmed", "by helm")
    released.dayfly("doctor", "--kubernetes", "--namespace", NAMESPACE)
    pods = [*released.objects("pods", NAMESPACE), *released.objects("pods", FUNCTIONS, "-l", "dayfly.dev/role=pool")]
    asked = [
        parse_memory(container["resources"]["requests"]["memory"])
        for pod in pods
        if "deletionTimestamp" not in pod["metadata"]
        for container in pod["spec"]["containers"]
    ]
    assert len(asked) >= 5
    assert sum(asked) < parse_memory(_SMALL)


def test_what_is_helms_is_left_to_it(released: Installation) -> None:
    for what in ("install", "uninstall"):
        assert f"helm upgrade {_RELEASE}" in released.dayfly(what, "--namespace", NAMESPACE, fails=True)


def test_an_upgrade_keeps_credentials_and_fails_no_call(released: Installation) -> None:
    before = _secrets(released)
    old = names(released.parts("gateway"))
    changed = ("--set", "logs.format=json", "--set", "pool.size=1", "--wait", "--timeout", "5m")
    with calling(released, "helmed") as callers:
        _helm(released, "upgrade", _RELEASE, str(_CHART), "--reuse-values", *changed)
        until(lambda: not old & names(released.objects("pods", NAMESPACE)), "the gateways before do not end")
        callers.go_on()
        seen = callers.stop()
    assert set(seen) == {"200 by helm"}
    assert _secrets(released) == before
    released.reach()
    comes_back(released)
    lines = released.kubectl("-n", NAMESPACE, "logs", "deployment/dayfly-gateway").splitlines()
    assert all(isinstance(json.loads(line), dict) for line in lines), "the value did not reach them"
    released.dayfly("scale", "helmed", "0")
    released.scaled("helmed", 0)
    released.answers("helmed", "by helm")


def test_what_helm_leaves_is_found_again_by_the_next_release(released: Installation) -> None:
    released.dayfly("secret", "create", "kept-word", "--from-literal", "swordfish")
    released.let_go()
    _helm(released, "uninstall", _RELEASE, "--wait")
    _only_what_is_kept_is_there(released)
    _install(released)
    released.answers("helmed", "by helm")
    assert "kept-word" in released.dayfly("secret", "list")


def _only_what_is_kept_is_there(cluster: Installation) -> None:
    until(
        lambda: not cluster.objects("pods", NAMESPACE), "pods stay", lambda: names(cluster.objects("pods", NAMESPACE))
    )
    until(lambda: FUNCTIONS not in names(cluster.objects("namespaces")), "the namespace of functions' pods stays")
    kinds = "deployments,statefulsets,services,networkpolicies,poddisruptionbudgets,roles,rolebindings"
    assert names(cluster.objects(kinds, NAMESPACE)) == set()
    assert not names(cluster.objects("secrets", NAMESPACE)) & {ADMIN_SECRET, INTERNAL_SECRET}
    assert _of_the_cluster(cluster) == set()
    assert "helmed" in names(cluster.objects("functions.dayfly.dev", PLACE))


def _of_the_cluster(cluster: Installation) -> set[str]:
    found = names(cluster.objects("clusterroles,clusterrolebindings"))
    return {name for name in found if name.startswith("dayfly")}


def test_nothing_is_left_where_nothing_shall_be(released: Installation) -> None:
    _remove(released)
    assert not names(released.objects("namespaces")) & {NAMESPACE, FUNCTIONS, PLACE}
    assert _of_the_cluster(released) == set()
    assert [name for name in names(released.objects("crds")) if name.endswith(".dayfly.dev")] == []
