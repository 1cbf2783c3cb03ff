"""What travels through a flow: JSON, made of the bodies of requests and answers, and made into bodies again.

A text stays a text, whatever is in it, and what is neither JSON nor text becomes an object of its media type and its
bytes in base64; so an image that one function answers reaches the next as it was.
"""

import base64
import binascii
import re
from typing import Any

import msgspec

from dayfly.model.errors import InvalidRequest, PayloadTooLarge

MAX_DATA_BYTES = 1_048_576
"""The largest input, body or result, as it is kept."""
MAX_DEPTH = 64
TEXT, JSON, BYTES = "text/plain; charset=utf-8", "application/json", "application/octet-stream"
_JSON_TYPE = re.compile(r"application/(?:[\w.+-]+\+)?json\s*(?:;.*)?", re.IGNORECASE)
_TEXT_TYPE = re.compile(r"text/.*|application/(?:xml|yaml|x-www-form-urlencoded)\s*(?:;.*)?", re.IGNORECASE)
_TYPE = re.compile(r"[\w!#$&^.+-]+/[\w!#$&^.+-]+(?:\s*;[\x20-\x7e]*)?", re.ASCII)


def to_data(body: bytes, media_type: str) -> Any:
    """Return a body as data; an empty one is nothing. Raises PayloadTooLarge, and InvalidRequest for wrong JSON."""
    if not body:
        return None
    if len(body) > MAX_DATA_BYTES:
        raise PayloadTooLarge(f"{len(body)} bytes are more than a flow takes, {MAX_DATA_BYTES}")
    if _JSON_TYPE.fullmatch(media_type):
        try:
            data = msgspec.json.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise InvalidRequest(f"The body is said to be JSON and is not: {error}") from None
        _check_depth(data)
    else:
        data = _other(body, media_type)
    if (size_bytes := size_of(data)) > MAX_DATA_BYTES:
        raise PayloadTooLarge(f"{size_bytes} bytes are more than a flow keeps of one value, {MAX_DATA_BYTES}")
    return data


def to_body(data: Any) -> tuple[bytes, str]:
    """Return the body that data travel in, and its media type."""
    if data is None:
        return b"", TEXT
    if isinstance(data, str):
        return data.encode("utf-8", "replace"), TEXT
    if isinstance(data, dict) and data.keys() == {"content_type", "base64"}:
        kind, text = data["content_type"], data["base64"]
        if isinstance(kind, str) and isinstance(text, str) and _TYPE.fullmatch(kind):
            try:
                return base64.b64decode(text, validate=True), kind
            except (binascii.Error, ValueError):
                pass  # then it is just an object that looks like one
    return msgspec.json.encode(data), JSON


def size_of(data: Any) -> int:
    """Return how many bytes data take as JSON."""
    return len(msgspec.json.encode(data))


def _other(body: bytes, media_type: str) -> Any:
    if not media_type or _TEXT_TYPE.fullmatch(media_type):
        try:
            return body.decode()
        except UnicodeDecodeError:
            pass
    return {"content_type": media_type or BYTES, "base64": base64.b64encode(body).decode()}


def _check_depth(data: Any) -> None:
    level, depth = [data], 0
    while level:
        depth += 1
        if depth > MAX_DEPTH:
            raise InvalidRequest(f"The JSON is nested deeper than {MAX_DEPTH} levels")
        level = [
            part
            for one in level
            if isinstance(one, list | dict)
            for part in (one.values() if isinstance(one, dict) else one)
        ]
