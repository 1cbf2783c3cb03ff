"""A Prometheus of the operator's own, which is asked instead of our history: its answers are passed on as they are."""

import asyncio
import base64
import http.client
import urllib.error
import urllib.parse
import urllib.request
from http import HTTPStatus

import msgspec

from dayfly.model.errors import Unavailable

_TIMEOUT_S = 30.0
_MAX_BYTES = 64 * 2**20


class Reply(msgspec.Struct, frozen=True):
    """What it answered."""

    status: int
    body: bytes


class Prometheus:
    """The server at `url`; a name and a password in it are sent as basic credentials."""

    def __init__(self, url: str) -> None:
        parts = urllib.parse.urlsplit(url)
        self._headers = {"Accept": "application/json"}
        if parts.username is not None:
            pair = f"{urllib.parse.unquote(parts.username)}:{urllib.parse.unquote(parts.password or '')}"
            self._headers["Authorization"] = "Basic " + base64.b64encode(pair.encode()).decode()
        host = parts.netloc.rpartition("@")[2]
        self._base = f"{parts.scheme}://{host}{parts.path}"
        self._opener = urllib.request.build_opener(_NoRedirect)

    async def ask(self, path: str, asked: list[tuple[str, str]]) -> Reply:
        """Return what it says. Raises Unavailable when it says nothing, or too much, or lets nobody in."""
        return await asyncio.to_thread(self._ask, path, asked)

    def _ask(self, path: str, asked: list[tuple[str, str]]) -> Reply:
        url = f"{self._base}{urllib.parse.quote(path)}"
        request = urllib.request.Request(f"{url}?{urllib.parse.urlencode(asked)}", headers=self._headers)  # noqa: S310 - http or https, as the setting was checked
        try:
            try:
                with self._opener.open(request, timeout=_TIMEOUT_S) as reply:
                    status, body = reply.status, reply.read(_MAX_BYTES + 1)
            except urllib.error.HTTPError as error:
                with error:
                    status, body = error.code, error.read(_MAX_BYTES + 1)
        except (OSError, http.client.HTTPException) as error:
            raise Unavailable(
                f"the Prometheus at {self._base} does not answer: {_why(error)}",
                hint="DAYFLY_PROMETHEUS_URL says where it is",
            ) from error
        if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
            # Passed on, it would say that the credential of who asks us is none.
            raise Unavailable(
                f"the Prometheus at {self._base} does not let Dayfly in: it answers {status}",
                hint="name and password may stand in DAYFLY_PROMETHEUS_URL",
            )
        if len(body) > _MAX_BYTES:
            raise Unavailable(f"the Prometheus at {self._base} answers with more than {_MAX_BYTES} bytes")
        return Reply(status, body)


def _why(error: OSError | http.client.HTTPException) -> str:
    reason = error.reason if isinstance(error, urllib.error.URLError) else error
    return (reason.strerror if isinstance(reason, OSError) else None) or str(reason) or type(reason).__name__


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A credential goes to the address that was given and to no other."""

    def redirect_request(self, *_args: object) -> None:
        """Follow none."""
        return
