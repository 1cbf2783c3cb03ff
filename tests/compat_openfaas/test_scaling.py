"""How many replicas there are: by labels, by hand, by load, by alerts, and none."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from tests.compat_openfaas.wire import Answer, Wire
from tests.system.driver import eventually

CALLERS, EACH = 4, 2.5
"""Callers, and calls a second that each makes: ten together, where five are what OpenFaaS's rule begins at."""


@contextmanager
def load(wire: Wire, service: str) -> Iterator[None]:
    """Call the function ten times a second, even where an answer takes its time."""
    over = threading.Event()

    def call() -> None:
        due = time.monotonic()
        while not over.wait(max(0.0, due - time.monotonic())):
            assert wire.call(service).status == 200
            due += 1 / EACH

    with ThreadPoolExecutor(CALLERS) as pool:
        callers = [pool.submit(call) for _ in range(CALLERS)]
        try:
            yield
        finally:
            over.set()
    for caller in callers:
        caller.result()


def replicas(wire: Wire, service: str) -> int:
    """Return the replicas that are wanted; absent means none."""
    number: int = wire.function(service).get("replicas", 0)
    return number


def scale(wire: Wire, service: str, count: int) -> int:
    """Set the number by hand; return the status."""
    return wire.send("POST", f"/system/scale-function/{service}", {"serviceName": service, "replicas": count}).status


def test_the_least_number_is_told_at_once(wire: Wire) -> None:
    """Behaviour 29: `com.openfaas.scale.min` replicas in the very next answer."""
    wire.deploy("at-least", labels={"com.openfaas.scale.min": "2"})
    assert replicas(wire, "at-least") == 2


@pytest.mark.parametrize("where", ["body", "query"])
def test_a_function_at_zero_is_woken_by_a_call(wire: Wire, elsewhere: str, where: str) -> None:
    """Behaviour 30: zero is no error and is told, and the next call succeeds; the namespace may stand in two places."""
    name, query = f"asleep-{where}", f"?namespace={elsewhere}"
    wire.deploy(name, namespace=elsewhere)
    eventually("it is ready", lambda: wire.function(name, query)["availableReplicas"] == 1)
    body = {"serviceName": name, "replicas": 0} | ({"namespace": elsewhere} if where == "body" else {})
    path = f"/system/scale-function/{name}{query if where == 'query' else ''}"
    assert wire.send("POST", path, body).status in (200, 202)
    assert not wire.function(name, query).get("replicas")
    eventually("it has none", lambda: not wire.function(name, query).get("availableReplicas"))
    assert wire.call(f"{name}.{elsewhere}", b"awake").body == b"awake"
    assert wire.function(name, query)["replicas"] == 1


def test_more_than_five_replicas_are_nobodys_business_but_the_authors(wire: Wire) -> None:
    """Behaviour 30: the number is taken as it is, and 404 says that there is no such function."""
    wire.deploy("many", labels={"com.openfaas.scale.max": "8"})
    assert scale(wire, "many", 6) in (200, 202)
    assert replicas(wire, "many") == 6
    assert scale(wire, "many", 0) in (200, 202)
    assert scale(wire, "nobody", 1) == 404


def test_ten_calls_a_second_are_worth_a_second_replica(wire: Wire) -> None:
    """Behaviour 31: up to the maximum by nothing but calls, and back to the minimum when they are over."""
    bounds = {"com.openfaas.scale.min": "1", "com.openfaas.scale.max": "2", "com.openfaas.scale.down.window": "0s"}
    wire.deploy("busy", "sha512sum", labels=bounds)
    assert wire.function("busy")["labels"] == {**bounds, "faas_function": "busy"}
    with load(wire, "busy"):
        eventually("there are two", lambda: replicas(wire, "busy") == 2)
    eventually("there is one", lambda: replicas(wire, "busy") == 1)


def test_where_least_and_most_are_one_number_load_changes_nothing(wire: Wire) -> None:
    """Behaviour 32: while another function under the same calls is scaled, this one is not."""
    wire.deploy("fixed", labels={"com.openfaas.scale.min": "1", "com.openfaas.scale.max": "1"})
    wire.deploy("free", labels={"com.openfaas.scale.max": "2"})
    with load(wire, "fixed"), load(wire, "free"):
        eventually("the other has two", lambda: replicas(wire, "free") == 2)
        assert replicas(wire, "fixed") == 1
    scale(wire, "free", 0)


def test_an_idle_function_goes_to_zero(wire: Wire) -> None:
    """Behaviour 33: by its label, after a time that a label sets."""
    wire.deploy("idle", labels={"com.openfaas.scale.zero": "true", "com.openfaas.scale.zero-duration": "1s"})
    assert wire.call("idle").status == 200
    eventually("it has none", lambda: replicas(wire, "idle") == 0)
    assert wire.call("idle").status == 200


def test_an_alert_adds_a_step_and_its_end_takes_all_back(wire: Wire) -> None:
    """Behaviour 48: a firing alert raises the replicas by `factor` percent of the maximum, a resolved one ends that."""
    wire.deploy("alerted", labels={"com.openfaas.scale.max": "10", "com.openfaas.scale.factor": "25"})
    for status, expected in (("firing", 4), ("firing", 7), ("firing", 10), ("firing", 10), ("resolved", 1)):
        assert alert(wire, "alerted.openfaas-fn", status).status == 200
        assert replicas(wire, "alerted") == expected, status
    scale(wire, "alerted", 0)


def test_an_alert_that_means_nobody_is_told(wire: Wire) -> None:
    """Behaviour 48: 400 in Go's words for what is no alert, 500 with the number of one that had no effect."""
    assert (alert(wire, "nobody", "firing").status, alert(wire, "nobody", "firing").text[:4]) == (500, "[0] ")
    for body, text in ((b"", "Unable to read alert.\n"), (b"{", "Unable to parse alert, bad format.\n")):
        answer = wire.send("POST", "/system/alert", body)
        assert (answer.status, answer.text) == (400, text)


def alert(wire: Wire, function: str, status: str) -> Answer:
    """Tell of a change as AlertManager does."""
    labels = {"alertname": "APIHighInvocationRate", "function_name": function, "service": "gateway"}
    message = {"version": "4", "receiver": "scale-up", "status": status, "groupKey": "{}", "truncatedAlerts": 0}
    return wire.send("POST", "/system/alert", {**message, "alerts": [{"status": status, "labels": labels}]})
