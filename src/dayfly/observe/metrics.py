"""Prometheus' text about the functions: OpenFaaS's four gateway metrics under their names and labels, ours beside them.

Series exist for functions that are deployed, and for nothing else: what callers write into URLs never becomes a label
(threat T22). The text is written here and not by the client library, whose counters must end in `_total`, while
OpenFaaS has one that does not; the library adds the figures of the process itself.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import get_args

import msgspec
from prometheus_client import GCCollector, PlatformCollector, ProcessCollector
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.registry import CollectorRegistry

from dayfly import __version__
from dayfly.model.names import FunctionKey
from dayfly.model.namespace import NamespaceStatus
from dayfly.model.rollout import Verdict
from dayfly.model.sandbox import TIERS, Sandbox
from dayfly.model.status import FunctionStatus
from dayfly.model.table import LATENCY_BUCKETS_S
from dayfly.observe.family import Family, Sample, number
from dayfly.observe.meter import Figures, Meter

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4


class MeteredFunction(msgspec.Struct, frozen=True):
    """A function as it is now and what was counted of it."""

    label: dict[str, str]
    status: FunctionStatus
    figures: Figures
    inflight: int
    waiting: int


class Installation(msgspec.Struct, frozen=True, kw_only=True):
    """What is told to those alone who may see the whole installation."""

    gateways: int
    dropped_log_lines: int = 0
    dropped_records: Mapping[str, int] = {}
    """Calls without a record, by reason."""
    sandbox: Sandbox | None = None
    engine_up: bool = False


def render(
    meter: Meter,
    statuses: Iterable[FunctionStatus],
    namespaces: Iterable[NamespaceStatus],
    *,
    rollouts: Mapping[tuple[FunctionKey, Verdict], int],
    installation: Installation | None = None,
    further: Iterable[Family] = (),
) -> bytes:
    """Return the metrics of these functions and namespaces, in text format 0.0.4.

    `rollouts` says how many ended, and how, since the control plane started. With an `installation` there are its own
    figures too, and this process's.
    """
    functions = [metered(meter, status, meter.figures) for status in statuses]
    found = families(functions, namespaces, rollouts=rollouts, installation=installation, further=further)
    text = "".join(line for family in found for line in family.lines())
    return text.encode() + (generate_latest(_PROCESS) if installation is not None else b"")


def families(
    functions: Sequence[MeteredFunction],
    namespaces: Iterable[NamespaceStatus],
    *,
    rollouts: Mapping[tuple[FunctionKey, Verdict], int],
    installation: Installation | None = None,
    further: Iterable[Family] = (),
) -> list[Family]:
    """Return the same as data, without this process's own. It needs no event loop."""
    found = [
        *_openfaas(functions),
        *_ours(functions),
        *_rollouts(functions, rollouts),
        *_namespaces(list(namespaces)),
        *further,
    ]
    if installation is not None:
        found += _of_installation(installation)
    return found


def _of_installation(found: Installation) -> Iterator[Family]:
    yield Family("dayfly_gateways", "gauge", "Gateway processes connected.", (("", {}, found.gateways),))
    dropped = found.dropped_log_lines
    yield Family("dayfly_log_lines_dropped_total", "counter", "Log lines not kept.", (("", {}, dropped),))
    yield Family(
        "dayfly_records_dropped_total", "counter", "Calls of which no record was kept, by reason.",
        tuple(("", {"reason": reason}, count) for reason, count in sorted(found.dropped_records.items())),
    )  # fmt: skip
    yield from _sandbox(found.sandbox)
    yield Family(
        "dayfly_container_engine_up", "gauge", "Whether image functions can start.", (("", {}, found.engine_up),)
    )
    yield Family("dayfly_build_info", "gauge", "The version that runs.", (("", {"version": __version__}, 1),))


def _namespaces(namespaces: Sequence[NamespaceStatus]) -> Iterator[Family]:
    """What tenants use and may use; replicas are counted as long as they exist, memory and CPU by their limits."""
    used: list[Sample] = []
    quota: list[Sample] = []
    for each in namespaces:
        amounts = {
            "functions": (each.used.functions, each.quota.functions),
            "replicas": (each.used.replicas, each.quota.replicas),
            "memory_bytes": (each.used.memory_bytes, each.quota.memory_bytes or None),
            "cpu_cores": (
                each.used.cpu_millicores / 1000,
                each.quota.cpu_millicores / 1000 if each.quota.cpu else None,
            ),
        }
        for resource, (taken, most) in amounts.items():
            label = {"namespace": each.name, "resource": resource}
            used.append(("", label, taken))
            if most is not None:
                quota.append(("", label, most))
    yield Family("dayfly_namespace_used", "gauge", "What a namespace uses of what can have a quota.", tuple(used))
    yield Family("dayfly_namespace_quota", "gauge", "What a namespace may use, where it has a quota.", tuple(quota))


def _sandbox(found: Sandbox | None) -> Iterator[Family]:
    if found is not None:
        tiers: tuple[Sample, ...] = tuple(("", {"tier": str(tier)}, tier == found.tier) for tier in TIERS)
        yield Family("dayfly_sandbox_tier", "gauge", "Which tier the sandbox of functions has.", tiers)
        stopped: tuple[Sample, ...] = (("", {}, not found.is_enough),)
        yield Family("dayfly_sandbox_tier_lost", "gauge", "Whether functions are stopped for a lost tier.", stopped)


