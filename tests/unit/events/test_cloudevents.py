"""CloudEvents as we read and write them, beside the library of those who specify them."""

import datetime
from typing import Any

import msgspec
import pytest
from cloudevents.core.bindings import http as oracle
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent
from hypothesis import given
from hypothesis import strategies as st

from dayfly.events.cloudevents import BATCH, MAX_BATCH, STRUCTURED, binary_headers, is_json, read_events
from dayfly.model.errors import InvalidRequest
from dayfly.model.event import Event

TEXT = st.text(st.characters(exclude_categories=("C", "Z")), min_size=1, max_size=20)
TEXT_WITH_BLANKS = st.builds("{} {}".format, TEXT, TEXT) | TEXT
NAMES = st.from_regex(r"x[a-z0-9]{0,10}", fullmatch=True)
TIMES = st.datetimes(timezones=st.just(datetime.UTC), min_value=datetime.datetime(1970, 1, 1))  # noqa: DTZ001 # the strategy adds it
EVENTS = st.fixed_dictionaries(
    # Their library says the present time where none is given.
    {"id": TEXT_WITH_BLANKS, "source": TEXT, "type": TEXT, "time": TIMES},
    optional={"subject": TEXT_WITH_BLANKS},
)
JSON = st.recursive(
    st.booleans() | st.integers(-9, 9) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)


def theirs(attributes: dict[str, Any], extensions: dict[str, str], data: Any) -> CloudEvent:
    return CloudEvent({**attributes, **extensions, "specversion": "1.0"}, data)


def same(read: Event, attributes: dict[str, Any], extensions: dict[str, str]) -> bool:
    time = attributes.get("time")
    return (
        (read.id, read.source, read.type) == (attributes["id"], attributes["source"], attributes["type"])
        and read.subject == attributes.get("subject", "")
        and (datetime.datetime.fromisoformat(read.time) if read.time else None) == time
        and read.extensions == extensions
    )


@given(EVENTS, st.dictionaries(NAMES, TEXT_WITH_BLANKS, max_size=3), JSON)
def test_we_read_what_they_write_structured(attributes: dict[str, Any], extensions: dict[str, str], data: Any) -> None:
    written = theirs({**attributes, "datacontenttype": "application/json"}, extensions, data)
    message = oracle.to_structured(written, JSONFormat())
    (read,) = read_events(message.headers.items(), message.body)
    assert same(read, attributes, extensions)
    assert msgspec.json.decode(read.data) == data


@given(EVENTS, st.dictionaries(NAMES, TEXT_WITH_BLANKS, max_size=3), st.binary(max_size=20))
def test_we_read_what_they_write_binary(attributes: dict[str, Any], extensions: dict[str, str], data: bytes) -> None:
    written = theirs({**attributes, "datacontenttype": "application/octet-stream"}, extensions, data)
    message = oracle.to_binary(written, JSONFormat())
    (read,) = read_events(message.headers.items(), message.body)
    assert same(read, attributes, extensions)
    assert (read.data, read.content_type) == (data, "application/octet-stream")


@given(EVENTS, st.dictionaries(NAMES, TEXT_WITH_BLANKS, max_size=3), st.binary(min_size=1, max_size=20))
def test_they_read_what_we_write(attributes: dict[str, Any], extensions: dict[str, str], data: bytes) -> None:
    time = attributes["time"].isoformat() if "time" in attributes else ""
    event = Event(**{**attributes, "time": time}, extensions=extensions, data=data, content_type="text/x")
    headers = binary_headers(event)
    assert all(value.isascii() and value.isprintable() for value in headers.values())
    read = oracle.from_binary(oracle.HTTPMessage(headers, data), JSONFormat())
    assert {name: read.get_attributes()[name] for name in attributes} == attributes
    assert {name: read.get_extension(name) for name in extensions} == extensions
    assert read_events(headers.items(), data) == [event]


@pytest.mark.parametrize(
    "hostile",
    ["text/x\r\nX-Dayfly-Subject: admin", "text/x\n", "text/x\0", "text/x; é", " ", "x" * 300,
     "x\r\nContent-Length: 0\r\n\r\nPOST /ask HTTP/1.1"],
)  # fmt: skip
def test_a_type_of_data_that_is_no_header_is_left_out(hostile: str) -> None:
    """Brokers and tables pass it on unseen, so whoever writes there could add headers that only we may set."""
    event = Event(id="1", source="/s", type="t", subject=hostile, content_type=hostile, extensions={"a": hostile})
    headers = binary_headers(event)
    assert "Content-Type" not in headers
    assert all(value.isascii() and value.isprintable() for value in headers.values())


