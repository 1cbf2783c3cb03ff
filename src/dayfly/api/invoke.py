"""Calls of functions from the console, whose page must never be what a function's answer can script (threat T4).

A function is called at the public address, which is another origin. The page cannot: it would need that origin to allow
it, and would send there what it knows. So it asks here, with its credential, and gets the answer as data: whatever the
function said of itself, its type, its cookies, where to go next, is inside the body and means nothing to a browser. Nor
does the credential get further than this. Nobody comes here by following a link, which carries no credential.
"""

import asyncio
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from dayfly.api.decoding import decode_json, read_body
from dayfly.api.functions import FUNCTION, key_in
from dayfly.api.guard import peer_address
from dayfly.api.routes import Routes
from dayfly.api.scope import IN_PATH
from dayfly.api.services import Services
from dayfly.model.direct import MAX_BODY_BYTES, MAX_HEAD_BYTES, MEDIA_TYPE, DirectCall
from dayfly.model.errors import InvalidRequest, NotSupported
from dayfly.model.names import is_call_id, new_call_id

_HEADERS = {
    "Content-Disposition": "attachment",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; sandbox",
}
_HINT = "Call the function at its own address, which takes as much as the function does"

routes = Routes()


@routes.route(
    "POST", FUNCTION + "/invoke", access="invoke", scope=IN_PATH,
    summary="Call a function and get its answer as data: a line of JSON, then the body", request=bytes,
    takes=MEDIA_TYPE, media_type=MEDIA_TYPE,
)  # fmt: skip
async def invoke(services: Services, request: Request) -> Response:
    """Call it now; 200 whatever the function answers. It is given up when the client goes."""
    if services.direct is None:
        raise NotSupported("This installation calls functions at their own addresses only")
    key = key_in(request)
    services.plane.newest(key)  # raises NotFound
    with services.direct.seat(key.namespace):
        call, body = await _read(request)
        given = request.headers.get("x-call-id", "")
        call_id = given if is_call_id(given) else new_call_id()
        making = asyncio.ensure_future(
            services.direct.call(key, call, body, call_id=call_id, peer=peer_address(request))
        )
        leaving: asyncio.Future[Any] = asyncio.ensure_future(_disconnected(request))
        try:
            await asyncio.wait((making, leaving), return_when=asyncio.FIRST_COMPLETED)
            if not making.done():
                return Response(status_code=499)  # nobody reads it
            answer, content = await making
        finally:
            for task in (making, leaving):
                task.cancel()
    return Response(msgspec.json.encode(answer) + b"\n" + content, headers=_HEADERS, media_type=MEDIA_TYPE)


async def _read(request: Request) -> tuple[DirectCall, bytes]:
    """Return the call and its body. Raises InvalidRequest, PayloadTooLarge."""
    data = await read_body(request, MAX_HEAD_BYTES + MAX_BODY_BYTES, hint=_HINT)
    line, newline, body = data.partition(b"\n")
    if not newline or len(line) > MAX_HEAD_BYTES:
        raise InvalidRequest(f"The body must begin with a line of JSON of at most {MAX_HEAD_BYTES} bytes")
    call = decode_json(line, DirectCall)
    call.check()
    return call, body


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
