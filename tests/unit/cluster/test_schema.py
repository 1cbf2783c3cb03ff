"""The CustomResourceDefinitions say what the structs say, and the API server takes them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import kubernetes_validate
import msgspec
import pytest
from tests.cluster.resources import Object, Refused
from tests.cluster.schemas import faults, structural_faults
from tests.cluster.server import Double

from dayfly.cluster.kinds import BUDGET, FLOW, FUNCTION, OURS, REVISION, ROUTE, TENANT, TRIGGER, Kind
from dayfly.cluster.records import AllowanceRecord, BudgetRecord, Condition, FunctionStatus, FunctionWish, Trial
from dayfly.cluster.schema import crds
from dayfly.model.budget import Amounts, BudgetSpec, Counts
from dayfly.model.flow import FlowSpec
from dayfly.model.function import FunctionSpec, Resources
from dayfly.model.namespace import Namespace
from dayfly.model.rollout import Canary, Outcome
from dayfly.model.route import RouteSpec
from dayfly.model.trigger import TriggerSpec

BY_NAME = {each["spec"]["names"]["kind"]: each for each in crds()}
STRUCTS: dict[Kind, type[msgspec.Struct]] = {
    FUNCTION: FunctionSpec, REVISION: FunctionSpec, ROUTE: RouteSpec, TRIGGER: TriggerSpec, FLOW: FlowSpec,
    BUDGET: BudgetSpec, TENANT: Namespace,
}  # fmt: skip
OUTSIDE = {"name", "namespace", "created_unix_ms"}
"""What an object has in its metadata."""


def part(kind: Kind, name: str) -> Any:
    version = BY_NAME[kind.name]["spec"]["versions"][0]
    return version["schema"]["openAPIV3Schema"]["properties"][name]


def plain(struct: Any) -> Any:
    return msgspec.json.decode(msgspec.json.encode(struct))


def walk(schema: Any) -> Iterator[Any]:
    yield schema
    for each in (*schema.get("properties", {}).values(), schema.get("items"), schema.get("additionalProperties")):
        if isinstance(each, dict):
            yield from walk(each)


@pytest.mark.parametrize("definition", crds(), ids=sorted(BY_NAME))
def test_the_api_server_takes_it(definition: Object) -> None:
    kubernetes_validate.validate(definition, "1.36", strict=True)
    for version in definition["spec"]["versions"]:
        assert list(structural_faults(version["schema"]["openAPIV3Schema"])) == []
    assert sum(version["storage"] for version in definition["spec"]["versions"]) == 1
    assert len(json.dumps(definition)) < 200_000, "kubectl apply keeps a copy of it in an annotation"


@pytest.mark.parametrize("kind", OURS, ids=lambda kind: kind.name)
def test_every_field_of_the_struct_is_there(kind: Kind) -> None:
    fields = {field.encode_name for field in msgspec.structs.fields(STRUCTS[kind])} - OUTSIDE
    assert fields <= part(kind, "spec")["properties"].keys()
    assert not {"name", "namespace"} & part(kind, "spec")["properties"].keys()


def test_the_versions_are_alike_so_that_nothing_needs_converting() -> None:
    for definition in crds():
        first, *others = definition["spec"]["versions"]
        assert first["name"] == "v1"
        for each in others:
            assert each["schema"] == first["schema"]
        assert definition["spec"]["conversion"] == {"strategy": "None"}


SPECS: list[tuple[Kind, Any]] = [
    (FUNCTION, FunctionSpec(name="f", bundle="sha256:" + "a" * 64, env={"A": "b"}, limits=Resources(memory="64Mi"))),
    (FUNCTION, FunctionWish(source={"handler.py": "x"}, replicas=3, canary=Canary(weight=5))),
    (ROUTE, msgspec.convert({"name": "r", "targets": [{"function": "f", "weight": 3}], "auth": {
        "kind": "jwt", "issuer": "i", "audience": ["a"], "jwks": {"keys": [{"kty": "EC"}]}},
        "cors": {"origins": ["*"]}, "rate": {"calls": 5}}, RouteSpec)),
    (TRIGGER, msgspec.convert({"name": "t", "source": {"kind": "cron", "schedule": "* * * * *"}}, TriggerSpec)),
    (TRIGGER, msgspec.convert({"name": "t", "source": {
        "kind": "kafka", "brokers": ["a:1"], "topics": ["t"]}}, TriggerSpec)),
    (FLOW, msgspec.convert({"name": "f", "steps": [
        {"do": "choice", "name": "a", "branches": [{"when": "a", "steps": [{"do": "call", "name": "b",
            "function": "g"}]}]},
        {"do": "parallel", "name": "c", "branches": {"x": [{"do": "delay", "name": "d", "for": "1s"}]}},
        {"do": "set", "name": "e", "value": "'ü'", "catch": {"steps": [{"do": "fail", "name": "g"}]}}]}, FlowSpec)),
    (BUDGET, BudgetSpec(name="b", function="f", calls=Counts(day=5), gib_seconds=Amounts(day=0.5, month=3))),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "spec"), SPECS)
def test_what_the_struct_is_written_as_is_valid(kind: Kind, spec: Any) -> None:
    written = {name: value for name, value in plain(spec).items() if name not in OUTSIDE}
    assert list(faults(part(kind, "spec"), written)) == []
    for node in walk(part(kind, "spec")):
        assert "default" not in node, "an object stays as it was written"


def test_the_whole_status_is_valid() -> None:
    status = FunctionStatus(
        revision=3, candidate=Trial(revision=4, canary=Canary(weight=5)), wanted_replicas=2, created_unix_ms=1,
        outcome=Outcome(revision=2, verdict="returned", reason="r", ended_unix_ms=1), revisions={"3": "f-3"},
        served=(1, 2), observed_generation=3, observed_spec="x", replicas=1, ready_replicas=1, selector="a=b",
        code="python", url="http://x", conditions=(Condition(type="Ready", status="True", reason="Serving"),),
    )  # fmt: skip
    written = plain(status)
    assert list(faults(part(FUNCTION, "status"), written)) == []
    assert written["observedGeneration"] == 3
    assert part(FUNCTION, "status")["properties"].keys() == {
        field.encode_name for field in msgspec.structs.fields(FunctionStatus)
    }


@pytest.fixture(scope="module")
def known() -> Iterator[Double]:
    with Double() as double:
        double.define(crds())
        double.namespaces("team")
        yield double


GOOD = {"source": {"handler.py": "def handle(event, context): return 'hi'"}}


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"runtime": "cobol"}, 'spec.runtime: Unsupported value: "cobol": supported values: '),
        ({"replicas": "many"}, "spec.replicas in body must be of type integer"),
        ({"replicas": -1}, "spec.replicas in body should be greater than or equal to 0"),
        ({"replicas": 1001}, "spec.replicas in body should be less than or equal to 1000"),
        ({"env": {"A": 1}}, "spec.env.A in body must be of type string"),
        ({"source": {}}, "spec.source in body should be at least 1 properties"),
        ({"archive": {"url": "https://x"}}, "spec.archive.sha256: Required value"),
        ({"archive": {"url": "ftp://x", "sha256": "a" * 64}}, "spec.archive.url in body should match"),
        ({"canary": {}}, "spec.canary.weight: Required value"),
    ],
)
def test_what_the_struct_would_refuse_is_refused_at_once(known: Double, spec: Object, said: str) -> None:
    with pytest.raises(Refused) as caught:
        known.create("functions", "team", {"metadata": {"name": "f"}, "spec": GOOD | spec})
    assert caught.value.code == 422
    assert said in str(caught.value)


def test_a_function_scales_and_its_status_is_apart(known: Double) -> None:
    made = known.create("functions", "team", {"metadata": {"name": "s"}, "spec": GOOD, "status": {"revision": 9}})
    assert "status" not in made
    resource, registry = known.resource("functions"), known.registry
    merge = "application/merge-patch+json"
    scale = registry.patch(resource, "team", "s", merge, {"spec": {"replicas": 3}}, "scale")
    assert scale["spec"] == {"replicas": 3}
    kept = registry.get(resource, "team", "s")
    assert (kept["spec"]["replicas"], kept["metadata"]["generation"]) == (3, 2)
    told = {"status": {"revision": 1, "replicas": 2, "selector": "a=b"}, "spec": {"replicas": 7}}
    registry.patch(resource, "team", "s", merge, told, "status")
    kept = registry.get(resource, "team", "s")
    assert (kept["spec"]["replicas"], kept["metadata"]["generation"]) == (3, 2), "a status changes no wish"
    older = registry.find("dayfly.dev", "v1alpha1", "functions")
    assert registry.get(older, "team", "s")["apiVersion"] == "dayfly.dev/v1alpha1"


def test_the_rules_say_what_schemas_cannot() -> None:
    said = {each["message"] for each in part(FUNCTION, "spec")["x-kubernetes-validations"]}
    assert "give the code once: as image, source, archive or bundle" in said
    assert part(REVISION, "spec")["x-kubernetes-validations"][0]["rule"] == "self == oldSelf"
    source = part(TRIGGER, "spec")["properties"]["source"]["x-kubernetes-validations"]
    assert {"rule": "self.kind != 'cron' || (has(self.schedule))", "message": "kind cron needs schedule"} in source


def test_a_budgets_status_is_valid_and_its_table_says_what_is_left() -> None:
    allowance = AllowanceRecord(
        measure="calls", period="day", amount=5, used=4.5, left=0.5, percent=90, state="over 90 %", renews="x"
    )
    record = BudgetRecord(
        allowances=(allowance,), tightest="calls=5/day", used="4.5", left="0.5", percent=0, state="within", renews="x",
        looked_at="x", conditions=(Condition(type="Ready", status="True", reason="Counting"),),
    )  # fmt: skip
    written = plain(record)
    assert list(faults(part(BUDGET, "status"), written)) == []
    assert written["percent"] == 0, "what is not used at all is told as well"
    assert part(BUDGET, "status")["properties"].keys() == {
        field.encode_name for field in msgspec.structs.fields(BudgetRecord)
    }
    columns = BY_NAME["Budget"]["spec"]["versions"][0]["additionalPrinterColumns"]
    assert [each["name"] for each in columns if not each.get("priority")] == [
        "Function", "Allowance", "Used", "Left", "Percent", "State", "Ready", "Age"
    ]  # fmt: skip
    assert BY_NAME["Budget"]["spec"]["names"]["shortNames"] == ["fnbudget"]


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"calls": {"day": 1.5}}, "spec.calls.day in body must be of type integer"),
        ({"calls": {"day": -1}}, "spec.calls.day in body should be greater than or equal to 0"),
        ({"cpu_seconds": {"month": 1e13}}, "spec.cpu_seconds.month in body should be less than or equal to"),
        ({"function": "No_Name", "calls": {"day": 1}}, "spec.function in body should match"),
        ({"function": "a" * 64, "calls": {"day": 1}}, "spec.function: Too long: may not be more than 63"),
    ],
)
def test_a_budget_that_is_none_is_refused_at_once(known: Double, spec: Object, said: str) -> None:
    with pytest.raises(Refused) as caught:
        known.create("budgets", "team", {"metadata": {"name": "b"}, "spec": spec})
    assert said in str(caught.value)


def test_a_budget_bounds_something() -> None:
    schema = part(BUDGET, "spec")
    assert [each["rule"] for each in schema["x-kubernetes-validations"]] == [
        "has(self.calls) || has(self.cpu_seconds) || has(self.gib_seconds)"
    ]
    for measure in ("calls", "cpu_seconds", "gib_seconds"):
        (rule,) = schema["properties"][measure]["x-kubernetes-validations"]
        assert rule["rule"] == "has(self.day) || has(self.month)"


def test_a_table_of_functions_is_useful() -> None:
    columns = BY_NAME["Function"]["spec"]["versions"][0]["additionalPrinterColumns"]
    assert [each["name"] for each in columns if not each.get("priority")] == [
        "Ready", "Replicas", "Revision", "Code", "URL", "Age"
    ]  # fmt: skip
    assert BY_NAME["Function"]["spec"]["names"]["shortNames"] == ["fn"]
    assert BY_NAME["Function"]["spec"]["names"]["categories"] == ["dayfly", "all"]
