"""Kubernetes' controller of Deployments and ReplicaSets; `double.controllers.append(Deployments(double))` has it run.

A Deployment has a ReplicaSet for each of its pod templates; the newest grows at once, and the others go to nothing when
it is ready (at once with the strategy Recreate). A ReplicaSet adopts pods that its selector names and nobody owns, lets
go of those whose labels no longer match, and makes or deletes what is then missing or too much: pods that were not
scheduled first, then those that are pending, those that are not ready, the cheapest by
`controller.kubernetes.io/pod-deletion-cost`, and the youngest. Without a kubelet nobody makes its pods run.
"""

from __future__ import annotations

import hashlib
import json
from datetime import datetime
from typing import TYPE_CHECKING

from tests.cluster.resources import Object, Refused, at

if TYPE_CHECKING:
    from tests.cluster.server import Double

COST = "controller.kubernetes.io/pod-deletion-cost"
_HASH = "pod-template-hash"


class Deployments:
    """One pass over all Deployments and ReplicaSets a call."""

    def __init__(self, double: Double) -> None:
        self._double = double
        self._registry = double.registry

    def __call__(self) -> None:
        """Do what is to be done now."""
        with self._registry.lock:
            for deployment in self._double.objects("deployments"):
                if "deletionTimestamp" not in deployment["metadata"]:
                    self._deploy(deployment)
            for owner in self._double.objects("replicasets"):
                if "deletionTimestamp" not in owner["metadata"]:
                    self._replicate(owner)

    def _deploy(self, deployment: Object) -> None:
        meta, spec = deployment["metadata"], deployment["spec"]
        template = json.dumps(spec["template"], sort_keys=True).encode()
        digest = hashlib.sha256(template).hexdigest()[:10]
        ours = [each for each in self._double.objects("replicasets", meta["namespace"]) if _owned(each, meta["uid"])]
        newest = next((each for each in ours if each["metadata"]["labels"].get(_HASH) == digest), None)
        if newest is None:
            newest = self._replica_set(deployment, digest)
            ours.append(newest)
        elif newest["spec"]["replicas"] != spec["replicas"]:
            newest = self._scale(newest, spec["replicas"])
        is_ready = (at(newest, "status.readyReplicas") or 0) >= spec["replicas"]
        for each in ours:
            is_old = each["metadata"]["uid"] != newest["metadata"]["uid"]
            if is_old and each["spec"]["replicas"] and (is_ready or at(spec, "strategy.type") == "Recreate"):
                self._scale(each, 0)
        ready = sum(at(each, "status.readyReplicas") or 0 for each in ours)
        status = {
            "observedGeneration": meta["generation"],
            "replicas": sum(at(each, "status.replicas") or 0 for each in ours),
            "updatedReplicas": at(newest, "status.replicas") or 0, "readyReplicas": ready, "availableReplicas": ready,
            "unavailableReplicas": max(0, spec["replicas"] - ready),
            "conditions": [{"type": "Available", "status": "True" if ready >= spec["replicas"] else "False"}],
        }  # fmt: skip
        self._tell("deployments", deployment, status)

    def _replica_set(self, deployment: Object, digest: str) -> Object:
        meta, spec = deployment["metadata"], deployment["spec"]
        labels = {**spec["template"]["metadata"].get("labels", {}), _HASH: digest}
        template = {**spec["template"], "metadata": {**spec["template"]["metadata"], "labels": labels}}
        selector = {"matchLabels": {**spec["selector"]["matchLabels"], _HASH: digest}}
        return self._double.create("replicasets", meta["namespace"], {
            "metadata": {"name": f"{meta['name']}-{digest}", "labels": labels,
                         "ownerReferences": [_reference(deployment)]},
            "spec": {"replicas": spec["replicas"], "selector": selector, "template": template},
        })  # fmt: skip

    def _scale(self, owner: Object, replicas: int) -> Object:
        changed = {**owner, "spec": {**owner["spec"], "replicas": replicas}}
        return self._registry.update(self._double.resource("replicasets"), owner["metadata"]["namespace"], changed)

    def _replicate(self, owner: Object) -> None:
        meta, wanted = owner["metadata"], owner["spec"]["selector"]["matchLabels"]
        ours = []
        for pod in self._double.objects("pods", meta["namespace"]):
            matches = wanted.items() <= (pod["metadata"].get("labels") or {}).items()
            is_mine = _owned(pod, meta["uid"])
            if is_mine and not matches:
                self._own(pod, [each for each in pod["metadata"]["ownerReferences"] if each["uid"] != meta["uid"]])
            elif matches and not pod["metadata"].get("ownerReferences") and not _ended(pod):
                ours.append(self._own(pod, [_reference(owner)]))
            elif is_mine and not _ended(pod):
                ours.append(pod)
        surplus = len(ours) - owner["spec"]["replicas"]
        ours += [self._pod(owner) for _ in range(-surplus)]
        for pod in sorted(ours, key=_dearness)[: max(0, surplus)]:
            self._registry.delete(self._double.resource("pods"), meta["namespace"], pod["metadata"]["name"])
            ours.remove(pod)
        ready = sum(map(_is_ready, ours))
        status = {"replicas": len(ours), "readyReplicas": ready, "availableReplicas": ready,
                  "observedGeneration": meta["generation"]}  # fmt: skip
        self._tell("replicasets", owner, status)

    def _own(self, pod: Object, owners: list[Object]) -> Object:
        changed = {**pod, "metadata": {**pod["metadata"], "ownerReferences": owners}}
        return self._registry.update(self._double.resource("pods"), pod["metadata"]["namespace"], changed)

    def _pod(self, owner: Object) -> Object:
        template = owner["spec"]["template"]
        outer = {key: template["metadata"][key] for key in ("labels", "annotations") if key in template["metadata"]}
        meta = {**outer, "generateName": f"{owner['metadata']['name']}-", "ownerReferences": [_reference(owner)]}
        return self._double.create("pods", owner["metadata"]["namespace"], {"metadata": meta, "spec": template["spec"]})

    def _tell(self, plural: str, obj: Object, status: Object) -> None:
        place = self._double.resource(plural), obj["metadata"]["namespace"]
        try:
            current = self._registry.get(*place, obj["metadata"]["name"])
            self._registry.update(*place, {**current, "status": status}, "status")
        except Refused as error:
            if error.code != 404:
                raise


def _reference(obj: Object) -> Object:
    return {"apiVersion": obj["apiVersion"], "kind": obj["kind"], "name": obj["metadata"]["name"],
            "uid": obj["metadata"]["uid"], "controller": True, "blockOwnerDeletion": True}  # fmt: skip


def _owned(obj: Object, uid: str) -> bool:
    return any(each["uid"] == uid for each in obj["metadata"].get("ownerReferences") or ())


def _ended(pod: Object) -> bool:
    return "deletionTimestamp" in pod["metadata"] or at(pod, "status.phase") in ("Succeeded", "Failed")


def _is_ready(pod: Object) -> bool:
    conditions = at(pod, "status.conditions") or ()
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


def _dearness(pod: Object) -> tuple[bool, bool, bool, int, float]:
    """The less, the sooner it is deleted."""
    created = pod["metadata"]["creationTimestamp"]
    cost = int((pod["metadata"].get("annotations") or {}).get(COST, "0"))
    is_scheduled, is_pending = bool(at(pod, "spec.nodeName")), at(pod, "status.phase") == "Pending"
    return is_scheduled, not is_pending, _is_ready(pod), cost, -_seconds(created)


def _seconds(stamp: str) -> float:

    return datetime.fromisoformat(stamp).timestamp()
