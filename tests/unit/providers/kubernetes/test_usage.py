"""The kubelet's resource metrics, as it prints them."""

from dayfly.model.replica import ReplicaStats
from dayfly.providers.kubernetes.output import split_time
from dayfly.providers.kubernetes.usage import by_pod

METRICS = """
# HELP container_cpu_usage_seconds_total [STABLE] Cumulative cpu time consumed by the container in core-seconds
# TYPE container_cpu_usage_seconds_total counter
container_cpu_usage_seconds_total{container="function",namespace="dayfly-fn",pod="a"} 1.25 1712345678901
container_cpu_usage_seconds_total{container="function",namespace="other",pod="b"} 9 1712345678901
container_cpu_usage_seconds_total{container="function",namespace="dayfly-fn",pod="new"} 0.01 1712345678901
container_memory_working_set_bytes{container="function",namespace="dayfly-fn",pod="a"} 2.1e+07 1712345678901
container_memory_working_set_bytes{container="sidecar",namespace="dayfly-fn",pod="a"} 1 1712345678901
node_memory_working_set_bytes 1.9e+09 1712345678901
pod_memory_working_set_bytes{namespace="dayfly-fn",pod="a"} 3e+07 1712345678901
"""


def test_only_our_container_counts_and_only_with_both_figures() -> None:
    assert by_pod(METRICS.splitlines(), "dayfly-fn", "function") == {"a": ReplicaStats(1.25, 21_000_000)}
    assert by_pod([], "dayfly-fn", "function") == {}


def test_a_line_of_a_pods_log_has_its_time_before_it() -> None:
    assert split_time(b"2026-11-29T22:40:00.123456789Z hello world") == (1795992000123456789, "hello world")
    assert split_time(b"2026-11-29T22:40:00Z ") == (1795992000000000000, "")
    assert split_time(b"no time at all") == (0, "no time at all")
