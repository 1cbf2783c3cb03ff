"""The console: one page, built from `ui/`, on an origin of its own, under the strictest policy it can live with.

What functions answer is served elsewhere, so that it can never script this page (threat T4). The page keeps the
credential in the tab's session storage and sends it as a header: a cookie would be sent to every port of the host.
Charts and the editor are scripts of their own, which the page fetches where they are needed.
"""

import asyncio
import gzip
import os
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

from dayfly.api.routes import Handler, Routes
from dayfly.api.services import Services

HEADERS: tuple[tuple[bytes, bytes], ...] = (
    (
        b"content-security-policy",
        b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        b"frame-ancestors 'none'; base-uri 'none'; form-action 'self'; require-trusted-types-for 'script'; "
        b"trusted-types svelte-trusted-html",
    ),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cache-control", b"no-store"),
)
"""On every answer of the console's listener."""

_TYPES = {"html": "text/html", "css": "text/css", "js": "text/javascript"}

routes = Routes()


def _serve(file: Path, media_type: str) -> Handler:
    # Opened and not read: nobody may ever ask for it, and what takes its place on the disk is of another version.
    opened = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
    size_bytes = os.fstat(opened).st_size
    packed = b""  # made when it is first asked for: all of them together would be a tenth of a start

    def read() -> bytes:
        return os.pread(opened, size_bytes, 0)

    async def answer(_services: Services, request: Request) -> Response:
        nonlocal packed
        headers = {"Vary": "Accept-Encoding"}
        if "gzip" in request.headers.get("accept-encoding", ""):
            packed = packed or await asyncio.to_thread(lambda: gzip.compress(read(), mtime=0))
            return Response(packed, media_type=media_type, headers=headers | {"Content-Encoding": "gzip"})
        return Response(await asyncio.to_thread(read), media_type=media_type, headers=headers)

    answer.__name__ = file.name.replace(".", "_").replace("-", "_")  # what operations are told apart by
    return answer


def _add_all() -> None:
    """Route what was built: the page, which holds no data of the installation, at `/`, and its files by their names."""
    for file in sorted(Path(__file__).with_name("static").iterdir()):
        kind = file.name.rpartition(".")[2]
        path = "/" if kind == "html" else f"/{file.name}"
        about = {"html": "The console's page", "css": "The console's style", "js": "A script of the console"}[kind]
        routes.route("GET", path, access="public", scope="open", summary=about, media_type=_TYPES[kind])(
            _serve(file, _TYPES[kind])
        )


_add_all()
