"""Figures of flows for Prometheus. Totals begin with the control plane's process, as all counters do.

Series exist for flows that are there, and for nothing else.
"""

from collections.abc import Collection, Iterator

from dayfly.model.flow_status import FlowFigures
from dayfly.observe.family import Family


def of_flows(figures: Collection[FlowFigures]) -> Iterator[Family]:
    """Yield how many runs of these flows are under way, and how many ended how."""
    labels = [{"flow_name": f"{each.flow}.{each.namespace}"} for each in figures]
    yield Family(
        "dayfly_flow_runs_under_way", "gauge", "Runs of the flow that are not over.",
        tuple(("", label, each.under_way) for label, each in zip(labels, figures, strict=True)),
    )  # fmt: skip
    yield Family(
        "dayfly_flow_runs_total", "counter", "Runs of the flow that are over, by what they came to.",
        tuple(
            ("", {**label, "outcome": outcome}, count)
            for label, each in zip(labels, figures, strict=True)
            for outcome, count in sorted(each.ended.items())
        ),
    )  # fmt: skip
