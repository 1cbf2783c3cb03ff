"""Subjects of the queue's streams, and how what is small is written into headers."""

import base64
import hashlib
from typing import TypeVar

import msgspec

T = TypeVar("T")


def call_subject(call_id: str, part: str) -> str:
    """Return where a part of a call is kept, or with `*` all of them."""
    return f"dayfly.call.{_token(call_id)}.{part}"


def result_subject(call_id: str) -> str:
    """Return where what came of a call is kept."""
    return f"dayfly.result.{_token(call_id)}"


def key_subject(key: str) -> str:
    """Return where it is kept what an idempotency key stands for."""
    return f"dayfly.key.{hashlib.sha256(key.encode()).hexdigest()}"


def to_header(value: msgspec.Struct) -> str:
    """Return a value as a header's text."""
    return base64.b64encode(msgspec.json.encode(value)).decode()


def of_header(text: str, kind: type[T]) -> T:
    """Return the value that a header has."""
    return msgspec.json.decode(base64.b64decode(text), type=kind)


def _token(call_id: str) -> str:
    """Return the id as one token of a subject, in which a dot would begin another."""
    return call_id.replace("_", "__").replace(".", "_d")
