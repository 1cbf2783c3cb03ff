"""Tokens: of a namespace, by whoever administers it; of the whole installation, by whoever administers that."""

from starlette.requests import Request
from starlette.responses import Response

from dayfly.api.decoding import read_json
from dayfly.api.namespaces import NAMESPACE
from dayfly.api.responses import json_answer
from dayfly.api.routes import Routes
from dayfly.api.scope import IN_PATH, namespace_of
from dayfly.api.services import Services
from dayfly.model.names import NamespaceName
from dayfly.model.token import IssuedToken, TokenRequest, TokenStatus, parse_token_id

IN_NAMESPACE = NAMESPACE + "/tokens"
EVERYWHERE = "/v1/tokens"

routes = Routes()


@routes.route(
    "GET", IN_NAMESPACE, access="admin", scope=IN_PATH, summary="List a namespace's tokens", response=list[TokenStatus]
)
async def list_of_namespace(services: Services, request: Request) -> Response:
    """Return the namespace's tokens without what lets somebody in."""
    return json_answer(services.tokens.listed(_present(services, request)))


@routes.route(
    "POST", IN_NAMESPACE, access="admin", scope=IN_PATH, summary="Make a token for a namespace", request=TokenRequest,
    response=IssuedToken, statuses=(201,),
)  # fmt: skip
async def issue_for_namespace(services: Services, request: Request) -> Response:
    """Return the token; nobody can ask for it again."""
    namespace = _present(services, request)
    return json_answer(await services.tokens.issue(namespace, await read_json(request, TokenRequest)), 201)


@routes.route(
    "DELETE", IN_NAMESPACE + "/{token}", access="admin", scope=IN_PATH, summary="Revoke a namespace's token",
    statuses=(204,),
)  # fmt: skip
async def revoke_of_namespace(services: Services, request: Request) -> Response:
    """Let the token be good for nothing from now on."""
    await services.tokens.revoke(_present(services, request), parse_token_id(request.path_params["token"]))
    return Response(status_code=204)


@routes.route(
    "GET", EVERYWHERE, access="admin", scope="installation", summary="List every token", response=list[TokenStatus]
)
async def list_all(services: Services, _request: Request) -> Response:
    """Return the tokens of all namespaces, and those of the installation."""
    return json_answer(services.tokens.listed(None))


@routes.route(
    "POST", EVERYWHERE, access="admin", scope="installation", summary="Make a token for all namespaces",
    request=TokenRequest, response=IssuedToken, statuses=(201,),
)  # fmt: skip
async def issue_everywhere(services: Services, request: Request) -> Response:
    """Return the token; nobody can ask for it again."""
    return json_answer(await services.tokens.issue(None, await read_json(request, TokenRequest)), 201)


@routes.route(
    "DELETE", EVERYWHERE + "/{token}", access="admin", scope="installation", summary="Revoke any token",
    statuses=(204,),
)  # fmt: skip
async def revoke_any(services: Services, request: Request) -> Response:
    """Let the token be good for nothing from now on, whosever it is."""
    await services.tokens.revoke(None, parse_token_id(request.path_params["token"]))
    return Response(status_code=204)


def _present(services: Services, request: Request) -> NamespaceName:
    return services.namespaces.get(namespace_of(request)).name
