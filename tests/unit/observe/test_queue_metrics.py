"""Figures of the queue, under OpenFaaS's names."""

from dayfly.model.queued import QueueFigures
from dayfly.observe.queue_metrics import of_queue
from dayfly.queue.questions import Figures

FOUND = Figures(
    (
        QueueFigures(
            function="f.mine",
            pending=3,
            inflight=2,
            dead=1,
            submitted=9,
            processed={"done": 3, "cancelled": 1},
            expired=2,
            callbacks_failed=4,
        ),
        QueueFigures(function="g.other", pending=7, inflight=0, dead=0, submitted=7, processed={}),
    ),
    is_up=True,
    reconnects=4,
)


def lines(*, is_whole: bool) -> list[str]:
    """Return the samples of what one may see."""
    families = of_queue(FOUND, {"f.mine"}, is_whole=is_whole)
    text = "".join(line for family in families for line in family.lines())
    return [line for line in text.splitlines() if not line.startswith("#")]


def test_a_tenant_sees_its_functions() -> None:
    label = '{queue_name="faas-request",function_name="f.mine"}'
    assert lines(is_whole=False) == [
        f"queue_worker_pending_messages{label} 3",
        f"queue_worker_messages_submitted_total{label} 9",
        f"queue_worker_messages_processed_total{label} 4",
        f"queue_worker_function_invocation_inflight{label} 2",
        f"dayfly_queue_dead_letters{label} 1",
        f"dayfly_queue_dead_letters_expired_total{label} 2",
        f"dayfly_queue_callbacks_failed_total{label} 4",
        'dayfly_queue_finished_total{function_name="f.mine",verdict="cancelled"} 1',
        'dayfly_queue_finished_total{function_name="f.mine",verdict="done"} 3',
    ]


def test_who_sees_the_installation_sees_the_queue() -> None:
    assert lines(is_whole=True)[-3:] == [
        "dayfly_queue_up{} 1",
        "queue_worker_nats_reconnect_total{} 4",
        "gateway_nats_reconnect_total{} 4",
    ]
