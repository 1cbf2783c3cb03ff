"""The secret that sources for a namespace's builder are signed with."""

from starlette.requests import Request
from starlette.responses import Response

from dayfly.api.responses import json_answer
from dayfly.api.routes import Routes
from dayfly.api.scope import IN_PATH, namespace_of
from dayfly.api.services import Services
from dayfly.model.builder import BuilderSecret

routes = Routes()


@routes.route(
    "GET", "/v1/namespaces/{namespace}/builder-secret", access="admin", scope=IN_PATH,
    summary="Show what signs sources for the builder", response=BuilderSecret,
)  # fmt: skip
async def show(services: Services, request: Request) -> Response:
    """Return the namespace's secret; it is as good as a token for deploying code under a name."""
    namespace = services.namespaces.get(namespace_of(request)).name
    return json_answer(BuilderSecret(namespace, services.builder.secret(namespace)))
