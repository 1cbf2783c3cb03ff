"""Answering GET and HEAD with the files of a bundle: types, tags, dates, parts; no listing, and nothing else.

A folder is answered with its index.html, what is not there with 404.html where that exists. Who has a file already is
told so, by its tag or its date. Callers are to ask every time (`cache-control: no-cache`), so that a deployment is seen
at once; the variable `cache_control` says something else.
"""

import os
from collections.abc import Awaitable, Callable

from dayfly.model.errors import InvalidSpec
from dayfly.model.replica import StartOrder
from dayfly.model.watchdog import StaticSettings
from dayfly.runtimes.python import answers, output
from dayfly.runtimes.python.dialects import asgi
from dayfly.runtimes.python.handler import Handler, HandlerUnfit, Message
from dayfly.runtimes.static import conditions
from dayfly.runtimes.static.tree import File, Tree

Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

PIECE_BYTES = 256 * 1024


def prepare(order: StartOrder) -> Handler:
    """Return the handler that serves the folder of `order`. Raises HandlerUnfit when there is none."""
    try:
        settings = StaticSettings.of(order.env)
        return asgi.adapt(Site(Tree(os.path.join(order.code_dir, settings.folder)), settings.cache_control))
    except InvalidSpec as error:  # an order of an earlier version's
        raise HandlerUnfit(error.message) from None
    except NotADirectoryError:
        raise HandlerUnfit(f"static_path: there is no folder {settings.folder!r} in the function's folder") from None


class Site:
    """An ASGI application."""

    def __init__(self, tree: Tree, cache_control: str) -> None:
        self._tree = tree
        self._cache_control = cache_control

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        if scope["method"] not in ("GET", "HEAD"):
            while (await receive()).get("more_body", False):  # who still sends may not be listening yet
                pass
            await _refuse(send, 405, "method_not_allowed", "files are answered to GET and HEAD", {"allow": "GET, HEAD"})
            return
        raw_path: bytes = scope["raw_path"]
        file = self._tree.find(raw_path)
        if file is not None and self._tree.is_folder(raw_path):
            await _redirect(send, scope)
        elif file is not None:
            await self._serve(scope, send, file)
        elif (page := self._tree.not_found()) is not None:
            await _respond(send, 404, self._described(page, await self._tree.tag(page)), page, scope, None)
        else:
            await _refuse(send, 404, "not_found", "there is no such file", {})

    async def _serve(self, scope: Message, send: Send, file: File) -> None:
        tag = await self._tree.tag(file)
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        described = self._described(file, tag)
        if conditions.is_unchanged(headers, file, tag):
            del described["content-type"]
            await _respond(send, 304, described, None, scope, None)
            return
        try:
            part = conditions.part(headers, file, tag)
        except conditions.Unsatisfiable:
            ask = {"content-range": f"bytes */{file.size_bytes}"}
            await _refuse(send, 416, "range_not_satisfiable", f"the file has {file.size_bytes} bytes", ask)
            return
        if part is not None:
            described["content-range"] = f"bytes {part.start}-{part.stop - 1}/{file.size_bytes}"
        await _respond(send, 200 if part is None else 206, described, file, scope, part)

    def _described(self, file: File, tag: str) -> dict[str, str]:
        return {
            "content-type": file.content_type,
            "etag": tag,
            "last-modified": conditions.http_date(file.modified),
            "accept-ranges": "bytes",
            "cache-control": self._cache_control,
            "x-content-type-options": "nosniff",
        }


async def _respond(
    send: Send, status: int, headers: dict[str, str], file: File | None, scope: Message, part: range | None
) -> None:
    """Send a head and, unless it is asked for alone, the file or a part of it. Raises OSError."""
    if file is not None:
        part = part if part is not None else range(file.size_bytes)
        headers = {**headers, "content-length": str(len(part))}
    await _start(send, status, headers)
    if file is None or scope["method"] == "HEAD" or not part:
        await send({"type": "http.response.body"})
        return
    fd = os.open(file.path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        at, end = part.start, part.stop
        while at < end:
            data = os.pread(fd, min(PIECE_BYTES, end - at), at)
            if not data:
                raise EOFError(f"{file.path} is shorter than it was")
            at += len(data)
            await send({"type": "http.response.body", "body": data, "more_body": at < end})
    finally:
        os.close(fd)


async def _redirect(send: Send, scope: Message) -> None:
    """Lead to the folder's own path, relatively: only the gateway knows what stands before it."""
    query = b"?" + scope["query_string"] if scope["query_string"] else b""
    location = b"./%b/%b" % (scope["raw_path"].rpartition(b"/")[2], query)
    await _start(send, 301, {"location": location.decode("latin-1"), "content-length": "0"})
    await send({"type": "http.response.body"})


async def _refuse(send: Send, status: int, code: str, detail: str, headers: dict[str, str]) -> None:
    call = output.current.get()
    reply = answers.problem(status, code, detail, call.call_id if call is not None else "")
    assert isinstance(reply.body, bytes)
    await _start(
        send, status, {**headers, "content-type": reply.content_type.decode(), "content-length": str(len(reply.body))}
    )
    await send({"type": "http.response.body", "body": reply.body})


async def _start(send: Send, status: int, headers: dict[str, str]) -> None:
    pairs = [(name.encode(), value.encode("latin-1", "replace")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": pairs})