def structured(**fields: object) -> bytes:
    return msgspec.json.encode({"specversion": "1.0", "id": "1", "source": "/s", "type": "t", **fields})


def test_a_batch_is_its_events_and_one_bad_event_is_none() -> None:
    batch = b"[%b,%b]" % (structured(), structured(id="2", data={"a": 1}))
    first, second = read_events([("Content-Type", BATCH + "; charset=utf-8")], batch)
    assert (first.id, first.data, second.id, second.data) == ("1", b"", "2", b'{"a":1}')
    assert read_events([("content-type", BATCH)], b"[]") == []
    with pytest.raises(InvalidRequest, match="id"):
        read_events([("Content-Type", BATCH)], b"[%b,%b]" % (structured(), structured(id="")))


@pytest.mark.parametrize(
    ("fields", "data", "content_type"),
    [
        ({"data": "text", "datacontenttype": "text/plain"}, b"text", "text/plain"),
        ({"data": "text"}, b'"text"', "application/json"),
        ({"data_base64": "/w==", "datacontenttype": "image/png"}, b"\xff", "image/png"),
        ({"data": None}, b"", ""),
        ({"number": 7, "flag": True, "none": None}, b"", ""),
    ],
)
def test_data_in_json(fields: dict[str, object], data: bytes, content_type: str) -> None:
    (read,) = read_events([("Content-Type", STRUCTURED)], structured(**fields))
    assert (read.data, read.content_type) == (data, content_type)
    assert read.extensions == ({"number": "7", "flag": "true"} if "flag" in fields else {})


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"specversion": "0.3"}, "specversion"), ({"id": ""}, "id"), ({"source": None}, "source"),
        ({"type": 1.5}, "type"), ({"time": "yesterday"}, "time"), ({"BAD": "x"}, "BAD"), ({"a": {}}, "a:"),
        ({"data": 1, "data_base64": "AA=="}, "not both"), ({"data_base64": "???"}, "data_base64"),
        ({"data_base64": 7}, "data_base64"), ({"id": "a\nb"}, "id"), ({"id": "a" * 5000}, "id"),
        ({"datacontenttype": "a\r\nX-Evil: 1"}, "datacontenttype"), ({f"a{n}": "x" for n in range(65)}, "64"),
    ],
)  # fmt: skip
def test_what_is_no_event_is_refused(fields: dict[str, object], named: str) -> None:
    with pytest.raises(InvalidRequest, match=named):
        read_events([("Content-Type", STRUCTURED)], structured(**fields))


BINARY = {"ce-specversion": "1.0", "ce-id": "1", "ce-source": "/s", "ce-type": "t"}


@pytest.mark.parametrize(
    ("headers", "body", "named"),
    [
        ({"Content-Type": "application/json"}, b"{}", "Ce-Specversion"),
        ({**BINARY, "ce-datacontenttype": "x"}, b"", "Content-Type"),
        ({**BINARY, "ce-id": "%FF"}, b"", "UTF-8"),
        ({**BINARY, "ce-subject": "%0d%0aX-Evil:1"}, b"", "subject"),
        ({"Content-Type": STRUCTURED}, b"{", "JSON"),
        ({"Content-Type": STRUCTURED}, b"[" * 100_000, "JSON"),
        ({"Content-Type": STRUCTURED}, b"[]", "object"),
        ({"Content-Type": BATCH}, b"{}", "array"),
        ({"Content-Type": BATCH}, b"[" + b",".join([b"{}"] * (MAX_BATCH + 1)) + b"]", "array"),
        ({"Content-Type": "application/cloudevents+avro"}, b"", "not read"),
    ],
)
def test_a_request_that_holds_no_event_is_refused(headers: dict[str, str], body: bytes, named: str) -> None:
    with pytest.raises(InvalidRequest, match=named):
        read_events(headers.items(), body)


def test_a_header_that_is_given_twice_is_refused_and_a_quoted_one_read() -> None:
    with pytest.raises(InvalidRequest, match="twice"):
        read_events([*BINARY.items(), ("Ce-Id", "2")], b"")
    (read,) = read_events({**BINARY, "ce-subject": r'"a \"b\""'}.items(), b"")
    assert read.subject == 'a "b"'


@pytest.mark.parametrize("text", ["application/json", "Application/JSON; charset=utf-8", "application/x.y+json"])
def test_types_of_json(text: str) -> None:
    assert is_json(text)
    assert not is_json("text/plain")
    assert not is_json("application/jsonx")
