"""What becomes of a record of Kafka."""

from collections.abc import Mapping
from types import MappingProxyType

import pytest
from aiokafka import ConsumerRecord

from dayfly.events.sources.kafka import Kafka
from dayfly.model.broker import KafkaSource
from dayfly.model.event import Event
from dayfly.model.trigger_secret import Credentials


def event_of(
    value: bytes | None, key: bytes | None = None, offset: int = 7, headers: Mapping[str, bytes] = MappingProxyType({})
) -> Event:
    record = ConsumerRecord(
        topic="orders", partition=3, offset=offset, timestamp=1_767_322_800_123, timestamp_type=0, key=key, value=value,
        checksum=None, serialized_key_size=-1, serialized_value_size=-1,
        headers=list(headers.items()),
    )  # fmt: skip
    source = Kafka(KafkaSource(brokers=("a:1", "b:2"), topics=("orders",)), Credentials(), "me")
    return source._event(record)


def test_it_is_named_by_its_place_and_time() -> None:
    assert event_of(b"{}", b"k", headers={"content-type": b"application/json"}) == Event(
        id="3-7-1767322800123", source="kafka://a:1/orders", type="com.dayfly.kafka.message", subject="orders",
        time="2026-01-02T03:00:00.123Z", content_type="application/json", data=b"{}", extensions={"partitionkey": "k"},
    )  # fmt: skip


def test_equal_records_are_two() -> None:
    assert event_of(b"x").id != event_of(b"x", offset=8).id


def test_a_record_without_a_value_has_no_data() -> None:
    assert event_of(None).data == b""


@pytest.mark.parametrize("prefix", ["ce_", "CE_"])
def test_headers_make_it_a_cloudevent(prefix: str) -> None:
    headers = {f"{prefix}{name}": name.encode() for name in ("id", "source", "type")}
    event = event_of(b"d", headers=headers | {f"{prefix}specversion": b"1.0"})
    assert (event.id, event.source, event.type) == ("id", "source", "type")
