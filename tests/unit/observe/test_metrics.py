"""The text for Prometheus, read back by Prometheus' own parser."""

import msgspec
from prometheus_client.parser import text_string_to_metric_families

from dayfly import __version__
from dayfly.model.function import FunctionSpec
from dayfly.model.names import FunctionKey, parse_function_key
from dayfly.model.namespace import NamespaceStatus, Quota, Usage
from dayfly.model.rollout import RolloutStatus, Verdict
from dayfly.model.status import FunctionStatus, ReplicaStatus
from dayfly.model.table import LATENCY_BUCKETS_S, FunctionLoad, Load
from dayfly.observe.family import Family
from dayfly.observe.meter import Meter
from dayfly.observe.metrics import Installation, render

NAME = "hello.openfaas-fn"
Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def status_of(name: str) -> FunctionStatus:
    replica = ReplicaStatus(id="r" * 10, phase="ready", revision=1, started_unix_ms=0, cpu_s=1.25, memory_bytes=2048)
    return FunctionStatus(
        spec=FunctionSpec(name=name),
        revision=1,
        state="ready",
        desired_replicas=3,
        ready_replicas=2,
        created_unix_ms=0,
        updated_unix_ms=0,
        url="",
        cpu_s=7.5,
        memory_bytes=2048,
        replicas=(replica,),
        exits={"oom": 2},
    )


def scraped(text: bytes) -> tuple[Samples, dict[str, str]]:
    samples: Samples = {}
    kinds = {}
    for family in text_string_to_metric_families(text.decode()):
        kinds[family.name] = family.type
        for sample in family.samples:
            key = sample.name, tuple(sorted(sample.labels.items()))
            assert key not in samples
            samples[key] = sample.value
    return samples, kinds


def label(**more: str) -> tuple[tuple[str, str], ...]:
    return tuple(sorted({"function_name": NAME, **more}.items()))


def rendered(*, everywhere: bool = True) -> bytes:
    meter = Meter()
    buckets = (1, 2, *(0,) * 9, 4)
    codes: dict[int, tuple[int, float, tuple[int, ...]]] = {200: (7, 3.5, buckets), 502: (1, 0.25, (1, *(0,) * 11))}
    load = FunctionLoad(NAME, 2, 5, 10, codes, 1)
    meter.merge("gw0", "a", Load((load, FunctionLoad("gone.openfaas-fn", 1, 1, 1, codes))))
    taking_over = RolloutStatus(revision=9, serving=7, state="shifting")
    hello = msgspec.structs.replace(status_of("hello"), revision=9, rollout=taking_over)
    ended: dict[tuple[FunctionKey, Verdict], int] = {
        (hello.spec.key, "returned"): 4,
        (parse_function_key("gone.openfaas-fn"), "promoted"): 1,
    }
    tenant = NamespaceStatus(
        name="openfaas-fn", labels={}, annotations={}, quota=Quota(replicas=9, cpu="2500m"), created_unix_ms=0,
        used=Usage(functions=2, replicas=4, memory_bytes=1 << 30, cpu_millicores=500),
    )  # fmt: skip
    installation = Installation(gateways=2, dropped_log_lines=3) if everywhere else None
    return render(meter, [hello, status_of("quiet")], [tenant], rollouts=ended, installation=installation)


def test_rollouts_and_revisions() -> None:
    samples, kinds = scraped(rendered())
    assert samples["dayfly_rollouts_total", label(verdict="returned")] == 4
    assert samples["dayfly_rollouts_total", label(verdict="promoted")] == 0
    assert samples["dayfly_function_revision", label(role="serving")] == 7
    assert samples["dayfly_function_revision", label(role="candidate")] == 9
    assert (kinds["dayfly_rollouts"], kinds["dayfly_function_revision"]) == ("counter", "gauge")
    quiet = (("function_name", "quiet.openfaas-fn"), ("role", "candidate"))
    assert ("dayfly_function_revision", quiet) not in samples


