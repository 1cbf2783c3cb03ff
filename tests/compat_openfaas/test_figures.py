"""What was counted: calls, replicas, use of memory and processors, for people and for Prometheus."""

import re

from tests.compat_openfaas import golike
from tests.compat_openfaas.wire import LOGIN, Wire
from tests.system.driver import eventually


def test_calls_are_counted_in_the_list(wire: Wire) -> None:
    """Behaviour 43: what `describe` asks for: the function with its use, then the list for its calls."""
    wire.deploy("counted")
    eventually("it is ready", lambda: wire.function("counted", "?usage=1")["availableReplicas"] > 0)
    for _ in range(3):
        wire.call("counted")
    wire.call("counted.openfaas-fn")
    eventually("four calls", lambda: wire.functions()["counted"].get("invocationCount") == 4)


def test_what_a_function_uses_is_told_to_who_asks(wire: Wire) -> None:
    """Behaviour 43: `usage` holds millicores and bytes, and is absent unless asked for."""
    wire.deploy("used")
    wire.call("used")
    for truth in ("1", "true"):
        usage = wire.function("used", f"?namespace=openfaas-fn&usage={truth}")["usage"]
        assert usage["totalMemoryBytes"] > 100_000
        assert usage["cpu"] >= 0
    for falsehood in ("", "?usage=0", "?usage=false"):
        assert "usage" not in wire.function("used", falsehood)
    assert "usage" not in wire.functions()["used"]


def test_a_function_at_rest_uses_nothing(wire: Wire) -> None:
    """Behaviour 43: without a replica there is nothing to use it."""
    wire.deploy("rests")
    wire.send("POST", "/system/scale-function/rests", {"replicas": 0})
    nothing = {"cpu": 0, "totalMemoryBytes": 0}
    eventually("nothing is used", lambda: wire.function("rests", "?usage=1")["usage"] == nothing)


def test_prometheus_finds_the_four_figures_under_their_names(wire: Wire) -> None:
    """Behaviour 47: counters, a histogram and a gauge, labelled `name.namespace`, on a listener of their own."""
    wire.deploy("figures", labels={"com.openfaas.scale.min": "2"})
    for _ in range(3):
        wire.call("figures")

    def sample(name: str, **labels: str) -> str | None:
        named = {"function_name": "figures.openfaas-fn", **labels}
        inner = ",".join(f'{label}="{value}"' for label, value in named.items())
        text = wire.send("GET", "/metrics", metrics=True).text
        found = re.search(rf"^{re.escape(f'{name}{{{inner}}}')} (\S+)$", text, re.MULTILINE)
        return found and found[1]

    eventually("three calls", lambda: sample("gateway_function_invocation_total", code="200") == "3")
    assert sample("gateway_function_invocation_started") == "3"
    assert sample("gateway_functions_seconds_bucket", code="200", le="+Inf") == "3"
    assert sample("gateway_functions_seconds_bucket", code="200", le="0.005") is not None
    assert sample("gateway_functions_seconds_count", code="200") == "3"
    assert float(sample("gateway_functions_seconds_sum", code="200") or 0) > 0
    assert sample("gateway_service_count") == "2"
    text = wire.send("GET", "/metrics", metrics=True).text
    assert "# TYPE gateway_functions_seconds histogram\n" in text
    assert "# TYPE gateway_function_invocation_total counter\n" in text
    wire.send("POST", "/system/scale-function/figures", {"replicas": 0})


def test_figures_are_not_on_the_gateways_listener(wire: Wire) -> None:
    """Behaviour 47: there it is 404, and where they are health is told too, to GET alone."""
    assert wire.send("GET", "/metrics").status == 404
    assert wire.send("GET", "/healthz", metrics=True, headers={}).text == "OK"
    assert wire.send("POST", "/healthz", metrics=True, headers=LOGIN).status == 405


def test_telemetry_is_empty(wire: Wire) -> None:
    """Behaviour 43: nothing is gathered for anybody, so that there is nothing to tell."""
    answer = wire.send("GET", "/system/telemetry")
    assert (answer.status, answer.read(golike.struct({}))) == (200, {})
