"""WSGI application objects: Flask, Django, Bottle. Each call on a thread, its body collected, its answer streamed."""

import io
import sys
import urllib.parse
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from dayfly.runtimes.python.answers import Answer, header_lines
from dayfly.runtimes.python.calls import Context, Request
from dayfly.runtimes.python.handler import Handler, HandlerUnfit

Environ = dict[str, Any]
CALL = "dayfly.call"
"""Where the environment holds the request and its context, as other dialects hand them over."""


def adapt(application: Any) -> Handler:
    """Return the handler for `application`. Raises HandlerUnfit."""
    if not callable(application):
        raise HandlerUnfit(f"the handler is a {type(application).__name__}, not a WSGI application")
    return Handler("threads", lambda request, context: _call(application, request, context), _as_is)


def _as_is(result: Answer) -> Answer:
    return result


class _Start:
    """`start_response`, which may be called again with an error for as long as nothing was sent."""

    def __init__(self) -> None:
        self.status = 0
        self.headers: list[tuple[str, str]] = []
        self.written: list[bytes] = []

    def __call__(self, status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Callable[[bytes], object]:
        if self.status and exc_info is None:
            raise AssertionError("start_response was called twice without an error to report")
        self.status, self.headers = int(status[:3]), list(headers)
        return self.written.append


def _call(application: Callable[..., Iterable[bytes]], request: Request, context: Context) -> Answer:
    start = _Start()
    pieces = application(_environ(request, context), start)
    iterator = _Closing(pieces, start)
    first = iterator.first()
    lines, content_type = header_lines(start.headers)
    whole = isinstance(pieces, (list, tuple))
    body: bytes | Iterator[bytes] = first + b"".join(iterator) if whole else _prepend(first, iterator)
    return Answer(start.status, content_type or b"", body, lines)


class _Closing:
    """The application's pieces; closes them at the end, as the protocol asks."""

    def __init__(self, pieces: Iterable[bytes], start: _Start) -> None:
        self._pieces = pieces
        self._iterator = iter(pieces)
        self._start = start

    def first(self) -> bytes:
        """Return the first piece that is not empty; by then the application has begun its answer."""
        piece = next((piece for piece in self._iterator if piece), b"")
        if not self._start.status:
            self.close()
            raise RuntimeError("the application returned without calling start_response")
        return b"".join(self._start.written) + piece

    def __iter__(self) -> Iterator[bytes]:
        try:
            yield from self._iterator
        finally:
            self.close()

    def close(self) -> None:
        close = getattr(self._pieces, "close", None)
        if close is not None:
            close()


def _prepend(first: bytes, rest: Iterable[bytes]) -> Iterator[bytes]:
    if first:
        yield first
    yield from rest


def _environ(request: Request, context: Context) -> Environ:
    path, _, query = request.target.partition(b"?")
    host = request.header(b"host").decode("latin-1") or context.function
    name, _, port = host.partition(":")
    environ: Environ = {
        "REQUEST_METHOD": request.verb.decode("ascii"),
        "SCRIPT_NAME": "",
        "PATH_INFO": urllib.parse.unquote_to_bytes(path).decode("latin-1"),
        "QUERY_STRING": query.decode("latin-1"),
        "SERVER_NAME": name,
        "SERVER_PORT": port or "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "CONTENT_LENGTH": str(len(request.body)),
        "REMOTE_ADDR": request.header(b"x-forwarded-for").decode("latin-1").split(",")[0].strip(),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": request.header(b"x-forwarded-proto").decode("latin-1") or "http",
        "wsgi.input": io.BytesIO(request.body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
        CALL: (request, context),
    }
    for key, value in request.lines:
        name = key.decode("latin-1").upper().replace("-", "_")
        text = value.decode("latin-1")
        if name == "CONTENT_TYPE":
            environ[name] = text
        elif name != "CONTENT_LENGTH" and b"_" not in key:  # an underscore could pass for a dash
            before = environ.get(f"HTTP_{name}")
            environ[f"HTTP_{name}"] = text if before is None else f"{before},{text}"
    return environ
