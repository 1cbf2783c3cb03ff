"""CloudEvents 1.0 on HTTP: read in all three modes, and told to functions in the binary one.

Sources: CloudEvents 1.0.2 (core, HTTP protocol binding, JSON format). What a specification leaves open is refused here
rather than guessed: an attribute given twice, data given in two ways.
"""

import base64
import binascii
import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote, unquote

import msgspec

from dayfly.model.errors import InvalidRequest
from dayfly.model.event import Event

STRUCTURED, BATCH = "application/cloudevents+json", "application/cloudevents-batch+json"
MAX_BATCH = 1_000
MAX_ATTRIBUTES, MAX_VALUE = 64, 4_096
_NAME = re.compile(r"[a-z0-9]{1,64}", re.ASCII)
_TIME = re.compile(
    r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d{1,12})?([Zz]|[+-]\d\d:\d\d)", re.ASCII
)  # RFC 3339, section 5.6
_JSON = re.compile(r"application/json|text/json|[a-z]+/[a-z0-9.!#$&^_-]+\+json", re.ASCII | re.IGNORECASE)
_TYPE = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]{0,254}[\x21-\x7e])?")
_PRINTED = "".join(chr(code) for code in range(0x21, 0x7F) if chr(code) not in '"%')
_OWN = frozenset(("id", "source", "type", "subject", "time", "datacontenttype", "specversion"))


def is_json(content_type: str) -> bool:
    """Whether data of this type is a JSON document."""
    return _JSON.fullmatch(content_type.partition(";")[0].strip()) is not None


def read_events(headers: Iterable[tuple[str, str]], body: bytes) -> list[Event]:
    """Return the events of a request, whichever mode it is in. Raises InvalidRequest with what is wrong."""
    told: dict[str, str] = {}
    for name, value in headers:
        lowered = name.lower()
        if lowered in told and (lowered.startswith("ce-") or lowered == "content-type"):
            raise InvalidRequest(f"The header {name} is given twice")
        told[lowered] = value.strip()
    media = told.get("content-type", "").partition(";")[0].strip().lower()
    if media == STRUCTURED:
        return [_structured(_decode(body))]
    if media == BATCH:
        found = _decode(body)
        if not isinstance(found, list) or len(found) > MAX_BATCH:
            raise InvalidRequest(f"A batch is a JSON array of at most {MAX_BATCH} events")
        return [_structured(each) for each in found]
    if media.startswith("application/cloudevents"):
        raise InvalidRequest(f"{media[:80]} is not read here; send {STRUCTURED}, {BATCH}, or headers Ce-…")
    if "ce-specversion" not in told:
        raise InvalidRequest(f"No CloudEvent: there is no header Ce-Specversion, and the body is not {STRUCTURED}")
    attributes = {name[3:]: _unquoted(name, value) for name, value in told.items() if name.startswith("ce-")}
    if "datacontenttype" in attributes:
        raise InvalidRequest("The header Ce-Datacontenttype is not allowed; Content-Type says it")
    return [event_of(attributes, told.get("content-type", ""), body)]


def binary_headers(event: Event) -> dict[str, str]:
    """Return the headers that tell of the event beside its data, all of them printable ASCII.

    A type of data that cannot be a header's value, as brokers pass it on unseen, is left out.
    """
    told = {"specversion": "1.0", "id": event.id, "source": event.source, "type": event.type}
    told |= {"subject": event.subject, "time": event.time, **event.extensions}
    headers = {f"Ce-{name.capitalize()}": quoted(value) for name, value in told.items() if value}
    if _TYPE.fullmatch(event.content_type):
        headers["Content-Type"] = event.content_type
    return headers


def quoted(text: str) -> str:
    """Return text as a header's value: all but printable ASCII in percent encoding (HTTP binding, section 3.1.3.2)."""
    return quote(text, safe=_PRINTED)


def is_name(text: str) -> bool:
    """Whether an attribute can be called so (core, section 3.1)."""
    return _NAME.fullmatch(text) is not None


def _unquoted(name: str, value: str) -> str:
    if len(value) >= 2 and value[0] == value[-1] == '"':
        value = re.sub(r"\\(.)", r"\1", value[1:-1])
    try:
        return unquote(value, errors="strict")
    except UnicodeDecodeError:
        raise InvalidRequest(f"The header {name} holds what is not UTF-8") from None


def _decode(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidRequest(f"The body is not JSON: {error}") from None


def _structured(given: Any) -> Event:
    if not isinstance(given, dict):
        raise InvalidRequest("An event in JSON is an object")
    attributes = {name: _canonical(name, value) for name, value in given.items() if name not in ("data", "data_base64")}
    attributes = {name: value for name, value in attributes.items() if value}
    content_type = attributes.pop("datacontenttype", "")
    if given.get("data") is not None and given.get("data_base64") is not None:
        raise InvalidRequest("An event has data or data_base64, not both")
    data = given.get("data")
    if given.get("data_base64") is not None:
        return event_of(attributes, content_type, _bytes(given["data_base64"]))
    if data is None:
        return event_of(attributes, content_type, b"")
    if isinstance(data, str) and content_type and not is_json(content_type):
        return event_of(attributes, content_type, data.encode())
    return event_of(attributes, content_type or "application/json", msgspec.json.encode(data))


def event_of(attributes: Mapping[str, str], content_type: str, data: bytes) -> Event:
    """Return the event that has these attributes, of which `specversion` is one. Raises InvalidRequest."""
    if attributes.get("specversion") != "1.0":
        raise InvalidRequest("specversion: must be 1.0")
    if len(attributes) > MAX_ATTRIBUTES:
        raise InvalidRequest(f"An event has at most {MAX_ATTRIBUTES} attributes")
    for name, value in (*attributes.items(), ("datacontenttype", content_type)):
        if not is_name(name):
            raise InvalidRequest(f"{name[:64]!r} is no attribute's name: letters a-z and digits alone")
        if len(value) > MAX_VALUE or not value.isprintable():
            raise InvalidRequest(f"{name}: is longer than {MAX_VALUE} characters, or has some that do not print")
    for name in ("id", "source", "type"):
        if not attributes.get(name):
            raise InvalidRequest(f"{name}: is required")
    if attributes.get("time") and not _TIME.fullmatch(attributes["time"]):
        raise InvalidRequest(f"time: {attributes['time'][:40]!r} is not a time as 2026-11-29T09:00:00Z")
    if not content_type.isascii():
        raise InvalidRequest("datacontenttype: must be ASCII")
    return Event(
        id=attributes["id"],
        source=attributes["source"],
        type=attributes["type"],
        subject=attributes.get("subject", ""),
        time=attributes.get("time", ""),
        content_type=content_type,
        data=data,
        extensions={name: value for name, value in attributes.items() if name not in _OWN and value},
    )


def _canonical(name: str, value: Any) -> str:
    """Return an attribute's value as text (core, section 3.1)."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None or isinstance(value, str | int):
        return "" if value is None else str(value)
    raise InvalidRequest(f"{name[:64]}: must be a text, a whole number or true or false")


def _bytes(text: Any) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, TypeError, ValueError):
        raise InvalidRequest("data_base64: is not base64") from None
