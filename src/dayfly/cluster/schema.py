"""CustomResourceDefinitions, made from the structs of the HTTP API, so that both say the same.

The API server refuses what the schema and its rules refuse, at once and to whoever writes; what only our code can see
(a quantity that is none, a cron expression) becomes a condition of the object. Defaults are not in the schema: an
object stays as it was written. `v1alpha1` is served beside `v1` with the same fields, so nothing has to be converted;
a version that differs will bring a webhook, and be stored only once no object of an older one is left.
"""

from collections.abc import Iterable
from typing import Any

from msgspec import inspect

from dayfly.cluster.columns import columns
from dayfly.cluster.kinds import (  # fmt: skip
    BUDGET,
    FLOW,
    FUNCTION,
    GROUP,
    OLDER_VERSIONS,
    OURS,
    REVISION,
    ROUTE,
    STORED_VERSION,
    TENANT,
    TRIGGER,
    Kind,
    Object,
)
from dayfly.cluster.records import (
    MAX_SOURCE_BYTES,
    BudgetRecord,
    FunctionStatus,
    FunctionWish,
    RevisionRecord,
    RevisionStatus,
    Standing,
)
from dayfly.model.allowance import MEASURES
from dayfly.model.budget import MAX_AMOUNT, BudgetSpec
from dayfly.model.flow import FlowSpec
from dayfly.model.function import FunctionSpec
from dayfly.model.namespace import Namespace
from dayfly.model.route import RouteSpec
from dayfly.model.scaling import MAX_REPLICAS
from dayfly.model.trigger import TriggerSpec

Schema = dict[str, Any]
_ANYTHING: Schema = {"x-kubernetes-preserve-unknown-fields": True}
_SCALARS: dict[type[inspect.Type], str] = {
    inspect.StrType: "string", inspect.IntType: "integer", inspect.FloatType: "number", inspect.BoolType: "boolean",
}  # fmt: skip
_RULES = "x-kubernetes-validations"
MAX_JUDGED = 1000
"""Items of a list whose every item is judged by rules."""
_IDENTITY = frozenset(("name", "namespace"))
"""Fields that an object has in its metadata."""
_CODE = (
    "[has(self.source), has(self.archive), has(self.bundle) && self.bundle != ''].filter(given, given).size()"
)  # fmt: skip
_SHORT = {FUNCTION: "fn", REVISION: "fnrev", ROUTE: "fnroute", TRIGGER: "fntrigger", FLOW: "fnflow",
          BUDGET: "fnbudget", TENANT: "fntenant"}  # fmt: skip


def crds() -> list[Object]:
    """Return the CustomResourceDefinitions of our kinds."""
    return [_definition(kind) for kind in OURS]


def schema_of(struct: Any, *, without: Iterable[str] = ()) -> Schema:
    """Return the structural schema of a struct, without some of its fields."""
    return _schema(inspect.type_info(struct), (), frozenset(without))


def _definition(kind: Kind) -> Object:
    singular = kind.name.lower()
    categories = ["dayfly"] if kind in (REVISION, TENANT) else ["dayfly", "all"]
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{kind.plural}.{GROUP}", "labels": {"app.kubernetes.io/part-of": "dayfly"}},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {"kind": kind.name, "listKind": f"{kind.name}List", "plural": kind.plural, "singular": singular,
                      "shortNames": [_SHORT[kind]], "categories": categories},
            "conversion": {"strategy": "None"},
            "versions": [_version(kind, name) for name in (STORED_VERSION, *OLDER_VERSIONS)],
        },
    }  # fmt: skip


def _version(kind: Kind, name: str) -> Object:
    subresources: Object = {"status": {}}
    if kind == FUNCTION:
        subresources["scale"] = {"specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas",
                                 "labelSelectorPath": ".status.selector"}  # fmt: skip
    return {
        "name": name,
        "served": True,
        "storage": name == STORED_VERSION,
        "schema": {"openAPIV3Schema": {
            "type": "object",
            "description": _DESCRIPTIONS[kind],
            "required": ["spec"],
            "properties": {"apiVersion": {"type": "string"}, "kind": {"type": "string"}, "metadata": {"type": "object"},
                           "spec": _spec(kind), "status": _status(kind)},
        }},
        "subresources": subresources,
        "additionalPrinterColumns": columns(kind),
    }  # fmt: skip


