"""What the API server looks at in a body before it looks at the object: kind, version, fields that it does not know."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.cluster.resources import Refused, Resource

_KNOWN = {
    "configmaps": {"apiVersion", "kind", "metadata", "data", "binaryData", "immutable"},
    "secrets": {"apiVersion", "kind", "metadata", "data", "stringData", "type", "immutable"},
}
"""Of other built-in kinds the double knows no fields."""


def check(resource: Resource, verb: str, sub: str, body: Any, validation: str) -> None:
    """Raise Refused for a body that is none of the kind, or has unknown fields where that matters."""
    if validation not in ("", "Ignore", "Warn", "Strict"):
        causes = [{"field": "fieldValidation", "message": f'Unsupported value: "{validation}"'}]
        raise Refused(422, "Invalid", f"fieldValidation: Unsupported value: {validation!r}", causes=causes)
    if verb == "patch":
        return
    if not isinstance(body, dict):
        raise Refused(400, "BadRequest", f"the object provided is unrecognized (must be of type {resource.kind})")
    if not sub and body.get("apiVersion", resource.api_version) != resource.api_version:
        text = f"the API version in the data ({body['apiVersion']}) does not match the expected API version"
        raise Refused(400, "BadRequest", f"{text} ({resource.api_version})")
    if not sub and resource.custom and body.get("kind", resource.kind) != resource.kind:
        raise resource.invalid("", [f'kind: Invalid value: "{body["kind"]}": must be {resource.kind}'])
    if validation == "Strict" and not sub and (unknown := sorted(_unknown(resource, body))):
        told = ", ".join(f'unknown field "{each}"' for each in unknown)
        text = f'{resource.kind} in version "{resource.version}" cannot be handled as a {resource.kind}'
        raise Refused(400, "BadRequest", f"{text}: strict decoding error: {told}")


def _unknown(resource: Resource, body: Any) -> Iterator[str]:
    if resource.custom:
        inner = {name: value for name, value in body.items() if name not in ("apiVersion", "kind", "metadata")}
        yield from _beyond(resource.schema, inner, "")
    elif known := _KNOWN.get(resource.name):
        yield from set(body) - known


def _beyond(schema: Any, value: Any, path: str) -> Iterator[str]:
    if isinstance(value, dict) and not schema.get("x-kubernetes-preserve-unknown-fields"):
        known, extra = schema.get("properties", {}), schema.get("additionalProperties")
        for name, each in value.items():
            inside = f"{path}.{name}" if path else name
            if name in known:
                yield from _beyond(known[name], each, inside)
            elif not extra:
                yield inside
            elif isinstance(extra, dict):
                yield from _beyond(extra, each, inside)
    elif isinstance(value, list):
        for at, each in enumerate(value):
            yield from _beyond(schema.get("items", {}), each, f"{path}[{at}]")
