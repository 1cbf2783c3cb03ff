"""Code bundles: uploaded once under the digest of their bytes, then named by deployments."""

from starlette.requests import Request
from starlette.responses import Response

from dayfly.api.responses import json_answer
from dayfly.api.routes import Routes
from dayfly.api.services import Services
from dayfly.model.errors import NotFound, PayloadTooLarge
from dayfly.model.names import parse_bundle_digest
from dayfly.model.status import BundleReceipt

MAX_BUNDLE_BYTES = 64 * 1024 * 1024
BUNDLE = "/v1/bundles/{digest}"

routes = Routes()


@routes.route("HEAD", BUNDLE, access="admin", summary="Ask whether a bundle is here", statuses=(200, 404))
async def ask(services: Services, request: Request) -> Response:
    """Answer 200 when the bundle need not be uploaded again."""
    digest = parse_bundle_digest(request.path_params["digest"])
    if not services.bundles.has(digest):
        raise NotFound(f"The bundle {digest} is not here")
    return Response(status_code=200)


@routes.route(
    "PUT", BUNDLE, access="admin", summary="Upload a bundle: a gzipped tar archive of a handler's folder",
    request=bytes, response=BundleReceipt, statuses=(201,),
)  # fmt: skip
async def upload(services: Services, request: Request) -> Response:
    """Keep the body when it is what its digest says; it is streamed to the disk, never held whole."""
    digest = parse_bundle_digest(request.path_params["digest"])
    declared = request.headers.get("content-length", "")
    if declared.isascii() and declared.isdigit() and int(declared[:18]) > MAX_BUNDLE_BYTES:
        raise PayloadTooLarge(f"A bundle has at most {MAX_BUNDLE_BYTES} bytes; this one has {declared[:18]}")
    size = await services.bundles.put(digest, request.stream(), MAX_BUNDLE_BYTES)
    return json_answer(BundleReceipt(digest=digest, size_bytes=size), 201)
