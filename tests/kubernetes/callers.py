"""Somebody in the cluster who keeps calling a function by the gateways' Service, each time by a new connection.

It is a pod, as the Service's address need not be reached from where the tests run, and a forwarded port is one
gateway's.
"""

import contextlib
import json
from collections import Counter
from collections.abc import Iterator

from tests.kubernetes.installation import IMAGE, NAMESPACE, Installation, until

_SPACE, _POD = "default", "dayfly-test-callers"
_CODE = """\
import collections, http.client, json, pathlib, sys, threading
host, path, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
stop, lock, seen = pathlib.Path("/tmp/stop"), threading.Lock(), collections.Counter()

def call():
    connection = http.client.HTTPConnection(host, timeout=60)
    try:
        connection.request("POST", path, b"")
        response = connection.getresponse()
        return f"{response.status} {response.read(200).decode()}"
    except (OSError, http.client.HTTPException) as error:
        return f"broken: {error!r}"
    finally:
        connection.close()

def keep_calling():
    while not stop.exists():
        said = call()
        with lock:
            seen[said] += 1
            if seen.total() % 20 == 0:
                print(json.dumps(seen), flush=True)

threads = [threading.Thread(target=keep_calling) for _ in range(count)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(json.dumps(seen), flush=True)
"""


class Callers:
    """They call until they are told to stop."""

    def __init__(self, cluster: Installation) -> None:
        self._cluster = cluster

    def seen(self) -> Counter[str]:
        """Return how often they have been told what, by the last of their lines."""
        lines = self._cluster.kubectl("-n", _SPACE, "logs", _POD, "--tail=1").splitlines()
        return Counter(json.loads(lines[-1])) if lines else Counter()

    def go_on(self, calls: int = 200) -> None:
        """Wait until they have made so many more calls."""
        before = self.seen().total()
        until(lambda: self.seen().total() >= before + calls, "nobody calls any more", self.seen)

    def stop(self) -> Counter[str]:
        """Have them stop, and return what they were told in all."""
        self._cluster.kubectl("-n", _SPACE, "exec", _POD, "--", "touch", "/tmp/stop")
        until(lambda: self._phase() == "Succeeded", "they do not stop", self._phase)
        return self.seen()

    def _phase(self) -> str:
        return self._cluster.kubectl("-n", _SPACE, "get", "pod", _POD, "-o", "jsonpath={.status.phase}")


@contextlib.contextmanager
def calling(cluster: Installation, name: str, count: int = 4) -> Iterator[Callers]:
    """Have so many callers of a function, who have made calls already."""
    host = cluster.kubectl("-n", NAMESPACE, "get", "service", "dayfly-gateway", "-o", "jsonpath={.spec.clusterIP}")
    pod = {
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": _POD, "namespace": _SPACE},
        "spec": {
            "restartPolicy": "Never",
            "containers": [{
                "name": "callers", "image": IMAGE, "imagePullPolicy": "Never",
                "command": ["python3", "-c", _CODE, host, f"/function/{name}", str(count)],
            }],
        },
    }  # fmt: skip
    cluster.kubectl("create", "-f", "-", stdin=json.dumps(pod))
    callers = Callers(cluster)
    try:
        until(lambda: callers._phase() == "Running", "they do not start", callers._phase)
        callers.go_on(40)
        yield callers
    finally:
        cluster.kubectl("-n", _SPACE, "delete", "pod", _POD, "--grace-period=0", "--force")
