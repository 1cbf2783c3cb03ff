"""What an earlier version left in a cluster is taken over by this one, and is as it was when one goes back.

The kinds and objects are those of the first version there was (`tests/golden`); its program is not there any more, so
kubectl does what that did to the cluster.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from tests.kubernetes.installation import NAMESPACE, Installation, saying

from dayfly.server.cluster.install.kubectl import MANAGER

pytestmark = pytest.mark.timeout(600)
LEFT = Path(__file__).parents[1] / "golden" / "0.1.0-unreleased" / "kubernetes"
TEAM = "team"
LATER = "budgets.dayfly.dev"
"""A kind that the first version had not."""


def _known(name: str) -> Any:
    return json.loads((LEFT / f"{name}.json").read_text())


def _define(cluster: Installation, kinds: Sequence[Any]) -> None:
    """Have the kinds be these, in the words of an installation."""
    told = json.dumps({"apiVersion": "v1", "kind": "List", "items": kinds})
    how = ("--server-side", "--force-conflicts", f"--field-manager={MANAGER}")
    cluster.kubectl("apply", *how, "-f", "-", stdin=told)


def _leave(cluster: Installation, obj: Mapping[str, Any], owner: Mapping[str, Any] | None = None) -> Any:
    """Have the object be there, with its status; return it as the cluster has it."""
    meta: dict[str, Any] = {key: obj["metadata"][key] for key in ("name", "namespace", "labels", "annotations")
                            if key in obj["metadata"]}  # fmt: skip
    if owner is not None:
        (reference,) = obj["metadata"]["ownerReferences"]
        meta["ownerReferences"] = [reference | {"uid": owner["metadata"]["uid"]}]
    made = json.loads(cluster.kubectl("create", "-o", "json", "-f", "-", stdin=json.dumps({**obj, "metadata": meta})))
    if "status" in obj:
        told = json.dumps({"status": obj["status"]})
        kind = f"{obj['kind'].lower()}.dayfly.dev"
        cluster.kubectl("-n", TEAM, "patch", kind, meta["name"], "--subresource=status", "--type=merge", "-p", told)
    return made


def _specs(cluster: Installation, kinds: Sequence[Any]) -> dict[tuple[str, str], Any]:
    """Return what is wished for of each kind in the team's namespace."""
    names = ",".join(kind["metadata"]["name"] for kind in kinds)
    return {(each["kind"], each["metadata"]["name"]): each["spec"] for each in cluster.objects(names, TEAM)}


def test_what_an_earlier_version_left_is_taken_over_and_goes_back(cluster: Installation) -> None:
    kinds, objects = _known("kinds"), _known("objects")
    cluster.deploy("kept", saying("it goes on"))
    cluster.answers("kept", "it goes on")  # its pod runs from now on: a queue without a volume loses the code
    cluster.dayfly("uninstall", "--namespace", NAMESPACE)
    cluster.kubectl("delete", "crd", LATER)
    _define(cluster, kinds)
    cluster.kubectl("create", "namespace", TEAM)
    try:
        (function,) = (_leave(cluster, each) for each in objects["functions"])
        for each in objects["revisions"]:
            _leave(cluster, each, function)
        for plural in ("routes", "triggers", "flows", "tenants"):
            for each in objects[plural]:
                _leave(cluster, each)
        left = _specs(cluster, kinds)

        cluster.install({})
        cluster.reach()
        cluster.answers("kept", "it goes on")
        revisions = json.loads(cluster.dayfly("revisions", "hello", "--namespace", TEAM, "-o", "json"))
        assert {each["number"] for each in revisions} == {1, 2}
        assert "shop.example" in cluster.dayfly("route", "list", "--namespace", TEAM)
        for kind in ("trigger", "flow"):
            assert "one" in cluster.dayfly(kind, "list", "--namespace", TEAM)
        cluster.dayfly("budget", "put", "most", "calls=100/day", "--function", "hello", "--namespace", TEAM)
        assert _specs(cluster, kinds) == left

        cluster.dayfly("uninstall", "--namespace", NAMESPACE)
        _define(cluster, kinds)
        assert _specs(cluster, kinds) == left
        for kind, name in left:  # the server holds each against the kinds of then
            obj = cluster.kubectl("-n", TEAM, "get", f"{kind.lower()}.dayfly.dev", name, "-o", "json")
            cluster.kubectl("replace", "--dry-run=server", "-f", "-", stdin=obj)
        cluster.install({})
        cluster.reach()
        assert "most" in cluster.dayfly("budget", "list", "--namespace", TEAM)
    finally:
        cluster.kubectl("delete", "namespace", TEAM)
