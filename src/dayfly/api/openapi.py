"""The API's own description, OpenAPI 3.1, made of the routes and of the structs that decode the requests.

There is no second list of fields to keep in step: what a handler decodes is what the document says.
"""

import http
from collections.abc import Iterable
from typing import Any

import msgspec

from dayfly import __version__
from dayfly.api.problems import PROBLEM_JSON
from dayfly.api.routes import Route
from dayfly.model.access import OPEN
from dayfly.model.status import Problem

_REF = "#/components/schemas/{name}"


def describe(routes: Iterable[Route]) -> dict[str, Any]:
    """Return the OpenAPI document of the routes whose errors are problem documents."""
    native = [route for route in routes if route.errors == "problem"]
    kinds = [kind for route in native for kind in (route.request, route.query, route.response) if _is_json(kind)]
    schemas, components = msgspec.json.schema_components([*kinds, Problem], ref_template=_REF)
    by_kind = {_name(kind): schema for kind, schema in zip([*kinds, Problem], schemas, strict=True)}
    for route in native:
        if route.query is not None:
            components.pop(route.query.__name__, None)
    paths: dict[str, dict[str, Any]] = {}
    for route in native:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, by_kind)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Dayfly",
            "version": __version__,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "security": [{"basic": []}, {"bearer": []}],
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {
                "basic": {"type": "http", "scheme": "basic"},
                "bearer": {"type": "http", "scheme": "bearer"},
            },
        },
    }


def _operation(route: Route, schemas: dict[str, Any]) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": f"{route.handler.__module__.rpartition('.')[2]}.{route.handler.__name__}",
        "summary": route.summary,
        "x-access": route.access,
        "x-scope": route.scope if isinstance(route.scope, str) else "namespace",
        "parameters": [*_in_path(route), *_in_query(route)],
        "responses": {str(status): _answer(route, status, schemas) for status in route.statuses},
    }
    operation["responses"]["default"] = {
        "description": "Refused or failed",
        "content": {PROBLEM_JSON: {"schema": schemas[_name(Problem)]}},
    }
    if route.access in OPEN:
        operation["security"] = []
    if route.request is bytes:
        content: dict[str, Any] = {route.takes: {}}
        operation["requestBody"] = {"required": True, "content": content}
    elif route.request is not None:
        content = {"application/json": {"schema": schemas[_name(route.request)]}}
        operation["requestBody"] = {"required": True, "content": content}
    return operation


def _in_path(route: Route) -> list[dict[str, Any]]:
    return [{"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in route.parameters]


def _in_query(route: Route) -> list[dict[str, Any]]:
    if route.query is None:
        return []
    _, components = msgspec.json.schema_components([route.query], ref_template=_REF)
    fields = components[route.query.__name__]["properties"]
    return [{"name": name, "in": "query", "required": False, "schema": schema} for name, schema in fields.items()]


def _answer(route: Route, status: int, schemas: dict[str, Any]) -> dict[str, Any]:
    answer: dict[str, Any] = {"description": http.HTTPStatus(status).phrase}
    if status < 300 and status != 204 and route.method != "HEAD":
        schema = {"schema": schemas[_name(route.response)]} if _is_json(route.response) else {}
        answer["content"] = {route.media_type: schema}
    return answer


def _is_json(kind: Any) -> bool:
    return kind is not None and kind is not bytes


def _name(kind: Any) -> str:
    return (
        str(kind) if not isinstance(kind, type) or hasattr(kind, "__origin__") else f"{kind.__module__}.{kind.__name__}"
    )
