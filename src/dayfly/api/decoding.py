"""Requests as structs: bodies read within limits and decoded strictly, query strings by the same rules.

Whatever is wrong with the JSON becomes one InvalidRequest that says where. The limits are for an API of small
documents: code travels as a bundle, by another way (threat T13).
"""

import itertools
import re
from typing import TypeVar

import msgspec
from starlette.requests import Request

from dayfly.model.errors import InvalidRequest, PayloadTooLarge

MAX_JSON_BYTES = 1024 * 1024
MAX_JSON_DEPTH = 64

T = TypeVar("T")
_CODE = "Code is uploaded as a bundle to /v1/namespaces/NAMESPACE/bundles/, not inside a document"
_BODY = "dayfly.body"
_STRINGS = re.compile(rb'"(?:[^"\\]|\\.)*+"', re.DOTALL)
_NOT_BRACKETS = bytes(byte for byte in range(256) if byte not in b"[]{}")
_STEP = {ord("["): 1, ord("{"): 1, ord("]"): -1, ord("}"): -1}


async def read_json(request: Request, kind: type[T]) -> T:
    """Return the request's body as a `kind`. Raises InvalidRequest, PayloadTooLarge."""
    return decode_json(await read_body(request, MAX_JSON_BYTES), kind)


async def read_body(request: Request, limit_bytes: int, *, hint: str = _CODE) -> bytes:
    """Return the body, counted while it comes; asked again, return it again.

    Raises PayloadTooLarge before more than `limit_bytes` are held.
    """
    known: bytes | None = request.scope.get(_BODY)
    if known is not None:
        return known
    declared = request.headers.get("content-length", "")
    if declared.isascii() and declared.isdigit() and int(declared[:18]) > limit_bytes:
        raise _too_large(limit_bytes, hint)
    pieces, size = [], 0
    async for piece in request.stream():
        size += len(piece)
        if size > limit_bytes:
            raise _too_large(limit_bytes, hint)
        pieces.append(piece)
    request.scope[_BODY] = body = b"".join(pieces)
    return body


def noted_body(request: Request) -> bytes:
    """Return the body as far as it was read as a document; empty otherwise, for whoever tells of requests."""
    body: bytes = request.scope.get(_BODY, b"")
    return body


def decode_json(data: bytes, kind: type[T]) -> T:
    """Return the JSON document as a `kind`. Raises InvalidRequest with the path of what is wrong."""
    if not data.strip():
        raise InvalidRequest("The request needs a JSON body")
    if json_depth(data) > MAX_JSON_DEPTH:
        raise InvalidRequest(f"The JSON body is nested deeper than {MAX_JSON_DEPTH} levels")
    try:
        return msgspec.json.decode(data, type=kind)
    except UnicodeDecodeError:
        raise InvalidRequest("The JSON body is not UTF-8") from None
    except msgspec.DecodeError as error:
        raise InvalidRequest(f"The JSON body is not what this call takes: {error}") from None


def read_query(request: Request, kind: type[T]) -> T:
    """Return the query string as a `kind`; of a repeated parameter the last counts. Raises InvalidRequest."""
    try:
        return msgspec.convert(dict(request.query_params), kind, strict=False)
    except msgspec.ValidationError as error:
        raise InvalidRequest(f"The query string is not what this call takes: {error}") from None


def check_count(name: str, asked: int, most: int) -> None:
    """Refuse a number of things that is none, or more than one answer may have. Raises InvalidRequest."""
    if not 1 <= asked <= most:
        raise InvalidRequest(f"{name}: {asked} must be from 1 to {most}")


def json_depth(data: bytes) -> int:
    """Return how deep arrays and objects are nested; a few bytes are enough for an upper bound."""
    bound = data.count(b"[") + data.count(b"{")
    if bound <= MAX_JSON_DEPTH:
        return bound
    brackets = _STRINGS.sub(b"", data).translate(None, _NOT_BRACKETS)
    return max(itertools.accumulate(map(_STEP.__getitem__, brackets)), default=0)


def _too_large(limit_bytes: int, hint: str) -> PayloadTooLarge:
    return PayloadTooLarge(f"The body is larger than {limit_bytes} bytes, the limit of this call", hint=hint)
