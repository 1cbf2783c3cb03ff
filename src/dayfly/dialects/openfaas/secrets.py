"""/system/secrets: create, update, list and remove secrets, by the statuses that clients decide by.

`faas-cli secret apply` removes a secret to create it anew, and takes a refusal for a failure: here a secret can also be
removed while functions use it, unlike in the native API. Their replicas go on with what they hold.
"""

from starlette.requests import Request
from starlette.responses import Response

from dayfly.api.decoding import decode_json, read_body
from dayfly.api.responses import json_answer
from dayfly.api.routes import Routes
from dayfly.api.scope import Place, namespace_of
from dayfly.api.services import Services
from dayfly.dialects.openfaas.functions import IN_QUERY, present_namespace
from dayfly.dialects.openfaas.wire import Secret, SecretListed
from dayfly.model.errors import InvalidName
from dayfly.model.names import NamespaceName, parse_secret_name

MAX_BODY_BYTES = 8 * 1024 * 1024
"""Clients send a file as text and in base64, and as text a byte may take six."""

IN_BODY = Place(query="namespace", body="namespace", body_bytes=MAX_BODY_BYTES)

routes = Routes(errors="plain")


@routes.route("GET", "/system/secrets", access="deploy", scope=IN_QUERY, summary="List secrets",
              response=list[SecretListed])  # fmt: skip
async def list_secrets(services: Services, request: Request) -> Response:
    """Return the names of the namespace's secrets."""
    namespace = present_namespace(services, request)
    return json_answer([SecretListed(each.name, each.namespace) for each in services.secrets.in_namespace(namespace)])


@routes.route("POST", "/system/secrets", access="deploy", scope=IN_BODY, summary="Create a secret",
              request=Secret, statuses=(202, 409))  # fmt: skip
async def create(services: Services, request: Request) -> Response:
    """Create; 409 when it exists, on which `faas-cli secret create --replace` goes on to update it."""
    asked, _, name = await _read(request)
    await services.secrets.put(present_namespace(services, request), name, asked.content, mode="create")
    return Response(status_code=202)


@routes.route("PUT", "/system/secrets", access="deploy", scope=IN_BODY, summary="Update a secret",
              request=Secret, statuses=(200, 404))  # fmt: skip
async def update(services: Services, request: Request) -> Response:
    """Update; clients take 201 for a failure."""
    asked, namespace, name = await _read(request)
    await services.secrets.put(namespace, name, asked.content, mode="update")
    return Response(status_code=200)


@routes.route("DELETE", "/system/secrets", access="deploy", scope=IN_BODY, summary="Remove a secret",
              request=Secret, statuses=(202, 404))  # fmt: skip
async def remove(services: Services, request: Request) -> Response:
    """Remove; clients take 204 for a failure."""
    _, namespace, name = await _read(request)
    await services.secrets.remove(namespace, name, force=True)
    return Response(status_code=202)


async def _read(request: Request) -> tuple[Secret, NamespaceName, str]:
    """Return the document, and the secret that it means; the namespace may stand in the body or in the query."""
    asked = decode_json(await read_body(request, MAX_BODY_BYTES), Secret)
    if not asked.name:
        raise InvalidName("name: is required")
    return asked, namespace_of(request), parse_secret_name(asked.name)
