"""Volumes for an installation under test: folders of one node, since a cluster for tests may give none by itself.

A pod makes them, as it takes root on that node, and another takes them away. They are of a class of their own, which no
provisioner knows: nobody else gets them, and ours get no others.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

CLASS, SIZE = "dayfly-test", "256Mi"
COUNT = 4
"""For three servers of the queue, and for what is known of the past."""
_PLACE = "/var/tmp/dayfly-test-volumes"
_SPACE, _POD = "default", "dayfly-test-volumes"
_REMOVE = """\
import os, shutil
for name in os.listdir("/there"):
    shutil.rmtree(f"/there/{name}")
"""
_MAKE = f"""\
{_REMOVE}
for number in range({COUNT}):
    os.mkdir(f"/there/{{number}}", 0o700)
    os.chown(f"/there/{{number}}", 65532, 65532)
"""


class Volumes:
    """The volumes, made and removed by kubectl, on a node as `where` says.

    `image` is one with a Python that the nodes have.
    """

    def __init__(self, kubectl: Callable[..., str], image: str, where: Mapping[str, Any]) -> None:
        self._kubectl = kubectl
        self._image = image
        self._where = where
        self._node = ""

    def set_up(self) -> None:
        """Have them."""
        self._do(_MAKE)
        items = list(self._volumes())
        self._kubectl("create", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))

    def tear_down(self) -> None:
        """Leave nothing of them. Whatever claimed one has gone."""
        if self._node:
            self._kubectl("delete", "persistentvolumes", *(f"{CLASS}-{number}" for number in range(COUNT)))
            self._do(_REMOVE)

    def _volumes(self) -> Iterator[Mapping[str, Any]]:
        term = {"key": "kubernetes.io/hostname", "operator": "In", "values": [self._node]}
        for number in range(COUNT):
            yield {
                "apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": f"{CLASS}-{number}"},
                "spec": {
                    "capacity": {"storage": SIZE}, "accessModes": ["ReadWriteOnce"], "storageClassName": CLASS,
                    "persistentVolumeReclaimPolicy": "Retain", "hostPath": {"path": f"{_PLACE}/{number}"},
                    "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [term]}]}},
                },
            }  # fmt: skip

    def _do(self, code: str) -> None:
        """Run this as root where the volumes are, or are to be."""
        pod = {
            "apiVersion": "v1", "kind": "Pod", "metadata": {"name": _POD, "namespace": _SPACE},
            "spec": {
                "restartPolicy": "Never", **({"nodeName": self._node} if self._node else self._where),
                "containers": [{
                    "name": "volumes", "image": self._image, "imagePullPolicy": "Never",
                    "command": ["python3", "-c", code], "securityContext": {"runAsUser": 0},
                    "volumeMounts": [{"name": "there", "mountPath": "/there"}],
                }],
                "volumes": [{"name": "there", "hostPath": {"path": _PLACE, "type": "DirectoryOrCreate"}}],
            },
        }  # fmt: skip
        self._kubectl("create", "-f", "-", stdin=json.dumps(pod))
        try:
            done = "--for=jsonpath={.status.phase}=Succeeded"
            self._kubectl("-n", _SPACE, "wait", f"pod/{_POD}", done, "--timeout=2m")
            self._node = self._kubectl("-n", _SPACE, "get", "pod", _POD, "-o", "jsonpath={.spec.nodeName}")
        finally:
            self._kubectl("-n", _SPACE, "delete", "pod", _POD, "--grace-period=0", "--force")
