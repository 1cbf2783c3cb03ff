"""Secrets: write, list and remove them. What is in one is taken as the bytes of a request, and never answered."""

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from dayfly.api.decoding import read_body, read_query
from dayfly.api.responses import json_answer
from dayfly.api.routes import Routes
from dayfly.api.scope import IN_PATH, namespace_of
from dayfly.api.services import Services
from dayfly.model.names import NamespaceName, parse_secret_name
from dayfly.model.secret import MAX_SECRET_BYTES, KeyRotation, SecretMode, SecretStatus

SECRETS = "/v1/namespaces/{namespace}/secrets"
SECRET = SECRETS + "/{name}"

routes = Routes()


class SecretQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a secret is written."""

    mode: SecretMode = "upsert"
    """create refuses one that exists, update one that does not."""


class RemovalQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a secret is removed."""

    force: bool = False
    """Whether also while a function uses it."""


@routes.route(
    "GET", SECRETS, access="deploy", scope=IN_PATH, summary="List a namespace's secrets", response=list[SecretStatus]
)
async def list_secrets(services: Services, request: Request) -> Response:
    """Return the secrets ordered by name, without what is in them."""
    return json_answer(services.secrets.in_namespace(services.namespaces.get(namespace_of(request)).name))


@routes.route(
    "PUT", SECRET, access="deploy", scope=IN_PATH,
    summary="Write a secret; the body is what is in it, byte for byte", request=bytes,
    query=SecretQuery, response=SecretStatus, statuses=(200, 201),
)  # fmt: skip
async def put(services: Services, request: Request) -> Response:
    """Write the secret; 201 when it is new."""
    namespace, name = _named(request)
    mode = read_query(request, SecretQuery).mode
    content = await read_body(request, MAX_SECRET_BYTES, hint="that is what one secret may have")
    status, done = await services.secrets.put(namespace, name, content, mode=mode)
    return json_answer(status, 201 if done == "created" else 200)


@routes.route(
    "DELETE", SECRET, access="deploy", scope=IN_PATH, summary="Remove a secret", query=RemovalQuery, statuses=(204,)
)
async def remove(services: Services, request: Request) -> Response:
    """Remove the secret; 409 while a function uses it, unless forced."""
    namespace, name = _named(request)
    await services.secrets.remove(namespace, name, force=read_query(request, RemovalQuery).force)
    return Response(status_code=204)


@routes.route(
    "POST", "/v1/secrets/rotate-key", access="admin", scope="installation",
    summary="Encrypt all secrets anew under a new key", response=KeyRotation,
)  # fmt: skip
async def rotate_key(services: Services, _request: Request) -> Response:
    """Change the key of all namespaces' secrets."""
    return json_answer(await services.secrets.rotate_key())


def _named(request: Request) -> tuple[NamespaceName, str]:
    return namespace_of(request), parse_secret_name(request.path_params["name"])
