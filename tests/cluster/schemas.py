"""Custom resources' schemas in the double: defaults, pruning, and the real API server's words for what breaks them.

CEL rules (`x-kubernetes-validations`) are not evaluated.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

_PRESERVE = "x-kubernetes-preserve-unknown-fields"
_TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,), "array": (list,), "string": (str,), "boolean": (bool,), "integer": (int,),
    "number": (int, float),
}  # fmt: skip


def completed(schema: Any, value: Any) -> Any:
    """Return the value with the schema's defaults, and without what the schema does not know."""
    if isinstance(value, dict):
        known = schema.get("properties", {})
        extra = schema.get("additionalProperties")
        result = {}
        for name, each in value.items():
            if name in known:
                if each is None and not known[name].get("nullable"):
                    continue
                result[name] = completed(known[name], each)
            elif extra:
                result[name] = completed(extra, each) if isinstance(extra, dict) else each
            elif schema.get(_PRESERVE):
                result[name] = each
        for name, part in known.items():
            if name not in result and "default" in part:
                result[name] = completed(part, part["default"])
        return result
    if isinstance(value, list):
        return [completed(schema.get("items", {}), each) for each in value]
    return value


def faults(schema: Any, value: Any, path: str = "") -> Iterator[str]:
    """Tell what in the value breaks the schema."""
    if value is None and schema.get("nullable"):
        return
    if schema.get("x-kubernetes-int-or-string"):
        if isinstance(value, bool) or not isinstance(value, int | str):
            yield f"{path}: Invalid value: {json.dumps(value)}: {path} in body must be of type integer or string"
    elif (kind := schema.get("type")) and (
        not isinstance(value, _TYPES[kind]) or (isinstance(value, bool) and kind != "boolean")
    ):
        article = json.dumps({dict: "object", list: "array", str: "string", bool: "boolean"}.get(type(value), "number"))
        yield f"{path}: Invalid value: {article}: {path} in body must be of type {kind}: {article}"
        return
    if "enum" in schema and value not in schema["enum"]:
        supported = ", ".join(map(json.dumps, schema["enum"]))
        yield f"{path}: Unsupported value: {json.dumps(value)}: supported values: {supported}"
    yield from _sizes(schema, value, path)
    if isinstance(value, dict):
        for name in schema.get("required", ()):
            if name not in value:
                yield f"{_under(path, name)}: Required value"
        known, extra = schema.get("properties", {}), schema.get("additionalProperties")
        for name, each in value.items():
            if name in known:
                yield from faults(known[name], each, _under(path, name))
            elif isinstance(extra, dict):
                yield from faults(extra, each, _under(path, name))
    if isinstance(value, list):
        for position, each in enumerate(value):
            yield from faults(schema.get("items", {}), each, f"{path}[{position}]")
    for word in ("allOf", "anyOf", "oneOf"):
        if word in schema:
            right = sum(not any(faults(part, value, path)) for part in schema[word])
            if not {"allOf": right == len(schema[word]), "anyOf": right > 0, "oneOf": right == 1}[word]:
                yield f'{path}: Invalid value: {json.dumps(value)}: "{path}" must validate {word} of the schemas'
    if "not" in schema and not any(faults(schema["not"], value, path)):
        yield f"{path}: Invalid value: {json.dumps(value)}: must not validate the schema (not)"


def _sizes(schema: Any, value: Any, path: str) -> Iterator[str]:
    if isinstance(value, str):
        if "pattern" in schema and not re.search(schema["pattern"], value):
            yield f"{path}: Invalid value: {json.dumps(value)}: {path} in body should match '{schema['pattern']}'"
        bounds, size, what = ("minLength", "maxLength"), len(value), "chars long"
    elif isinstance(value, list):
        bounds, size, what = ("minItems", "maxItems"), len(value), "items"
    elif isinstance(value, dict):
        bounds, size, what = ("minProperties", "maxProperties"), len(value), "properties"
    elif isinstance(value, int | float) and not isinstance(value, bool):
        bounds, what = ("minimum", "maximum"), ""
        for bound, is_broken, word in zip(bounds, (value.__lt__, value.__gt__), ("greater", "less"), strict=True):
            if bound in schema and is_broken(schema[bound]) is True:
                text = f"{path} in body should be {word} than or equal to {schema[bound]}"
                yield f"{path}: Invalid value: {value}: {text}"
        return
    else:
        return
    if size < schema.get(bounds[0], 0):
        text = f"{path} in body should be at least {schema[bounds[0]]} {what}"
        yield f"{path}: Invalid value: {json.dumps(value)}: {text}"
    if size > schema.get(bounds[1], size):
        yield f"{path}: Too long: may not be more than {schema[bounds[1]]} {what}"


def structural_faults(schema: Any, path: str = "") -> Iterator[str]:
    """Tell where a schema is not structural: the API server takes no CustomResourceDefinition with such a one."""
    if any(word in schema for word in ("$ref", "definitions", "patternProperties", "uniqueItems", "deprecated")):
        yield f"{path}: Forbidden: $ref, definitions, patternProperties, uniqueItems and the like"
    if not schema.get("type") and not schema.get("x-kubernetes-int-or-string") and not schema.get(_PRESERVE):
        yield f"{path}.type: Required value: must not be empty for specified object fields"
    if schema.get("additionalProperties") is False:
        yield f"{path}.additionalProperties: Forbidden: must not be false"
    if "properties" in schema and "additionalProperties" in schema:
        yield f"{path}.additionalProperties: Forbidden: additionalProperties and properties are mutual exclusive"
    if schema.get("type") == "array" and "items" not in schema:
        yield f"{path}.items: Required value: must be specified"
    for word in ("allOf", "anyOf", "oneOf"):
        for part in schema.get(word, ()):
            for name in part.keys() & {"type", "default", "description", "nullable", "additionalProperties"}:
                yield f"{path}.{word}.{name}: Forbidden: must be empty to be structural"
            for name in part.get("properties", {}):
                if name not in schema.get("properties", {}):
                    yield f"{path}.{word}.properties[{name}]: Required value: must be specified at the top as well"
    for name, part in schema.get("properties", {}).items():
        yield from structural_faults(part, _under(path, name))
    for word in ("items", "additionalProperties"):
        if isinstance(schema.get(word), dict):
            yield from structural_faults(schema[word], f"{path}.{word}")


def _under(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
