"""`dayfly trigger`: what it sends, what it prints, and what it refuses before anything is asked."""

import base64
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from dayfly.cli.trigger import KINDS
from dayfly.cli.trigger_source import settings_of
from dayfly.client.trigger_kinds import kinds
from dayfly.model.trigger import TriggerSpec
from dayfly.model.trigger_source import FunctionSource

Run = Callable[..., Any]


def sent(platform: Any) -> dict[str, Any]:
    """Return what the last request wrote."""
    found = [request for request in platform.requests if request.method in ("PUT", "POST")][-1]
    told: dict[str, Any] = msgspec.json.decode(found.content)
    return told


def test_every_kind_can_be_asked_for_and_is_listed(dayfly: Run) -> None:
    assert tuple(sorted(kinds())) == KINDS
    listed = dayfly("trigger", "kinds").stdout
    assert all(kind in listed for kind in KINDS)
    for kind in KINDS:
        assert settings_of(kind)[0][0] == "secret"
    assert "qos" in dayfly("trigger", "kinds", "mqtt").stdout
    assert ("port", "number", "1883, with tls 8883") in settings_of("mqtt")
    ports = {kind: setting for kind in KINDS for setting in settings_of(kind) if setting[0] == "port"}
    assert all(usual.partition(",")[0].isdigit() and usual != "0" for _, _, usual in ports.values()), ports


@pytest.mark.parametrize(
    ("args", "source"),
    [
        (["--kind", "cron", "--set", "schedule=0 9 * * *", "--set", "missed=skip"],
         {"kind": "cron", "schedule": "0 9 * * *", "missed": "skip"}),
        (["--kind", "mqtt", "--set", "host=m.example.org", "--set", "topics=a,b", "--set", "topics=c", "--set",
          "qos=2", "--set", "tls=true", "--secret", "broker"],
         {"kind": "mqtt", "host": "m.example.org", "topics": ["a", "b", "c"], "qos": 2, "tls": True,
          "secret": "broker"}),
        (["--kind", "amqp", "--set", "host=m", "--set", "port=7", "--set", "exchange=e", "--set", "routing-keys=a"],
         {"kind": "amqp", "host": "m", "port": 7, "exchange": "e", "routing_keys": ["a"]}),
        (["--kind", "event"], {"kind": "event"}),
        (["--kind", "webhook", "--secret", "hook"], {"kind": "webhook", "secret": "hook"}),
    ],
)  # fmt: skip
def test_what_a_source_is_told(dayfly: Run, platform: Any, args: list[str], source: dict[str, Any]) -> None:
    done = dayfly("trigger", "create", "orders", "--function", "hello", "--filter", "data", *args)
    assert done.exit_code == 0, done.stderr
    assert sent(platform) == {"name": "orders", "function": "hello", "source": source, "filter": "data"}
    assert ("/hooks/openfaas-fn/orders" in done.stdout) is (source["kind"] == "webhook")
    assert dayfly("trigger", "create", "orders", *args).exit_code == 73
    assert dayfly("trigger", "create", "orders", "--replace", *args).exit_code == 0


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["--kind", "mqtt", "--set", "hots=m"], "no such setting"),
        (["--kind", "mqtt", "--set", "host"], "no such setting"),
        (["--kind", "mqtt", "--set", "secret=x"], "no such setting"),
        (["--kind", "mqtt", "--set", "host=m"], "topics"),
        (["--kind", "mqtt", "--set", "host=m", "--set", "topics=a", "--set", "qos=7"], "qos"),
        (["--kind", "cron", "--set", "schedule=@daily", "--set", "missed=never"], "missed"),
        (["--kind", "webhook"], "source.secret"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_asked(
    dayfly: Run, platform: Any, args: list[str], says: str
) -> None:
    done = dayfly("trigger", "create", "orders", "--function", "hello", *args)
    assert done.exit_code == 64
    assert says in done.stderr
    assert not [request for request in platform.requests if request.method == "PUT"]


def test_one_is_listed_described_paused_resumed_tried_and_removed(dayfly: Run, platform: Any) -> None:
    assert dayfly("trigger", "list").stdout == "No triggers found.\n"
    dayfly("trigger", "create", "then", "--function", "hello", "--kind", "function", "--set", "name=first")
    kept = platform.triggers["openfaas-fn", "then"].spec
    assert kept == TriggerSpec(name="then", function="hello", source=FunctionSource(name="first"))
    assert "then" in dayfly("trigger", "list").stdout
    assert dayfly("trigger", "list", "--output", "name").stdout == "then\n"
    assert "kind function; name first" in dayfly("trigger", "describe", "then").stdout
    dayfly("trigger", "create", "orders", "--kind", "nats", "--set", "servers=a,b", "--set", "subjects=x")
    assert "kind nats; servers a, b; subjects x" in dayfly("trigger", "describe", "orders").stdout
    dayfly("trigger", "pause", "then")
    assert platform.triggers["openfaas-fn", "then"].spec.paused
    dayfly("trigger", "resume", "then")
    assert not platform.triggers["openfaas-fn", "then"].spec.paused
    done = dayfly("trigger", "test", "then", "--data", '{"a": 1}', "--subject", "eu")
    assert done.stdout.startswith("Event delivered: ")
    told = sent(platform)
    assert (told["specversion"], told["type"], told["subject"]) == ("1.0", "com.dayfly.test", "eu")
    assert base64.b64decode(told["data_base64"]) == b'{"a": 1}'
    assert dayfly("trigger", "remove", "then").stdout == "Trigger removed: then\n"
    for verb in ("describe", "pause", "resume", "remove", "test"):
        assert dayfly("trigger", verb, "then").exit_code == 66
