"""Code bundles: uploaded into a namespace under the digest of their bytes, then named by its deployments."""

from starlette.requests import Request
from starlette.responses import Response

from dayfly.api.responses import json_answer
from dayfly.api.routes import Routes
from dayfly.api.scope import IN_PATH, namespace_of
from dayfly.api.services import Services
from dayfly.model.errors import NotFound, PayloadTooLarge
from dayfly.model.names import parse_bundle_digest
from dayfly.model.status import BundleReceipt

MAX_BUNDLE_BYTES = 64 * 1024 * 1024
BUNDLE = "/v1/namespaces/{namespace}/bundles/{digest}"

routes = Routes()


@routes.route(
    "HEAD", BUNDLE, access="deploy", scope=IN_PATH, summary="Ask whether the namespace has a bundle",
    statuses=(200, 404),
)  # fmt: skip
async def ask(services: Services, request: Request) -> Response:
    """Answer 200 when the bundle need not be uploaded again."""
    digest = parse_bundle_digest(request.path_params["digest"])
    if not await services.bundles.has(namespace_of(request), digest):
        raise NotFound(f"The bundle {digest} is not here")
    return Response(status_code=200)


@routes.route(
    "PUT", BUNDLE, access="deploy", scope=IN_PATH,
    summary="Upload a bundle: a gzipped tar archive of a handler's folder", request=bytes, takes="application/gzip",
    response=BundleReceipt, statuses=(201,),
)  # fmt: skip
async def upload(services: Services, request: Request) -> Response:
    """Keep the body when it is what its digest says; it is streamed to the disk, never held whole."""
    digest, namespace = parse_bundle_digest(request.path_params["digest"]), namespace_of(request)
    services.namespaces.get(namespace)  # raises NotFound
    declared = request.headers.get("content-length", "")
    if declared.isascii() and declared.isdigit() and int(declared[:18]) > MAX_BUNDLE_BYTES:
        raise PayloadTooLarge(f"A bundle has at most {MAX_BUNDLE_BYTES} bytes; this one has {declared[:18]}")
    size = await services.bundles.put(namespace, digest, request.stream(), MAX_BUNDLE_BYTES)
    return json_answer(BundleReceipt(digest=digest, size_bytes=size), 201)
