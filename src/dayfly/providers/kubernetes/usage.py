"""What the kubelet says containers use, from its resource metrics. Pure.

container_cpu_usage_seconds_total{container="function",namespace="x",pod="y"} 1.25 1712345678901
container_memory_working_set_bytes{container="function",namespace="x",pod="y"} 2.1e+07 1712345678901
"""

import re
from collections.abc import Iterable

from dayfly.model.replica import ReplicaStats

_SAMPLE = re.compile(r"(container_cpu_usage_seconds_total|container_memory_working_set_bytes)\{([^}]*)\} (\S+)")
_LABEL = re.compile(r'(\w+)="([^"]*)"')


def by_pod(lines: Iterable[str], namespace: str, container: str) -> dict[str, ReplicaStats]:
    """Return what the container of this name in each pod of the namespace uses, by the pod's name."""
    cpu: dict[str, float] = {}
    memory: dict[str, float] = {}
    for line in lines:
        if (sample := _SAMPLE.match(line)) is None:
            continue
        labels = dict(_LABEL.findall(sample[2]))
        if (labels.get("namespace"), labels.get("container")) == (namespace, container):
            (cpu if "cpu" in sample[1] else memory)[labels.get("pod", "")] = _number(sample[3])
    return {pod: ReplicaStats(cpu[pod], int(memory[pod])) for pod in cpu.keys() & memory.keys()}


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0
