"""What becomes of a message of AMQP."""

from datetime import UTC, datetime

from aiormq.abc import DeliveredMessage
from pamqp.commands import Basic
from pamqp.header import ContentHeader

from dayfly.events.sources.amqp import Amqp
from dayfly.model.broker import AmqpSource
from dayfly.model.event import Event
from dayfly.model.trigger_secret import Credentials


def event_of(properties: Basic.Properties) -> Event:
    delivery = Basic.Deliver("tag", 1, True, "orders", "order.made")
    message = DeliveredMessage(delivery, ContentHeader(properties=properties), b"{}", None)  # type: ignore[arg-type] # unread
    return Amqp(AmqpSource(host="h", exchange="orders", vhost="v/1"), Credentials(), "me")._event(message)


def test_it_has_the_id_and_the_time_that_its_publisher_gave_it() -> None:
    event = event_of(
        Basic.Properties(message_id="m-1", timestamp=datetime(2026, 1, 2, tzinfo=UTC), content_type="application/json")
    )
    assert event == Event(
        id="m-1", source="amqp://h:5672/v%2F1/orders", type="com.dayfly.amqp.message", subject="order.made",
        time="2026-01-02T00:00:00Z", content_type="application/json", data=b"{}",
    )  # fmt: skip


def test_equal_messages_without_an_id_are_two_also_when_they_come_again() -> None:
    assert event_of(Basic.Properties()).id != event_of(Basic.Properties()).id


def test_headers_of_either_prefix_make_it_a_cloudevent() -> None:
    for prefix in ("cloudEvents:", "cloudEvents_"):
        headers = {f"{prefix}{name}": name for name in ("id", "source", "type")}
        event = event_of(Basic.Properties(headers={**headers, f"{prefix}specversion": "1.0", "other": 1}))
        assert (event.id, event.source, event.type, event.extensions) == ("id", "source", "type", {})
