"""values.yaml with what each field means, and the schema that Helm checks values by; both from the struct `Values`."""

import ast
import inspect
from collections.abc import Iterator
from functools import cache
from typing import Any

import msgspec

from dayfly.model.names import DEFAULT_NAMESPACE
from dayfly.server.cluster.install import values
from dayfly.server.cluster.install.template import scalar
from dayfly.server.cluster.install.values import Values

_ELSEWHERE = {"namespace"}
"""Fields that are a release's and not its values'."""
_OTHERWISE = {"createNamespace": False}
"""Helm makes the release's namespace itself, by --create-namespace, and does not take one that is there already."""
_ABOUT = "# What a release is made of. docs/kubernetes.md says more; `helm show values` prints this.\n"


def text() -> str:
    """Return values.yaml."""
    return _ABOUT + "".join(f"{line}\n" for line in _lines(Values(), ""))


def defaults() -> dict[str, Any]:
    """Return what values.yaml says."""
    found: dict[str, Any] = msgspec.to_builtins(Values())
    return {name: _OTHERWISE.get(name, value) for name, value in found.items() if name not in _ELSEWHERE}


def _lines(part: msgspec.Struct, pad: str) -> Iterator[str]:
    for field in msgspec.structs.fields(type(part)):
        name, value = field.encode_name, getattr(part, field.name)
        if isinstance(part, Values) and name in _ELSEWHERE:
            continue
        about = meanings().get((type(part).__name__, field.name), "")
        if isinstance(value, msgspec.Struct):
            yield f"{pad}# {about or (inspect.getdoc(value) or '').partition(chr(10))[0]}"
            yield f"{pad}{name}:"
            yield from _lines(value, pad + "  ")
            continue
        if about:
            yield f"{pad}# {about}"
        yield f"{pad}{name}: {_written(_otherwise(part, name, value))}"


def _otherwise(part: msgspec.Struct, name: str, value: Any) -> Any:
    return _OTHERWISE.get(name, value) if isinstance(part, Values) else value


def _written(value: Any) -> str:
    if isinstance(value, tuple):
        return f"[{', '.join(scalar(item) for item in value)}]"
    return "{}" if isinstance(value, dict) else scalar(value)


@cache
def meanings() -> dict[tuple[str, str], str]:
    """Return what the fields of each part mean, where that is said, by the names of both."""
    found = {}
    for part in ast.parse(inspect.getsource(values)).body:
        if not isinstance(part, ast.ClassDef):
            continue
        for field, after in zip(part.body, part.body[1:], strict=False):
            is_said = isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant)
            if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and is_said:
                assert isinstance(after, ast.Expr)
                assert isinstance(after.value, ast.Constant)
                found[part.name, field.target.id] = " ".join(str(after.value.value).split())
    return found


def schema() -> dict[str, Any]:
    """Return values.schema.json."""
    made: dict[str, Any] = msgspec.json.schema(Values)
    parts: dict[str, Any] = made["$defs"]
    root = parts["Values"]
    for name in _ELSEWHERE:
        del root["properties"][name]
    root["properties"]["createNamespace"]["default"] = False
    # Helm puts these into the values of a chart that is part of another one.
    root["properties"]["global"] = {"type": "object"}
    root["allOf"] = _conditions()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **root, "$defs": _without(parts, "Values")}


def _without(parts: dict[str, Any], name: str) -> dict[str, Any]:
    return {each: part for each, part in parts.items() if each != name}


def _conditions() -> list[dict[str, Any]]:
    """The rules of `Values.check` that a schema can say."""
    some = {"type": "string", "minLength": 1}
    safe = [_has("tls", secret=some), _has("tls", insecure={"const": True})]
    return [
        {"if": _has("service", type={"enum": ["NodePort", "LoadBalancer"]}), "then": {"anyOf": safe}},
        {"if": _has("observer", storage=some), "then": _has("control", replicas={"const": 1})},
        {
            "if": _has("functions", everywhere={"const": False}),
            "then": _has("functions", namespaces={"contains": {"const": DEFAULT_NAMESPACE}}),
        },
        {"if": _has("ingress", enabled={"const": True}), "then": _has("ingress", host=some)},
        {
            "if": {"anyOf": [_has("ingress", enabled={"const": True}), _has("httpRoute", enabled={"const": True})]},
            "then": _has("tls", secret={"const": ""}),
        },
        {"if": _has("httpRoute", enabled={"const": True}), "then": _has("httpRoute", host=some, gateway=some)},
    ]


def _has(part: str, **fields: Any) -> dict[str, Any]:
    inner = {"properties": fields, "required": sorted(fields)}
    return {"properties": {part: inner}, "required": [part]}
