"""The rules in our schemas: an API server refuses a definition whose rules name a field that it knows no type of."""

import re
from collections.abc import Iterator
from typing import Any

from dayfly.cluster.schema import crds


def _places(schema: Any) -> Iterator[dict[str, Any]]:
    if isinstance(schema, dict):
        if "x-kubernetes-validations" in schema:
            yield schema
        for inner in schema.values():
            yield from _places(inner)


def _is_known(schema: dict[str, Any]) -> bool:
    inner = schema.get("items", schema.get("additionalProperties"))
    return "type" in schema and (inner is None or _is_known(inner))


def test_rules_name_no_field_whose_type_is_open() -> None:
    seen = 0
    for crd in crds():
        for version in crd["spec"]["versions"]:
            for place in _places(version["schema"]["openAPIV3Schema"]):
                for rule in place["x-kubernetes-validations"]:
                    for name in re.findall(r"has\(self\.(\w+)\)", rule["rule"]):
                        plain = re.sub(r"^__(\w+)__$", r"\1", name)
                        assert _is_known(place["properties"][plain]), f"{crd['metadata']['name']}: {rule['rule']}"
                        seen += 1
    assert seen > 20