_DESCRIPTIONS = {
    FUNCTION: "A function: its code, and how it runs. Creating one deploys it.",
    REVISION: "One deployed state of a function. Dayfly makes these; they are never changed.",
    ROUTE: "An address of one's own choosing that leads to functions.",
    TRIGGER: "Which events call which functions.",
    FLOW: "Functions called one after another, with retries, branches and waits.",
    BUDGET: "What a function, or all of the namespace together, may use in a day or a month.",
    TENANT: "What Dayfly knows of a namespace: its quota and budget. One in each, named as the namespace.",
}


def _spec(kind: Kind) -> Schema:
    if kind == FUNCTION:
        schema = _joined(schema_of(FunctionSpec, without=_IDENTITY), schema_of(FunctionWish))
        schema["properties"]["replicas"] |= {"minimum": 0, "maximum": MAX_REPLICAS}
        schema["properties"]["archive"]["properties"] |= {
            "url": {"type": "string", "pattern": "^https?://", "maxLength": 2048},
            "data": {"type": "string", "maxLength": MAX_SOURCE_BYTES * 4 // 3},
            "sha256": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
        }
        schema["properties"]["archive"][_RULES] = [
            _rule("has(self.url) != has(self.data)", "give the archive once: as url or as data")
        ]
        schema["properties"]["source"] |= {"minProperties": 1, "maxProperties": 200}
        schema[_RULES] = [
            _rule(f"{_CODE} == 1 || ({_CODE} == 0 && has(self.image) && self.image != '')",
                  "give the code once: as image, source, archive or bundle"),
            _rule("!has(self.runtime) || self.runtime != 'image' || (has(self.image) && self.image != '')",
                  "the runtime image needs an image's name"),
            _rule("!has(self.runtime) || !(self.runtime in ['exec', 'http']) || (has(self.process) &&"
                  " self.process != '')", "the runtimes exec and http need a process to run"),
        ]  # fmt: skip
        return schema
    if kind == REVISION:
        schema = _joined(schema_of(FunctionSpec, without=_IDENTITY), schema_of(RevisionRecord))
        schema[_RULES] = [_rule("self == oldSelf", "a revision is never changed; deploy the function anew")]
        return schema
    if kind == BUDGET:
        return _budget()
    struct = {ROUTE: RouteSpec, TRIGGER: TriggerSpec, FLOW: FlowSpec, TENANT: Namespace}[kind]
    return schema_of(struct, without=_IDENTITY | ({"created_unix_ms"} if kind == TENANT else set()))


def _budget() -> Schema:
    schema = schema_of(BudgetSpec, without=_IDENTITY)
    schema["properties"]["function"] |= {"maxLength": 63, "pattern": "^([a-z0-9]([-a-z0-9]*[a-z0-9])?)?$"}
    for measure in MEASURES:
        amounts = schema["properties"][measure]
        for amount in amounts["properties"].values():
            amount |= {"minimum": 0, "maximum": MAX_AMOUNT}
        amounts[_RULES] = [_rule("has(self.day) || has(self.month)", "say how much a day, a month, or both")]
    bounds = " || ".join(f"has(self.{measure})" for measure in MEASURES)
    schema[_RULES] = [_rule(bounds, f"name what is bounded: {', '.join(MEASURES)}")]
    return schema


def _status(kind: Kind) -> Schema:
    records = {FUNCTION: FunctionStatus, REVISION: RevisionStatus, BUDGET: BudgetRecord}
    schema = schema_of(records.get(kind, Standing))
    if "conditions" in schema["properties"]:
        schema["properties"]["conditions"] |= {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]}
    return schema


def _rule(rule: str, message: str) -> Object:
    return {"rule": rule, "message": message}


def _joined(first: Schema, second: Schema) -> Schema:
    required = [*first.get("required", ()), *second.get("required", ())]
    joined = {"type": "object", "properties": first["properties"] | second["properties"]}
    return joined | ({"required": required} if required else {})


