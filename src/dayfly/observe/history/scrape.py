"""What was found at one moment, on its way into the file; and whose it is, for those who may not see all."""

from collections.abc import Iterable, Iterator, Mapping

import msgspec

from dayfly.model.table import FunctionLoad
from dayfly.observe.family import Family
from dayfly.observe.promql.nodes import NAME
from dayfly.observe.promql.series import Labels

LEFT_OUT = frozenset(("dayfly_replica_cpu_seconds_total", "dayfly_replica_memory_bytes"))
"""Families whose series are as many as replicas ever were; what they tell is in those of functions too."""
_ABOUT = ("function_name", "flow_name", "trigger", "namespace")
GatewayLife = tuple[str, str, str]
"""A gateway, its boot, and a function."""


class Group(msgspec.Struct, frozen=True):
    """Families whose counters began together; with another `life` they begin at zero. Empty where that is not known."""

    life: str
    families: tuple[Family, ...]


class Scrape(msgspec.Struct, frozen=True):
    """All figures of one moment."""

    at_ms: int
    groups: tuple[Group, ...]
    marks: Mapping[GatewayLife, FunctionLoad] = {}
    """How far gateways had been counted."""


def samples(families: Iterable[Family]) -> Iterator[tuple[Labels, bool, float]]:
    """Yield labels, whether it is a counter, and the value."""
    for family in families:
        if family.name in LEFT_OUT:
            continue
        counts = family.kind in ("counter", "histogram")
        for suffix, labels, value in family.samples:
            yield labels_of(family.name + suffix, labels), counts, float(value)


def labels_of(name: str, labels: Mapping[str, str]) -> Labels:
    """Return labels as series have them."""
    return tuple(sorted([(NAME, name), *(each for each in labels.items() if each[1])]))


def about(labels: Labels) -> tuple[str, str]:
    """Return what a series is about: the label that names a function, flow, trigger or namespace, and its value."""
    known = dict(labels)
    return next(((label, known[label]) for label in _ABOUT if label in known), ("", ""))


def namespace_in(labels: Labels) -> str:
    """Return whose a series is: the namespace that its labels name; empty for the installation's own."""
    label, name = about(labels)
    return dict(labels).get("namespace") or (name if label == "namespace" else name.rpartition(".")[2])
