"""Questions in the form of Prometheus' own API: what a request asks, and what every answer has around it."""

import math
import re
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import Response

from dayfly.api.decoding import read_body
from dayfly.api.responses import json_answer
from dayfly.api.scope import principal_of
from dayfly.api.services import Services
from dayfly.model.errors import InvalidRequest
from dayfly.observe.promql.lexer import duration_ms

MAX_FORM_BYTES = 256 * 1024
EVER_MS = 2**53
_SPAN = re.compile(r"(?:[0-9]+(?:ms|[smhdwy]))+")
Asked = list[tuple[str, str]]


async def read_asked(request: Request) -> Asked:
    """Return what the query string says, and the form of a POST. Raises InvalidRequest, PayloadTooLarge."""
    found = list(request.query_params.multi_items())
    if request.method == "POST":
        body = await read_body(request, MAX_FORM_BYTES, hint="Ask for less at a time")
        try:
            found += parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=1000)
        except ValueError as error:
            raise InvalidRequest(f"the form cannot be read: {error}") from None
    return found


async def passed_on(services: Services, request: Request, asked: Asked) -> Response | None:
    """Return what the operator's own Prometheus says, where there is one and who asks may see everything.

    Raises Unavailable.
    """
    prometheus = services.history.prometheus
    if prometheus is None or not principal_of(request).is_everywhere:
        return None
    reply = await prometheus.ask(request.url.path, asked)
    return Response(reply.body, reply.status, media_type="application/json")


def given(asked: Asked, name: str) -> str:
    """Return a parameter, the first that says something where there are several; empty where none does."""
    return next((text for each, text in asked if each == name and text), "")


def one(asked: Asked, name: str) -> str:
    """Return a parameter that has to be given. Raises InvalidRequest."""
    found = given(asked, name)
    if not found:
        raise InvalidRequest(f'invalid parameter "{name}": it is not given')
    return found


def moment(asked: Asked, name: str, default: int | None) -> int:
    """Return a time in milliseconds, given as seconds since 1970 or as RFC 3339 has it.

    Raises InvalidRequest, also where there is none and no default.
    """
    text = given(asked, name)
    if not text and default is not None:
        return default
    try:
        seconds = float(text)
    except ValueError:
        try:
            seconds = datetime.fromisoformat(text).timestamp()
        except ValueError:
            raise InvalidRequest(
                f'invalid parameter "{name}": cannot parse {text[:40]!r} to a valid timestamp'
            ) from None
    if not 0 <= seconds < EVER_MS / 1000:
        raise InvalidRequest(f'invalid parameter "{name}": cannot parse {text[:40]!r} to a valid timestamp')
    return round(seconds * 1000)


def step_ms(text: str) -> int:
    """Return a step in milliseconds, given as seconds or as a duration. Raises InvalidRequest."""
    if _SPAN.fullmatch(text) and len(text) < 40:
        return duration_ms(text)
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds < EVER_MS / 1000:
        raise InvalidRequest(f'invalid parameter "step": cannot parse {text[:40]!r} to a valid duration')
    return max(1, round(seconds * 1000))


def success(data: Any, warnings: Sequence[str] = ()) -> Response:
    """Return an answer with these data."""
    return json_answer({"status": "success", "data": data} | ({"warnings": warnings} if warnings else {}))


def limit_of(asked: Asked) -> int | None:
    """Return how many are wanted at most, None for all. Raises InvalidRequest."""
    text = given(asked, "limit") or "0"
    if not (text.isascii() and text.isdigit() and len(text) < 20):
        raise InvalidRequest(f'invalid parameter "limit": {text[:40]!r} is no whole number from 0')
    return int(text) or None


def limited(asked: Asked, found: Sequence[Any]) -> Response:
    """Return an answer with as much of what was found as is wanted. Raises InvalidRequest."""
    limit = limit_of(asked)
    if limit is None or len(found) <= limit:
        return success(found)
    return success(found[:limit], ["results truncated due to limit"])


def number(value: float) -> str:
    """Return a number as Prometheus writes it: no exponent, no zeros that say nothing."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    if value == int(value) and abs(value) < 1e15:
        return "-0" if value == 0 and math.copysign(1, value) < 0 else str(int(value))
    text = repr(value)
    return format(Decimal(text), "f") if "e" in text else text
