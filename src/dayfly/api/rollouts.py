"""Rollouts: a function's revisions, going back to one of them, and letting a canary take over."""

from starlette.requests import Request
from starlette.responses import Response

from dayfly.api.decoding import MAX_JSON_BYTES, decode_json, read_body
from dayfly.api.functions import FUNCTION, key_in
from dayfly.api.responses import json_answer
from dayfly.api.routes import Routes
from dayfly.api.scope import IN_PATH
from dayfly.api.services import Services
from dayfly.model.errors import InvalidRequest
from dayfly.model.status import FunctionStatus, RevisionStatus, RollbackRequest

routes = Routes()


@routes.route(
    "GET", FUNCTION + "/revisions", access="deploy", scope=IN_PATH, summary="List a function's revisions",
    response=list[RevisionStatus],
)  # fmt: skip
async def revisions(services: Services, request: Request) -> Response:
    """Return the revisions, the highest number first."""
    return json_answer(await services.plane.revisions(key_in(request)))


@routes.route(
    "POST", FUNCTION + "/rollback", access="deploy", scope=IN_PATH,
    summary="Let an earlier revision serve again, or end a rollout", request=RollbackRequest, response=FunctionStatus,
)  # fmt: skip
async def rollback(services: Services, request: Request) -> Response:
    """Go back to the revision that the body names; without one, end a rollout, else go back to the one before."""
    key = key_in(request)
    body = await read_body(request, MAX_JSON_BYTES)
    asked = decode_json(body, RollbackRequest) if body.strip() else RollbackRequest()
    if asked.revision is not None and asked.revision < 1:
        raise InvalidRequest(f"revision: {asked.revision} must be 1 or more; revisions are numbered from 1")
    if asked.canary is not None:
        asked.canary.check()
    return json_answer(await services.plane.rollback(key, asked.revision, asked.canary))


@routes.route(
    "POST",
    FUNCTION + "/promote",
    access="deploy",
    scope=IN_PATH,
    summary="Let a canary take over now",
    response=FunctionStatus,
)
async def promote(services: Services, request: Request) -> Response:
    """End the trial in the canary's favour; it takes over as any new revision does."""
    return json_answer(await services.plane.promote(key_in(request)))
