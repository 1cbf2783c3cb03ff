"""Figures of triggers for Prometheus. Totals begin with the control plane's process, as all counters do."""

from collections.abc import Iterable, Iterator

from dayfly.model.trigger import TriggerStatus
from dayfly.observe.family import Family

OUTCOMES = ("delivered", "filtered", "failed", "missed")


def of_triggers(triggers: Iterable[TriggerStatus]) -> Iterator[Family]:
    """Yield the figures of these triggers, named `name.namespace`; one that is paused is not up."""
    told = [({"trigger": f"{each.spec.name}.{each.spec.namespace}"}, each.standing) for each in triggers]
    yield Family(
        "dayfly_trigger_events_total", "counter", "Events that came to triggers, by what became of them.",
        tuple(
            ("", {**labels, "outcome": outcome}, getattr(standing, outcome))
            for labels, standing in told
            for outcome in OUTCOMES
        ),
    )  # fmt: skip
    yield Family(
        "dayfly_trigger_up", "gauge", "Whether the trigger takes events now.",
        tuple(("", labels, standing.state == "running") for labels, standing in told),
    )  # fmt: skip
