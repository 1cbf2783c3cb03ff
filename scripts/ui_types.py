"""Writes the types that the console's source has of the API: ui_types.py > ui/src/api/schema.ts

They are made of the documents that describe the API, as `/v1/openapi.json` does, and of the two heads of a call from
the console. A test compares them with what is there.
"""

import json
from typing import Any

import msgspec

from dayfly.api.native import document
from dayfly.model.direct import DirectAnswer, DirectCall

_HEAD = "// Written by scripts/ui_types.py from the API's own description. Do not edit.\n"
_PLAIN = {
    "string": "string", "integer": "number", "number": "number", "boolean": "boolean", "null": "null",
}  # fmt: skip


def written() -> str:
    """Return the TypeScript."""
    _, calls = msgspec.json.schema_components([DirectCall, DirectAnswer], ref_template="#/components/schemas/{name}")
    kinds: dict[str, Any] = document()["components"]["schemas"] | calls
    return _HEAD + "".join(_declaration(_name(name), kinds[name]) for name in sorted(kinds)) + _defaults(kinds)


def _declaration(name: str, kind: dict[str, Any]) -> str:
    about = f"\n/** {kind['description'].splitlines()[0]} */" if kind.get("description") else ""
    if kind.get("type") != "object" or "properties" not in kind:
        return f"{about}\nexport type {name} = {_type(kind)};\n"
    members = "".join(f"  {_key(key)}?: {_type(value)};\n" for key, value in kind["properties"].items())
    for key in kind.get("required", ()):
        members = members.replace(f"  {_key(key)}?: ", f"  {_key(key)}: ", 1)
    return f"{about}\nexport interface {name} {{\n{members}}}\n"


def _defaults(kinds: dict[str, Any]) -> str:
    """Return what is true of a function where its deployment, as the API tells it, says nothing."""
    members = kinds["FunctionSpec"]["properties"].items()
    said = "".join(f"  {_key(key)}: {json.dumps(kind['default'])},\n" for key, kind in members if kind.get("default"))
    return f"\nexport const FUNCTION_DEFAULTS = {{\n{said}}} as const;\n"


def _name(name: str) -> str:
    """Return a component's name as a type's; two structs of one name are known by their modules'."""
    *_, module, last = ("", *name.split("."))
    return f"{module.capitalize()}{last}"


def _key(name: str) -> str:
    return name if name.isidentifier() else json.dumps(name)


def _type(kind: dict[str, Any]) -> str:
    if "$ref" in kind:
        return _name(kind["$ref"].rpartition("/")[2])
    if "enum" in kind:
        return " | ".join(json.dumps(value) for value in kind["enum"])
    if "const" in kind:
        return json.dumps(kind["const"])
    for choice in ("anyOf", "oneOf"):
        if choice in kind:
            return " | ".join(dict.fromkeys(map(_type, kind[choice])))
    if kind.get("type") == "array":
        if "prefixItems" in kind:
            return f"[{', '.join(map(_type, kind['prefixItems']))}]"
        return f"Array<{_type(kind.get('items', {}))}>"
    if kind.get("type") == "object":
        return f"Record<string, {_type(kind.get('additionalProperties', {}))}>"
    return _PLAIN.get(kind.get("type", ""), "unknown")


if __name__ == "__main__":
    print(written(), end="")
