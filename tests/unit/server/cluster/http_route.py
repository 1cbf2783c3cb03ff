"""What the Gateway API, v1, takes as an HTTPRoute, as far as ours goes: what is not here is nothing that we write."""

from typing import Any

_LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_NAME = {"type": "string", "minLength": 1, "maxLength": 253}
_NAMESPACE = {"type": "string", "pattern": f"^{_LABEL}$", "maxLength": 63}


def _exactly(required: list[str], **fields: Any) -> dict[str, Any]:
    return {"type": "object", "properties": fields, "required": required, "additionalProperties": False}


_PARENT = _exactly(["name"], name=_NAME, namespace=_NAMESPACE)
_BACKEND = _exactly(["name", "port"], name=_NAME, port={"type": "integer", "minimum": 1, "maximum": 65535})
_HOST = {"type": "string", "minLength": 1, "maxLength": 253, "pattern": rf"^(\*\.)?{_LABEL}(\.{_LABEL})*$"}
_MANY: dict[str, Any] = {"type": "array", "minItems": 1, "maxItems": 16}
_TEXTS = {"type": "object", "additionalProperties": {"type": "string"}}

HTTP_ROUTE = _exactly(
    ["apiVersion", "kind", "metadata", "spec"],
    apiVersion={"const": "gateway.networking.k8s.io/v1"},
    kind={"const": "HTTPRoute"},
    metadata=_exactly(["name", "namespace"], name=_NAME, namespace=_NAMESPACE, labels=_TEXTS, annotations=_TEXTS),
    spec=_exactly(
        ["parentRefs", "rules"],
        parentRefs={**_MANY, "items": _PARENT},
        hostnames={**_MANY, "items": _HOST},
        rules={**_MANY, "items": _exactly(["backendRefs"], backendRefs={**_MANY, "items": _BACKEND})},
    ),
)
