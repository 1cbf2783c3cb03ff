"""Source code: reading what a revision runs, and making the next bundle of it, for those who edit in the page.

A change makes a bundle and deploys nothing: its digest goes into a deployment as that of any bundle does.
"""

import asyncio
from collections.abc import AsyncIterator

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from dayfly.api.bundles import MAX_BUNDLE_BYTES
from dayfly.api.decoding import decode_json, read_body, read_query
from dayfly.api.functions import FUNCTION, key_in
from dayfly.api.responses import json_answer
from dayfly.api.routes import Routes
from dayfly.api.scope import IN_PATH, namespace_of
from dayfly.api.services import Services
from dayfly.build.source import changed, source_of
from dayfly.build.starters import starters
from dayfly.model.errors import NotFound, NotSupported
from dayfly.model.function import FunctionSpec
from dayfly.model.names import FunctionKey, parse_bundle_digest
from dayfly.model.source import MAX_CHANGE_BYTES, Source, SourceChange, Starter
from dayfly.model.status import BundleReceipt

routes = Routes()


class SourceQuery(msgspec.Struct, frozen=True):
    """Whose code is wanted."""

    revision: int = 0
    """A revision that is kept; 0 for the one that was deployed last."""


@routes.route(
    "GET", FUNCTION + "/source", access="deploy", scope=IN_PATH, summary="Read the code of a function's revision",
    query=SourceQuery, response=Source,
)  # fmt: skip
async def source(services: Services, request: Request) -> Response:
    """Return the files of the revision's bundle; what is no text, or too much of it, is named only."""
    key = key_in(request)
    number, spec = await _wanted(services, key, read_query(request, SourceQuery).revision)
    if not spec.bundle:
        raise NotSupported(
            f"revision {number} of {key} is the image {spec.image[:200]}, whose code the platform does not have"
        )
    digest = parse_bundle_digest(spec.bundle)
    bundle = await services.bundles.read(key.namespace, digest)
    return json_answer(await asyncio.to_thread(source_of, bundle, digest, number))


@routes.route(
    "POST", "/v1/namespaces/{namespace}/sources", access="deploy", scope=IN_PATH,
    summary="Make a bundle of files, or of another bundle with some of its files changed", request=SourceChange,
    response=BundleReceipt, statuses=(201,),
)  # fmt: skip
async def change(services: Services, request: Request) -> Response:
    """Keep the new bundle and return its digest, to be deployed."""
    namespace = namespace_of(request)
    services.namespaces.get(namespace)  # raises NotFound
    wanted = decode_json(await read_body(request, MAX_CHANGE_BYTES), SourceChange)
    wanted.check()
    base = await services.bundles.read(namespace, parse_bundle_digest(wanted.base)) if wanted.base else None
    bundle, digest = await asyncio.to_thread(changed, base, wanted)
    size = await services.bundles.put(namespace, digest, _once(bundle), MAX_BUNDLE_BYTES)
    return json_answer(BundleReceipt(digest=digest, size_bytes=size), 201)


@routes.route(
    "GET", "/v1/templates", access="known", scope="visible", summary="List what a function written here may begin with",
    response=list[Starter],
)  # fmt: skip
async def templates(_services: Services, _request: Request) -> Response:
    """Return the templates whose functions run without being compiled, each with its files."""
    return json_answer(await asyncio.to_thread(starters))


async def _wanted(services: Services, key: FunctionKey, number: int) -> tuple[int, FunctionSpec]:
    newest = services.plane.newest(key)
    if number in (0, newest.number):
        return newest.number, newest.spec
    kept = await services.plane.revisions(key)
    for revision in kept:
        if revision.number == number:
            return number, revision.spec
    numbers = ", ".join(str(revision.number) for revision in kept)
    raise NotFound(f"revision: {number} of {key} is not kept; these are: {numbers}")


async def _once(data: bytes) -> AsyncIterator[bytes]:
    yield data