def _openfaas(functions: Sequence[MeteredFunction]) -> Iterator[Family]:
    yield Family(
        "gateway_function_invocation_total", "counter", "Calls of functions finished.",
        tuple(
            ("", {**function.label, "code": str(code)}, figures.calls)
            for function in functions
            for code, figures in sorted(function.figures.codes.items())
        ),
    )  # fmt: skip
    yield _each(
        "gateway_function_invocation_started", "counter", "Calls of functions begun.",
        ((function, function.figures.started) for function in functions),
    )  # fmt: skip
    yield Family(
        "gateway_functions_seconds", "histogram", "How long calls of functions took.",
        tuple(sample for function in functions for sample in _histogram(function)),
    )  # fmt: skip
    yield _each(
        "gateway_service_count", "gauge", "Replicas wanted.",
        ((function, function.status.desired_replicas) for function in functions),
    )  # fmt: skip


def _ours(functions: Sequence[MeteredFunction]) -> Iterator[Family]:
    yield _each(
        "dayfly_function_inflight", "gauge", "Calls being worked on.",
        ((function, function.inflight) for function in functions),
    )  # fmt: skip
    yield _each(
        "dayfly_function_waiting", "gauge", "Calls waiting for a replica.",
        ((function, function.waiting) for function in functions),
    )  # fmt: skip
    yield _each(
        "dayfly_function_cold_starts_total", "counter", "Calls that waited for a replica to start.",
        ((function, function.figures.cold) for function in functions),
    )  # fmt: skip
    yield _each(
        "dayfly_function_replicas_ready", "gauge", "Replicas ready.",
        ((function, function.status.ready_replicas) for function in functions),
    )  # fmt: skip
    replicas = [
        ({**function.label, "replica": replica.id}, replica)
        for function in functions
        for replica in function.status.replicas
    ]
    yield Family(
        "dayfly_function_replica_exits_total", "counter", "Replicas that ended and had not been stopped, by reason.",
        tuple(
            ("", {**function.label, "reason": reason}, count)
            for function in functions
            # A rate is taken of what rises: the first crash would be no rise of a series that begins with it.
            for reason, count in sorted({"crashed": 0, **function.status.exits}.items())
        ),
    )  # fmt: skip
    yield _each(
        "dayfly_function_cpu_seconds_total", "counter", "Processor time of replicas, also of those that are gone.",
        ((function, function.status.cpu_s) for function in functions),
    )  # fmt: skip
    yield _each(
        "dayfly_function_memory_bytes", "gauge", "Resident memory of replicas; a page that several share in each.",
        ((function, function.status.memory_bytes) for function in functions),
    )  # fmt: skip
    yield Family(
        "dayfly_replica_cpu_seconds_total", "counter", "Processor time of a replica.",
        tuple(("", label, replica.cpu_s) for label, replica in replicas),
    )  # fmt: skip
    yield Family(
        "dayfly_replica_memory_bytes", "gauge", "Resident memory of a replica.",
        tuple(("", label, replica.memory_bytes) for label, replica in replicas),
    )  # fmt: skip


def _rollouts(
    functions: Sequence[MeteredFunction], ended: Mapping[tuple[FunctionKey, Verdict], int]
) -> Iterator[Family]:
    verdicts: tuple[Verdict, ...] = get_args(Verdict)
    yield Family(
        "dayfly_rollouts_total", "counter", "Rollouts that ended.",
        tuple(
            ("", {**function.label, "verdict": verdict}, ended.get((function.status.spec.key, verdict), 0))
            for function in functions
            for verdict in verdicts
        ),
    )  # fmt: skip
    yield Family(
        "dayfly_function_revision", "gauge", "The number of the revision that serves, and of a candidate.",
        tuple(sample for function in functions for sample in _revisions(function)),
    )  # fmt: skip


def _revisions(function: MeteredFunction) -> Iterator[Sample]:
    status = function.status
    serving = status.rollout.serving if status.rollout is not None else status.revision
    yield "", {**function.label, "role": "serving"}, serving
    if status.rollout is not None:
        yield "", {**function.label, "role": "candidate"}, status.rollout.revision


def _each(name: str, kind: str, text: str, values: Iterable[tuple[MeteredFunction, float]]) -> Family:
    return Family(name, kind, text, tuple(("", function.label, value) for function, value in values))


def _histogram(function: MeteredFunction) -> Iterator[Sample]:
    for code, figures in sorted(function.figures.codes.items()):
        label = {**function.label, "code": str(code)}
        below = 0
        for bound, calls in zip((*LATENCY_BUCKETS_S, float("inf")), figures.buckets, strict=True):
            below += calls
            yield "_bucket", {**label, "le": number(bound)}, below
        yield "_sum", label, figures.seconds
        yield "_count", label, figures.calls


def metered(meter: Meter, status: FunctionStatus, figures: Callable[[FunctionKey], Figures]) -> MeteredFunction:
    """Return the function with what `figures` says was counted of it, and with what goes on."""
    key: FunctionKey = status.spec.key
    return MeteredFunction({"function_name": str(key)}, status, figures(key), meter.inflight(key), meter.waiting(key))


def _process_registry() -> CollectorRegistry:
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    GCCollector(registry=registry)
    return registry


_PROCESS = _process_registry()
