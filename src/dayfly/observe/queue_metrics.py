"""Figures of the queue for Prometheus: under the names that OpenFaaS's queue worker has for them, ours beside them.

Totals begin with the queue's process, as all counters do.
"""

from collections.abc import Callable, Collection, Iterator

from dayfly.model.queued import QueueFigures
from dayfly.observe.family import Family
from dayfly.queue.questions import Figures

QUEUE = "faas-request"
"""What OpenFaaS calls its queue where nobody has named one."""


def of_queue(found: Figures, functions: Collection[str], *, is_whole: bool) -> Iterator[Family]:
    """Yield the figures of these functions, as `name.namespace`; with `is_whole` those of the queue itself too."""
    mine = [each for each in found.functions if each.function in functions]
    yield _each("queue_worker_pending_messages", "gauge", "Calls that wait in the queue.", mine, lambda f: f.pending)
    yield _each(
        "queue_worker_messages_submitted_total", "counter", "Calls accepted into the queue.", mine,
        lambda f: f.submitted,
    )  # fmt: skip
    yield _each(
        "queue_worker_messages_processed_total", "counter", "Calls of the queue that are over.", mine,
        lambda f: sum(f.processed.values()),
    )  # fmt: skip
    yield _each(
        "queue_worker_function_invocation_inflight", "gauge", "Calls of the queue being made.", mine,
        lambda f: f.inflight,
    )  # fmt: skip
    yield _each("dayfly_queue_dead_letters", "gauge", "Calls that failed for good.", mine, lambda f: f.dead)
    yield _each(
        "dayfly_queue_dead_letters_expired_total", "counter", "Dead letters that went as nobody came for them.", mine,
        lambda f: f.expired,
    )  # fmt: skip
    yield _each(
        "dayfly_queue_callbacks_failed_total", "counter", "Callbacks that failed for good.", mine,
        lambda f: f.callbacks_failed,
    )  # fmt: skip
    yield Family(
        "dayfly_queue_finished_total", "counter", "Calls of the queue that are over, by what they came to.",
        tuple(
            ("", {"function_name": each.function, "verdict": verdict}, count)
            for each in mine
            for verdict, count in sorted(each.processed.items())
        ),
    )  # fmt: skip
    if is_whole:
        yield Family("dayfly_queue_up", "gauge", "Whether calls are accepted.", (("", {}, found.is_up),))
        for name in ("queue_worker_nats_reconnect_total", "gateway_nats_reconnect_total"):
            yield Family(name, "counter", "Connections to nats-server made anew.", (("", {}, found.reconnects),))


def _each(
    name: str, kind: str, text: str, functions: list[QueueFigures], value: Callable[[QueueFigures], float]
) -> Family:
    labels = [{"queue_name": QUEUE, "function_name": each.function} for each in functions]
    return Family(
        name, kind, text, tuple(("", label, value(each)) for label, each in zip(labels, functions, strict=True))
    )
