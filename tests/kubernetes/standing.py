"""How the parts of an installation stand, and what its queue has taken."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tests.kubernetes.installation import FUNCTIONS, NAMESPACE, Installation, until

from dayfly.server.cluster.names import QUEUE

SLOW = "import time\n\ndef handle(event, context):\n    time.sleep(6)\n    return event.body\n"


def names(pods: list[dict[str, Any]]) -> set[str]:
    """Return what these pods are called."""
    return {pod["metadata"]["name"] for pod in pods}


def is_whole(cluster: Installation, component: str, count: int) -> bool:
    """Whether a part has just so many pods, and each is ready."""
    pods = cluster.parts(component)
    conditions = [{each["type"]: each["status"] for each in pod["status"].get("conditions", ())} for pod in pods]
    return [each.get("Ready") for each in conditions] == ["True"] * count


def has_all(cluster: Installation, number: int) -> bool:
    """Whether a server of the queue says that it has all that it is to keep."""
    ask = "from urllib.request import urlopen; print(urlopen('http://127.0.0.1:8222/healthz').read().decode())"
    pod = f"{QUEUE}-{number}"
    done = cluster.tried("kubectl", "-n", NAMESPACE, "exec", pod, "--", "python3", "-c", ask)
    return done.returncode == 0 and '"ok"' in done.stdout


def ready_in_the_pool(cluster: Installation) -> int:
    """Return how many pods of the pool can be claimed."""
    pods = cluster.objects("pods", FUNCTIONS, "-l", "dayfly.dev/role=pool")
    conditions = [{each["type"]: each["status"] for each in pod["status"].get("conditions", ())} for pod in pods]
    return sum(each.get("Ready") == "True" for each in conditions)


def leading(cluster: Installation) -> str:
    """Return the name of the control plane that works; empty when there is none."""
    return next(iter(names(cluster.parts("control", "dayfly.dev/leader=true"))), "")


def serves(cluster: Installation) -> bool:
    """Whether the API answers."""
    return cluster.http.get(f"{cluster.url}/v1/info", auth=("admin", cluster.password)).status_code == 200


def comes_back(cluster: Installation) -> None:
    """Wait until the API answers; fails with what its control planes have been through."""
    until(lambda: serves(cluster), "the API does not come back", lambda: _what_happened(cluster, "control"))


def _what_happened(cluster: Installation, component: str) -> str:
    """Return how often the pods of a part were started anew, and what they said last."""
    told = []
    for pod in cluster.parts(component):
        name = pod["metadata"]["name"]
        counts = [each["restartCount"] for each in pod["status"].get("containerStatuses", ())]
        told.append(f"{name}, started anew {counts}")
        for before in ("false", "true"):
            log = ("logs", name, "--timestamps", "--tail=40", f"--previous={before}")
            done = cluster.tried("kubectl", "-n", NAMESPACE, *log)
            told.append(done.stdout or done.stderr)
    return "\n".join(told)


def accepted(cluster: Installation, count: int, delay: str = "0s") -> set[str]:
    """Have calls be accepted that are due after the delay, and return their ids."""

    def one(number: int) -> str:
        headers = {"X-Delay": delay}
        response = cluster.http.post(f"{cluster.url}/async-function/slow", content=f"{number}", headers=headers)
        assert response.status_code == 202, response.text
        return str(response.headers["X-Call-Id"])

    with ThreadPoolExecutor(4) as pool:
        return set(pool.map(one, range(count)))


def state_of(cluster: Installation, call: str) -> str:
    """Return how a call stands that was accepted; empty while nobody says."""
    response = cluster.http.get(f"{cluster.url}/v1/calls/{call}", auth=("admin", cluster.password))
    return str(response.json().get("state", "")) if response.status_code == 200 else ""


def all_made(cluster: Installation, calls: set[str]) -> None:
    """Wait until these calls, which were accepted, are made."""
    left = set(calls)

    def look() -> bool:
        left.difference_update([call for call in left if state_of(cluster, call) == "done"])
        return not left

    until(look, "calls that were accepted are not made", lambda: {call: state_of(cluster, call) for call in left})
