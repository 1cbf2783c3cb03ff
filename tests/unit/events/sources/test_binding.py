"""Messages that are CloudEvents, and those that only say so."""

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dayfly.events.sources.binding import event_in
from dayfly.model.event import Event

NAMES = {"specversion": "1.0", "id": "1", "source": "/s", "type": "t"}
STRUCTURED = "application/cloudevents+json; charset=utf-8"


def structured(**members: object) -> Event | None:
    return event_in(STRUCTURED, json.dumps(NAMES | members).encode(), {})


def test_a_message_that_says_nothing_is_none() -> None:
    assert event_in("application/json", b"{}", {"id": "1", "source": "/s", "type": "t"}) is None


def test_binary_mode_is_attributes_and_a_body() -> None:
    event = event_in("text/plain", b"\x00", NAMES | {"subject": "x", "colour": "red", "Not-A-Name": "1"})
    assert event == Event(
        id="1",
        source="/s",
        type="t",
        subject="x",
        content_type="text/plain",
        data=b"\x00",
        extensions={"colour": "red"},
    )


@pytest.mark.parametrize(
    ("members", "content_type", "data"),
    [
        ({}, "", b""),
        ({"data": {"a": 1}}, "application/json", b'{"a":1}'),
        ({"data": "text"}, "application/json", b'"text"'),
        ({"data": "text", "datacontenttype": "text/plain"}, "text/plain", b"text"),
        ({"data": [1], "datacontenttype": "application/vnd.x+json"}, "application/vnd.x+json", b"[1]"),
        ({"data_base64": base64.b64encode(b"\xff").decode(), "datacontenttype": "image/x"}, "image/x", b"\xff"),
    ],
)
def test_structured_mode_is_one_object(members: dict[str, object], content_type: str, data: bytes) -> None:
    event = structured(**members)
    assert event is not None
    assert (event.content_type, event.data, event.extensions) == (content_type, data, {})


def test_extensions_are_told_as_text() -> None:
    event = structured(count=3, sure=True, void=None, word="w")
    assert event is not None
    assert event.extensions == {"count": "3", "sure": "true", "word": "w"}


@pytest.mark.parametrize(
    "lacking", [{"id": ""}, {"type": None}, {"specversion": "2.0"}, {"data_base64": "not that"}, {"time": "noon"}]
)
def test_what_lacks_something_is_a_message_like_any_other(lacking: dict[str, object]) -> None:
    assert structured(**lacking) is None


@given(st.binary())
def test_no_body_is_too_much_for_it(body: bytes) -> None:
    event_in(STRUCTURED, body, {})
