"""The store's lists in OpenFaaS's formats, for `faas-cli store` and `faas-cli template store` with `--url`.

They hold nothing of the installation, so that anybody may read them: those clients send no credential for a list. The
templates are in a git repository, as `faas-cli template pull` has it; it is cloned from here and takes nothing.
"""

import asyncio
import re

from starlette.requests import Request
from starlette.responses import Response

from dayfly.api.decoding import read_body
from dayfly.api.responses import json_answer
from dayfly.api.routes import Routes
from dayfly.api.services import Services
from dayfly.catalog.entries import find_entry, icon_of
from dayfly.catalog.git_repository import MAX_REQUEST_BYTES, SERVICE
from dayfly.catalog.listing import functions_json
from dayfly.catalog.templates import REPOSITORY, template_repository, templates_json
from dayfly.model.errors import Forbidden, NotFound
from dayfly.model.store import StoreFunctions, StoreTemplate

_HOST = re.compile(r"[A-Za-z0-9.-]{1,253}(:[0-9]{1,5})?|\[[0-9A-Fa-f:]{2,45}\](:[0-9]{1,5})?", re.ASCII)
_SVG_POLICY = "default-src 'none'; style-src 'unsafe-inline'; sandbox"
"""A picture opened by itself is a document on the origin of all functions: it may do nothing there."""

routes = Routes(errors="plain")


@routes.route("GET", "/store/functions.json", access="public", scope="open", summary="List the store's functions",
              response=StoreFunctions)  # fmt: skip
async def functions(services: Services, request: Request) -> Response:
    """Return OpenFaaS's functions.json; its images mean our functions here."""
    return json_answer(await asyncio.to_thread(functions_json, base_url(services, request)))


@routes.route("GET", "/store/icons/{icon}", access="public", scope="open", summary="A store function's icon",
              media_type="image/svg+xml", statuses=(200, 404))  # fmt: skip
async def icon(_services: Services, request: Request) -> Response:
    """Return the icon `NAME.svg`."""
    name, dot, kind = request.path_params["icon"].rpartition(".")
    entry = await asyncio.to_thread(find_entry, name) if dot and kind == "svg" else None
    if entry is None or entry.name != name:
        raise NotFound(f"the store has no icon {request.path_params['icon'][:80]!r}")
    data = await asyncio.to_thread(icon_of, entry)
    return Response(data, media_type="image/svg+xml", headers={"content-security-policy": _SVG_POLICY})


@routes.route("GET", "/store/templates.json", access="public", scope="open", summary="List the templates",
              response=list[StoreTemplate])  # fmt: skip
async def templates(services: Services, request: Request) -> Response:
    """Return OpenFaaS's templates.json, of the templates that come along."""
    return json_answer(await asyncio.to_thread(templates_json, base_url(services, request)))


@routes.route("GET", REPOSITORY + "/info/refs", access="public", scope="open", summary="The templates' git repository",
              media_type=f"application/x-{SERVICE}-advertisement")  # fmt: skip
async def advertise(_services: Services, request: Request) -> Response:
    """Tell git which commit there is; 403 for a push."""
    if request.query_params.get("service") != SERVICE:
        raise Forbidden("this repository can only be cloned, by git's smart HTTP protocol")
    repository = await asyncio.to_thread(template_repository)
    return Response(repository.advertisement(), media_type=f"application/x-{SERVICE}-advertisement")


@routes.route("POST", f"{REPOSITORY}/{SERVICE}", access="public", scope="open", request=bytes,
              takes=f"application/x-{SERVICE}-request", summary="Clone the templates' git repository",
              media_type=f"application/x-{SERVICE}-result", statuses=(200, 400))  # fmt: skip
async def clone(_services: Services, request: Request) -> Response:
    """Send git the commit with all that is in it; changes nothing here."""
    repository = await asyncio.to_thread(template_repository)
    answer = repository.answer(await read_body(request, MAX_REQUEST_BYTES))
    return Response(answer, media_type=f"application/x-{SERVICE}-result")


def base_url(services: Services, request: Request) -> str:
    """Return the URL that the client reached the gateway by, without a slash at its end."""
    host = request.headers.get("x-forwarded-host") or request.headers.get("host", "")
    scheme = request.headers.get("x-forwarded-proto", "http")
    if scheme not in ("http", "https") or not _HOST.fullmatch(host):
        return services.info.gateway_url.rstrip("/")
    return f"{scheme}://{host}"
