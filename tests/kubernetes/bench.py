"""`make bench-cluster`: what a call waits for a function that has no replica, beside what a plain pod takes to answer.

    python -m tests.kubernetes.bench [TRIES]

A call goes by a forwarded port through a gateway; a plain pod is created and asked at its own address, which this
machine must reach. Both run the same image, which the node has.
"""

import contextlib
import json
import socket
import statistics
import sys
import tempfile
import time
from pathlib import Path

from tests.kubernetes.installation import FUNCTIONS, IMAGE, Installation, saying, until, why_none

_PORT = 8080
_SPACE = "default"


def main(tries: int) -> int:
    """Install, measure, print, uninstall; return the exit code."""
    if reason := why_none():
        sys.stdout.write(f"{reason}\n")
        return 1
    with tempfile.TemporaryDirectory(prefix="dayfly-bench-") as folder:
        cluster = Installation(Path(folder))
        try:
            cluster.set_up()
            cluster.reach()
            cluster.deploy("cold", saying("here"))
            cluster.answers("cold", "here")
            _tell("a cold start through the pool", [_cold(cluster) for _ in range(tries)])
            _tell("a call of the same function when it is warm", [_call(cluster) for _ in range(tries)])
            _tell("a plain pod, from its creation to its first answer", [_plain(cluster) for _ in range(tries)])
        finally:
            cluster.tear_down()
    return 0


def _cold(cluster: Installation) -> float:
    cluster.dayfly("scale", "cold", "0")
    cluster.scaled("cold", 0)
    until(lambda: _waiting(cluster) >= 3, "the pool is not full", lambda: _waiting(cluster))
    return _call(cluster)


def _call(cluster: Installation) -> float:
    began = time.perf_counter()
    response = cluster.call("cold")
    took = time.perf_counter() - began
    assert (response.status_code, response.text) == (200, "here"), response.text
    return took


def _waiting(cluster: Installation) -> int:
    pods = cluster.objects("pods", FUNCTIONS, "-l", "dayfly.dev/role=pool")
    conditions = [{each["type"]: each["status"] for each in pod["status"].get("conditions", ())} for pod in pods]
    return sum(each.get("Ready") == "True" for each in conditions)


def _plain(cluster: Installation) -> float:
    name = "dayfly-bench"
    pod = {
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": _SPACE},
        "spec": {
            "terminationGracePeriodSeconds": 0,
            "containers": [{
                "name": "plain", "image": IMAGE, "imagePullPolicy": "Never",
                "command": ["python3", "-m", "http.server", str(_PORT)],
            }],
        },
    }  # fmt: skip
    began = time.perf_counter()
    cluster.kubectl("create", "-f", "-", stdin=json.dumps(pod))
    try:
        host = until(
            lambda: cluster.kubectl("-n", _SPACE, "get", "pod", name, "-o", "jsonpath={.status.podIP}"), "no address"
        )
        until(lambda: _answers(host), f"{host} does not answer; is it reached from here?")
        return time.perf_counter() - began
    finally:
        cluster.kubectl("-n", _SPACE, "delete", "pod", name, "--grace-period=0", "--force")


def _answers(host: str) -> bool:
    with contextlib.suppress(OSError), socket.create_connection((host, _PORT), timeout=5):
        return True
    return False


def _tell(what: str, took: list[float]) -> None:
    ordered = sorted(took)
    figures = f"p50 {statistics.median(ordered) * 1000:.0f} ms, the slowest of {len(took)} {ordered[-1] * 1000:.0f} ms"
    sys.stdout.write(f"{what}: {figures}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 20))