def test_openfaas_metrics_under_their_names_and_labels() -> None:
    samples, kinds = scraped(rendered())
    assert samples["gateway_function_invocation_total", label(code="200")] == 7
    assert samples["gateway_function_invocation_total", label(code="502")] == 1
    assert samples["gateway_service_count", label()] == 3
    assert samples["gateway_functions_seconds_sum", label(code="200")] == 3.5
    assert samples["gateway_functions_seconds_count", label(code="200")] == 7
    assert samples["gateway_functions_seconds_bucket", label(code="200", le="0.005")] == 1
    assert samples["gateway_functions_seconds_bucket", label(code="200", le="10")] == 3
    assert samples["gateway_functions_seconds_bucket", label(code="200", le="+Inf")] == 7
    bounds = [dict(labels)["le"] for name, labels in samples if name.endswith("_bucket") and ("code", "200") in labels]
    assert bounds == [*(f"{bound:g}" for bound in LATENCY_BUCKETS_S), "+Inf"]
    assert kinds["gateway_functions_seconds"] == "histogram"
    assert kinds["gateway_service_count"] == "gauge"
    text = rendered().decode()
    # The parser puts `_total` behind every counter, so this one is looked for in the text.
    assert 'gateway_function_invocation_started{function_name="hello.openfaas-fn"} 10\n' in text
    assert "# TYPE gateway_function_invocation_total counter\n" in text
    assert "# TYPE gateway_function_invocation_started counter\n" in text
    assert "gateway_function_invocation_started_total" not in text


def test_our_metrics_beside_them() -> None:
    samples, _ = scraped(rendered())
    replica = label(replica="r" * 10)
    assert samples["dayfly_function_inflight", label()] == 2
    assert samples["dayfly_function_waiting", label()] == 5
    assert samples["dayfly_function_cold_starts_total", label()] == 1
    assert samples["dayfly_function_replicas_ready", label()] == 2
    assert samples["dayfly_function_replica_exits_total", label(reason="oom")] == 2
    assert samples["dayfly_function_replica_exits_total", label(reason="crashed")] == 0, "so that the first one rises"
    assert samples["dayfly_replica_cpu_seconds_total", replica] == 1.25
    assert samples["dayfly_replica_memory_bytes", replica] == 2048
    assert samples["dayfly_function_cpu_seconds_total", label()] == 7.5
    assert samples["dayfly_function_memory_bytes", label()] == 2048
    assert samples["dayfly_gateways", ()] == 2
    assert samples["dayfly_log_lines_dropped_total", ()] == 3
    assert samples["dayfly_build_info", (("version", __version__),)] == 1
    assert samples["process_resident_memory_bytes", ()] > 0


def test_what_a_namespace_uses_and_may_use() -> None:
    samples, _ = scraped(rendered())
    used = {dict(labels)["resource"]: value for (name, labels), value in samples.items() if name.endswith("space_used")}
    most = {dict(labels)["resource"]: value for (name, labels), value in samples.items() if name.endswith("ace_quota")}
    assert used == {"functions": 2, "replicas": 4, "memory_bytes": 1 << 30, "cpu_cores": 0.5}
    assert most == {"replicas": 9, "cpu_cores": 2.5}


def test_without_the_installation_there_is_nothing_but_functions_and_namespaces() -> None:
    samples, _ = scraped(rendered(everywhere=False))
    assert samples
    assert all({"function_name", "namespace"} & dict(labels).keys() for _, labels in samples)


def test_only_deployed_functions_have_series() -> None:
    names = {dict(labels).get("function_name") for _, labels in scraped(rendered())[0]}
    assert names == {None, NAME, str(parse_function_key("quiet"))}


def test_labels_are_escaped() -> None:
    family = Family("x", "gauge", "X.", (("", {"a": 'quote " back \\ line\nend'}, 1.5),))
    (read,) = text_string_to_metric_families("".join(family.lines()))
    assert read.samples[0].labels == {"a": 'quote " back \\ line\nend'}