def _schema(info: Any, above: tuple[type, ...], without: frozenset[str] = frozenset()) -> Schema:
    """Return a type's schema. What is within itself (`above`) may be anything: schemas of Kubernetes cannot recur."""
    match info:
        case inspect.StructType(cls=cls):
            if cls in above:
                return {"type": "object"} | _ANYTHING
            return _struct(info, above, without)
        case inspect.LiteralType(values=values):
            return {"type": "string" if all(isinstance(each, str) for each in values) else "integer",
                    "enum": list(values)}  # fmt: skip
        case inspect.ListType(item_type=item) | inspect.VarTupleType(item_type=item):
            inner = _schema(item, above)
            # The API server reckons with the longest list there can be when it judges what a rule costs.
            return {"type": "array", "items": inner} | ({"maxItems": MAX_JUDGED} if _RULES in inner else {})
        case inspect.DictType(value_type=value):
            inner = _schema(value, above)
            return {"type": "object"} | (_ANYTHING if inner == _ANYTHING else {"additionalProperties": inner})
        case inspect.UnionType(types=types):
            return _union([each for each in types if not isinstance(each, inspect.NoneType)], above)
        case inspect.AnyType():
            return dict(_ANYTHING)
        case inspect.BytesType():
            return {"type": "string", "format": "byte"}
    return {"type": _SCALARS[type(info)]}


def _struct(info: inspect.StructType, above: tuple[type, ...], without: frozenset[str]) -> Schema:
    inside = (*above, info.cls)
    fields = [field for field in info.fields if field.name not in without]
    properties = {field.encode_name: _schema(field.type, inside) for field in fields}
    required = [field.encode_name for field in fields if field.required]
    if info.tag_field is not None:
        properties = {info.tag_field: {"type": "string", "enum": [info.tag]}} | properties
        required.insert(0, info.tag_field)
    return {"type": "object", "properties": properties} | ({"required": required} if required else {})


def _union(types: list[Any], above: tuple[type, ...]) -> Schema:
    """Return one type's schema or, for several structs told apart by a tag, one with the fields of all of them."""
    if len(types) == 1:
        return _schema(types[0], above)
    if not all(isinstance(each, inspect.StructType) and each.tag_field for each in types):
        return dict(_ANYTHING)
    if any(each.cls in above for each in types):
        return {"type": "object"} | _ANYTHING
    inside = (*above, *(each.cls for each in types))
    properties: Schema = {}
    variants = [(each, _struct(each, inside, frozenset())) for each in types]
    for _, variant in variants:
        for name, schema in variant["properties"].items():
            properties[name] = _either(properties.get(name, schema), schema)
    rules: list[Object] = []
    for each, variant in variants:
        needed = [name for name in variant["required"] if name != each.tag_field and _is_typed(properties[name])]
        if needed:
            has = " && ".join(f"has(self.{_escaped(name)})" for name in needed)
            rules.append(_rule(f"self.{each.tag_field} != '{each.tag}' || ({has})",
                               f"{each.tag_field} {each.tag} needs {', '.join(needed)}"))  # fmt: skip
    result = {"type": "object", "properties": properties, "required": [types[0].tag_field]}
    return result | ({_RULES: rules} if rules else {})


def _is_typed(schema: Schema) -> bool:
    """Whether rules know the field: the API server's know none whose type is open, all the way down."""
    inner = schema.get("items", schema.get("additionalProperties"))
    return "type" in schema and (inner is None or _is_typed(inner))


def _either(first: Schema, second: Schema) -> Schema:
    if first == second:
        return first
    if first.get("type") == second.get("type") == "string":
        values = list(dict.fromkeys([*first.get("enum", ()), *second.get("enum", ())]))
        return {"type": "string"} | ({"enum": values} if "enum" in first and "enum" in second else {})
    return dict(_ANYTHING)


_RESERVED_IN_CEL = frozenset(
    ("as", "break", "const", "continue", "else", "for", "function", "if", "import", "in", "let", "loop", "namespace",
     "package", "return", "var", "void", "while", "true", "false", "null")
)  # fmt: skip


def _escaped(name: str) -> str:
    """Return a property's name as rules write it."""
    return f"__{name}__" if name in _RESERVED_IN_CEL else name
