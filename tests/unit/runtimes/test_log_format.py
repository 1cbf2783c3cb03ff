"""JSON lines of a log: one object an event, what it names as fields, and the id of the call it is about."""

import json
import logging

import pytest

from dayfly.runtimes.log_event import fields_of, json_time
from dayfly.runtimes.log_format import JsonLines

CALL = "5e0f3c1a-7d52-4b8e-9a3f-0123456789ab"


def line(message: str, *args: object, **more: object) -> dict[str, object]:
    record = logging.LogRecord("dayfly.queue", logging.WARNING, __file__, 1, message, args, None)
    record.created = 1_700_000_000.25
    for name, value in more.items():
        setattr(record, name, value)
    text = JsonLines("queue").format(record)
    assert "\n" not in text
    found: dict[str, object] = json.loads(text)
    return found


def test_an_event_is_an_object_with_what_it_names() -> None:
    assert line("callback failed call=%s function=%s reason=%s", CALL, "hello.ns", "nobody = there\nat all") == {
        "at": "2023-11-14T22:13:20.250Z", "level": "warning", "process": "queue", "logger": "dayfly.queue",
        "message": f"callback failed call={CALL} function=hello.ns reason=nobody = there\nat all", "call_id": CALL,
        "call": CALL, "function": "hello.ns", "reason": "nobody = there\nat all",
    }  # fmt: skip


@pytest.mark.parametrize("text", ["call_id={}: it has", "id={} reason=x", "call='{}'"])
def test_a_call_is_called_the_same_whatever_says_it(text: str) -> None:
    assert line(text.replace("{}", CALL))["call_id"] == CALL
    assert "call_id" not in line(text.replace("{}", "7"))


def test_what_an_event_says_takes_no_other_place() -> None:
    told = line("x level=fatal process=root at=0 message=none logger=mine code=7")
    assert (told["level"], told["process"], told["logger"], told["code"]) == ("warning", "queue", "dayfly.queue", "7")
    assert str(told["at"]).startswith("2023-")


def test_values_are_read_with_and_without_quotes() -> None:
    assert fields_of("change principal='token a b' role=admin path=\"/x y\" n=1") == {
        "principal": "token a b", "role": "admin", "path": "/x y", "n": "1",
    }  # fmt: skip
    assert fields_of("nothing to tell: a=") == {}


def test_a_traceback_is_a_field() -> None:
    try:
        raise ValueError("broken")
    except ValueError as error:
        told = line("bug", exc_info=(ValueError, error, error.__traceback__))
    assert "ValueError: broken" in str(told["traceback"])


def test_moments_are_those_of_rfc_3339() -> None:
    assert json_time(999) == "1970-01-01T00:00:00.999Z"
