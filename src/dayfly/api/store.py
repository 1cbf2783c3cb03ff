"""The store: functions that come along, for whoever wants to try one."""

import asyncio

from starlette.requests import Request
from starlette.responses import Response

from dayfly.api.responses import json_answer
from dayfly.api.routes import Routes
from dayfly.api.services import Services
from dayfly.catalog.listing import items
from dayfly.model.store import StoreItem

routes = Routes()


@routes.route(
    "GET", "/v1/store", access="known", scope="visible", summary="List the functions of the store",
    response=list[StoreItem],
)  # fmt: skip
async def list_store(_services: Services, _request: Request) -> Response:
    """Return them ordered by name, each with its icon and a sample; to deploy one, deploy its image."""
    return json_answer(await asyncio.to_thread(items))
