"""/build and /publickey: the builder that `faas-cli --remote-builder` sends sources to.

The client takes scheme and host of the address alone, so that these two stand beside everything else. Of a refusal it
shows the status alone: what goes wrong once the signature is found good is told in the answer's last line.
"""

import msgspec
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from dayfly.api.responses import json_answer
from dayfly.api.routes import Routes
from dayfly.api.services import Services
from dayfly.model.builder import BuilderKey, BuildLine

NDJSON = "application/x-ndjson"

routes = Routes(errors="plain")
_encode = msgspec.json.Encoder().encode


@routes.route("GET", "/publickey", access="public", scope="open", summary="Tell the key for secrets of a build",
              response=BuilderKey)  # fmt: skip
async def public_key(services: Services, _request: Request) -> Response:
    """Return the key; there is nothing secret about it."""
    return json_answer(services.builder.public_key())


@routes.route("POST", "/build", access="signed", scope="open", summary="Build a function from its sources",
              request=bytes, response=BuildLine, media_type=NDJSON, statuses=(200,))  # fmt: skip
async def build(services: Services, request: Request) -> Response:
    """Build what is sent, once it is here and signed; lines while it goes on where the client takes them."""
    received = await services.builder.receive(request.stream(), request.headers.get("x-build-signature", ""))
    lines = services.builder.build(received)
    if NDJSON in request.headers.get("accept", ""):
        return StreamingResponse((_encode(line) + b"\n" async for line in lines), media_type=NDJSON)
    told = [line async for line in lines]
    log = tuple(text for line in told for text in line.log)
    return json_answer(msgspec.structs.replace(told[-1], log=log))
