"""What a trigger may say, judged where it is read."""

from typing import Any

import msgspec
import pytest

from dayfly.model.endpoint import Endpoint, parse_endpoint
from dayfly.model.errors import InvalidRequest, InvalidSpec
from dayfly.model.trigger import TriggerSpec
from dayfly.model.trigger_secret import Credentials
from dayfly.model.trigger_source import EventSource

KINDS: dict[str, dict[str, Any]] = {
    "cron": {"schedule": "@every 5m"},
    "webhook": {"secret": "hook"},
    "event": {"types": ["com.example.*"]},
    "function": {"name": "shop"},
    "nats": {"servers": ["nats.example.org"], "subjects": ["a.>"]},
    "kafka": {"brokers": ["k1:9092", "k2"], "topics": ["orders"]},
    "mqtt": {"host": "mqtt.example.org", "topics": ["a/+/#"]},
    "amqp": {"host": "10.0.0.7", "exchange": "orders", "routing_keys": ["a.#"]},
    "redis": {"host": "::1", "streams": ["orders"]},
    "postgresql": {"host": "db", "database": "shop", "channels": ["orders"]},
    "s3": {"endpoint": "https://s3.example.org", "bucket": "in-box"},
    "files": {"folder": "/srv/in"},
}


def spec(kind: str, **fields: object) -> TriggerSpec:
    source = {"kind": kind, **KINDS[kind], **fields}
    return msgspec.convert({"name": "orders", "function": "shop", "source": source}, TriggerSpec)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_read_and_written_back(kind: str) -> None:
    read = spec(kind)
    read.check()
    assert read.source.kind == kind
    assert msgspec.json.decode(msgspec.json.encode(read), type=TriggerSpec) == read


@pytest.mark.parametrize(
    ("kind", "fields", "named"),
    [
        ("webhook", {"secret": ""}, "source.secret"),
        ("webhook", {"secret": "../key"}, "secret name"),
        ("webhook", {"header": "Host"}, "source.header"),
        ("webhook", {"window": "2h"}, "source.window"),
        ("webhook", {"max_body": "9Mi"}, "source.max_body"),
        ("webhook", {"max_body": "much"}, "source.max_body"),
        ("event", {"types": [""]}, "source.types"),
        ("event", {"secret": "key"}, "source.secret"),
        ("function", {"name": "../shop"}, "function name"),
        ("nats", {"servers": []}, "source.servers"),
        ("nats", {"servers": ["a:b@host:4222"]}, "source.servers"),
        ("nats", {"servers": ["host:0"]}, "source.servers"),
        ("nats", {"subjects": ["a b"]}, "source.subjects"),
        ("nats", {"durable": "a.b"}, "source.durable"),
        ("kafka", {"brokers": ["k"] * 21}, "source.brokers"),
        ("kafka", {"topics": ["a/b"]}, "source.topics"),
        ("kafka", {"group": "a b"}, "source.group"),
        ("mqtt", {"host": "mqtt://example.org"}, "source.host"),
        ("mqtt", {"host": "0x7f000001"}, "source.host"),
        ("mqtt", {"port": 65_536}, "source.port"),
        ("mqtt", {"port": -1}, "source.port"),
        ("mqtt", {"topics": ["a\nb"]}, "source.topics"),
        ("mqtt", {"topics": ["a" * 1001]}, "source.topics"),
        ("mqtt", {"topics": ["a"] * 101}, "source.topics"),
        ("mqtt", {"client_id": "a b"}, "source.client_id"),
        ("amqp", {"exchange": "", "routing_keys": []}, "a queue"),
        ("amqp", {"exchange": "", "queue": "q"}, "source.routing_keys"),
        ("redis", {"db": -1}, "source.db"),
        ("redis", {"streams": []}, "source.streams"),
        ("redis", {"field": "a\nb"}, "source.field"),
        ("postgresql", {"channels": []}, "source.channels"),
        ("postgresql", {"outbox": "a; DROP TABLE b"}, "source.outbox"),
        ("postgresql", {"database": ""}, "source.database"),
        ("s3", {"endpoint": "https://key:secret@s3.example.org"}, "source.endpoint"),
        ("s3", {"endpoint": "https://s3.example.org/path"}, "source.endpoint"),
        ("s3", {"endpoint": "file:///etc"}, "source.endpoint"),
        ("s3", {"bucket": "../b"}, "source.bucket"),
        ("s3", {"events": []}, "source.events"),
        ("s3", {"interval": "0s"}, "source.interval"),
        ("s3", {"interval": "soon"}, "source.interval"),
        ("files", {"folder": "in"}, "source.folder"),
        ("files", {"folder": "/srv/../etc"}, "source.folder"),
        ("files", {"pattern": "../*"}, "source.pattern"),
        ("files", {"interval": "1ms"}, "source.interval"),
        ("files", {"max_size": "65Mi"}, "source.max_size"),
        ("files", {"max_size": "much"}, "source.max_size"),
    ],
)  # fmt: skip
def test_a_source_that_cannot_work_is_refused_with_the_fields_name(
    kind: str, fields: dict[str, object], named: str
) -> None:
    with pytest.raises(InvalidRequest, match=named):
        spec(kind, **fields).check()


