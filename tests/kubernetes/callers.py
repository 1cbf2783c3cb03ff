"""Somebody in the cluster who keeps calling a function, by the gateways' Service or by one gateway.

Each call is made by a new connection. It is a pod, as the Service's address need not be reached from where the tests
run, and a forwarded port is one gateway's.
"""

import contextlib
import json
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from tests.kubernetes.installation import IMAGE, NAMESPACE, Installation, away_from_the_mortal, until

_SPACE, _POD = "default", "dayfly-test-callers"
_SLOW_S = 1.0
"""From when on a call is told of by itself."""
_PAUSE_S = 0.02
"""Between two calls of a caller: each takes a port of its pod's, which is not free again for a minute."""
_CODE = f"""\
import collections, http.client, json, pathlib, sys, threading, time
host, path, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
stop, lock, seen, slow = pathlib.Path("/tmp/stop"), threading.Lock(), collections.Counter(), []

def call():
    connection = http.client.HTTPConnection(host, timeout=60)
    try:
        connection.request("POST", path, b"")
        response = connection.getresponse()
        return f"{{response.status}} {{response.read(200).decode()}}"
    except (OSError, http.client.HTTPException) as error:
        return f"broken: {{error!r}}"
    finally:
        connection.close()

def tell():
    print(json.dumps([seen, slow]), flush=True)

def keep_calling():
    while not stop.exists():
        began = time.time()
        said = call()
        took = time.time() - began
        time.sleep({_PAUSE_S})
        with lock:
            seen[said] += 1
            if took > {_SLOW_S}:
                slow.append([began, took, said])
            if seen.total() % 20 == 0:
                tell()

threads = [threading.Thread(target=keep_calling) for _ in range(count)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
tell()
"""


class Slow(NamedTuple):
    """A call that took long."""

    began: float
    took_s: float
    said: str


class Callers:
    """They call until they are told to stop."""

    def __init__(self, cluster: Installation, pod: str) -> None:
        self._cluster = cluster
        self._pod = pod

    def seen(self) -> Counter[str]:
        """Return how often they have been told what, by the last of their lines."""
        return Counter(self._told()[0])

    def slow(self) -> list[Slow]:
        """Return the calls that took longer than a second."""
        return [Slow(*each) for each in self._told()[1]]

    def go_on(self, calls: int = 200) -> None:
        """Wait until they have made so many more calls."""
        before = self.seen().total()
        until(lambda: self.seen().total() >= before + calls, "nobody calls any more", self.seen)

    def stop(self) -> Counter[str]:
        """Have them stop, and return what they were told in all."""
        self._cluster.kubectl("-n", _SPACE, "exec", self._pod, "--", "touch", "/tmp/stop")
        until(lambda: self._phase() == "Succeeded", "they do not stop", self._phase)
        return self.seen()

    def _told(self) -> tuple[dict[str, int], list[tuple[float, float, str]]]:
        lines = self._cluster.kubectl("-n", _SPACE, "logs", self._pod, "--tail=1").splitlines()
        seen, slow = json.loads(lines[-1]) if lines else ({}, [])
        return seen, slow

    def _phase(self) -> str:
        return self._cluster.kubectl("-n", _SPACE, "get", "pod", self._pod, "-o", "jsonpath={.status.phase}")


@contextlib.contextmanager
def calling(
    cluster: Installation, name: str, count: int = 4, *, gateway: str = "", pod: str = _POD
) -> Iterator[Callers]:
    """Have so many callers of a function, who have made calls already: by the Service, or at a gateway's address."""
    host = gateway or cluster.kubectl(
        "-n", NAMESPACE, "get", "service", "dayfly-gateway", "-o", "jsonpath={.spec.clusterIP}"
    )
    made = {
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": pod, "namespace": _SPACE},
        "spec": {
            "restartPolicy": "Never", **away_from_the_mortal(),
            "containers": [{
                "name": "callers", "image": IMAGE, "imagePullPolicy": "Never",
                "command": ["python3", "-c", _CODE, host, f"/function/{name}", str(count)],
            }],
        },
    }  # fmt: skip
    cluster.kubectl("create", "-f", "-", stdin=json.dumps(made))
    callers = Callers(cluster, pod)
    try:
        until(lambda: callers._phase() == "Running", "they do not start", callers._phase)
        callers.go_on(40)
        yield callers
    finally:
        cluster.kubectl("-n", _SPACE, "delete", "pod", pod, "--grace-period=0", "--force")
