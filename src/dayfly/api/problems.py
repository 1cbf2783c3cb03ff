"""Errors as HTTP: the only place that turns one of ours into a status, headers and a body.

The native API answers problem+json (RFC 9457). The OpenFaaS face answers one line of plain text, as Go's `http.Error`
writes it, because its clients print the body as it is.
"""

import math

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from dayfly.api.routes import ErrorForm
from dayfly.model.errors import DayflyError, MethodNotAllowed, Unauthenticated
from dayfly.model.status import Problem

PROBLEM_JSON = "application/problem+json"
_PROMETHEUS_KINDS = {
    400: "bad_data", 401: "unauthorized", 403: "forbidden", 404: "not_found", 422: "execution", 429: "unavailable",
    503: "unavailable",
}  # fmt: skip
CHALLENGE = 'Basic realm="Restricted"'


def refuse(error: DayflyError, request: Request, form: ErrorForm) -> Response:
    """Return the answer that tells a caller about `error`."""
    headers = _headers(error, request)
    if form == "plain":
        headers["Content-Type"] = "text/plain; charset=utf-8"
        return Response(_line(error), error.status, headers)
    if form == "prometheus":
        headers["Content-Type"] = "application/json"
        kind = _PROMETHEUS_KINDS.get(error.status, "internal")
        told = {"status": "error", "errorType": kind, "error": _printable(_sentence(error))}
        return Response(msgspec.json.encode(told), error.status, headers)
    headers["Content-Type"] = PROBLEM_JSON
    return Response(msgspec.json.encode(to_problem(error, request)), error.status, headers)


def to_problem(error: DayflyError, request: Request) -> Problem:
    """Return `error` as the members of a problem document."""
    return Problem(
        type=f"urn:dayfly:problem:{error.code}",
        title=error.code.replace("_", " ").capitalize(),
        status=error.status,
        detail=_printable(error.message),
        instance=_printable(request.url.path),
        code=error.code,
        retryable=error.retryable,
        hint=_printable(error.hint),
        call_id=_printable(request.headers.get("x-call-id", "")),
    )


def _headers(error: DayflyError, request: Request) -> dict[str, str]:
    headers = {}
    if isinstance(error, Unauthenticated) and "sec-fetch-mode" not in request.headers:
        # A browser that sees this challenge asks for a password and then sends it along with every request to this
        # origin, forged ones too. Browsers, and only they, send Sec-Fetch-Mode (threat T4).
        headers["WWW-Authenticate"] = CHALLENGE
    if isinstance(error, MethodNotAllowed):
        headers["Allow"] = error.allow
    if error.retry_after_s > 0:
        headers["Retry-After"] = str(math.ceil(error.retry_after_s))
    return headers


def _line(error: DayflyError) -> str:
    if isinstance(error, Unauthenticated):
        return "invalid credentials"
    return _printable(_sentence(error)) + "\n"


def _sentence(error: DayflyError) -> str:
    return f"{error.message} ({error.hint})" if error.hint else error.message


def _printable(text: str) -> str:
    return text.encode("utf-8", "replace").decode()