@pytest.mark.parametrize("kind", KINDS)
def test_what_no_kind_knows_is_refused(kind: str) -> None:
    with pytest.raises(msgspec.ValidationError, match="unknown field"):
        spec(kind, passwort="s3cret")


@pytest.mark.parametrize(
    "fields",
    [
        {"name": "Orders"},
        {"namespace": "../x"},
        {"function": "shop.other"},
        {"filter": "a" * 2001},
        {"flow": "Ship"},
        {"function": "shop", "flow": "ship"},
        {"flow": "ship", "function": "", "bound": True},
    ],
)
def test_a_trigger_that_cannot_be_kept_is_refused(fields: dict[str, object]) -> None:
    with pytest.raises(InvalidRequest):
        msgspec.structs.replace(spec("cron"), **fields).check()


def test_the_places_that_a_source_connects_to() -> None:
    assert spec("kafka").source.endpoints == (Endpoint("k1", 9092), Endpoint("k2", 9092))
    assert spec("mqtt", tls=True).source.endpoints == (Endpoint("mqtt.example.org", 8883),)
    assert spec("mqtt", port=7).source.endpoints == (Endpoint("mqtt.example.org", 7),)
    assert str(spec("redis").source.endpoints[0]) == "[::1]:6379"
    assert spec("s3", endpoint="http://S3.example.org").source.endpoints == (Endpoint("s3.example.org", 80),)
    assert spec("files").source.endpoints == spec("webhook").source.endpoints == ()


@pytest.mark.parametrize("text", ["::1", "[::1", "[a]:1", "", "a:", "a:65536", "a/b", "a@b", "1.2.3", "a b"])
def test_what_is_no_host(text: str) -> None:
    with pytest.raises(InvalidSpec, match="field"):
        parse_endpoint("field", text, 1)


def test_events_are_taken_by_type_and_source() -> None:
    source = spec("event", types=["com.example.*", "exact[1]"], sources=["/shop?*"]).source
    assert isinstance(source, EventSource)
    takes = source.takes
    assert takes("com.example.order", "/shop?x")
    assert takes("exact[1]", "/shop?")
    assert not takes("exact1", "/shop?x")
    assert not takes("com.other", "/shop?x")
    assert not takes("com.example.order", "/shopax")


def test_what_is_in_a_secret() -> None:
    assert Credentials.parse(b"mia:pass:word\n") == Credentials(user="mia", password="pass:word")
    assert Credentials.parse(b"opaque\n") == Credentials(token="opaque")
    assert Credentials.parse(b' {"user": "mia", "ca": "PEM"}') == Credentials(user="mia", ca="PEM")


@pytest.mark.parametrize("content", [b"\xff", b'{"passwort": "s3cret"}', b'{"user": 5}', b"{s3cret"])
def test_a_secret_that_cannot_be_read_is_not_shown(content: bytes) -> None:
    with pytest.raises(InvalidSpec, match="must hold") as refused:
        Credentials.parse(content)
    assert "s3cret" not in str(refused.value)
    assert "s3cret" not in repr(Credentials(user="mia", password="s3cret"))
