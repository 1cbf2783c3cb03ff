"""Functions as documents: deployed, told of, updated and removed, by the statuses that clients decide by."""

import json

import pytest
from tests.compat_openfaas.wire import ALPINE, DEFAULT, Wire, deployment

NESTED = json.dumps({"glossary": {"title": "example", "list": [1, 2.5, None, "ü"]}}, indent=2)


@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_what_is_deployed_is_there_once_the_answer_is(wire: Wire, method: str) -> None:
    """Behaviours 5, 6: POST is 200 or 202, and neither list nor function make anybody wait."""
    name = f"there-{method.lower()}"
    if method == "PUT":
        wire.deploy(name)
    answer = wire.send(method, "/system/functions", deployment(name))
    assert answer.status in (200, 202)
    assert wire.functions()[name]["image"] == ALPINE
    assert wire.function(name)["name"] == name


def test_texts_come_back_as_they_were_sent(wire: Wire) -> None:
    """Behaviours 7, 8: every label and annotation, JSON among them, and a label with the function's name."""
    labels = {"upstream_uri": "example.com", "canary_build": "true", "empty": ""}
    annotations = {"important-date": "Fri Aug 10 08:21:00 BST 2018", "some-json": NESTED}
    wire.deploy("texts", labels=labels, annotations=annotations)
    for told in (wire.function("texts"), wire.functions()["texts"]):
        assert told["labels"] == {**labels, "faas_function": "texts"}
        assert told["annotations"] == annotations


def test_what_was_asked_for_is_told(wire: Wire) -> None:
    """Behaviours 9, 10, 11: each field as it was written, lists in their order."""
    for name in ("b", "a"):
        wire.send("POST", "/system/secrets", {"name": f"told-{name}", "value": "x"})
    asked: dict[str, object] = {
        "readOnlyRootFilesystem": True,
        "envVars": {"custom_env": "value", "EMPTY": ""},
        "limits": {"memory": "5Mi", "cpu": "100m"},
        "requests": {"memory": "1Mi", "cpu": "0.05"},
        "constraints": ["node.platform.os == linux", "a=b"],
        "secrets": ["told-b", "told-a"],
    }
    wire.deploy("told", "cat -u", **asked)
    for told in (wire.function("told"), wire.functions()["told"]):
        assert {name: told[name] for name in asked} == asked
        assert (told["image"], told["namespace"], told["envProcess"]) == (ALPINE, DEFAULT, "cat -u")


@pytest.mark.parametrize("nothing", [None, {}])
def test_what_was_not_asked_for_is_not_told(wire: Wire, nothing: object) -> None:
    """Behaviours 10, 11: an empty environment, limits and requests are absent, and so are empty lists."""
    wire.deploy("plain", envVars=nothing, limits=nothing, requests=nothing, constraints=[], secrets=[])
    told = wire.function("plain")
    assert not told.keys() & {"envVars", "limits", "requests", "constraints", "secrets", "usage"}
    assert not told.get("readOnlyRootFilesystem")


def test_an_update_of_what_is_not_there_is_404(wire: Wire) -> None:
    """Behaviour 12: on which `faas-cli` creates it."""
    asked = deployment("first")
    assert wire.send("PUT", "/system/functions", asked).status == 404
    assert "first" not in wire.functions()
    assert wire.send("POST", "/system/functions", asked).status in (200, 202)
    assert wire.send("PUT", "/system/functions", asked).status in (200, 202)


def test_an_update_has_its_effect_on_the_next_calls(wire: Wire) -> None:
    """Behaviour 13: a new variable and annotation; what the update does not name is gone."""
    wire.deploy("updated", "env", envVars={"OLD": "1"}, annotations={"old": "1"})
    assert "OLD=1" in wire.call("updated").text
    wire.deploy("updated", "env", envVars={"NEW": "2"}, annotations={"new": "2"})
    assert wire.function("updated")["annotations"] == {"new": "2"}
    lines = wire.eventually("updated", lambda answer: "NEW=2" in answer.text)
    assert "OLD=1" not in lines.text


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"service": ""}, "service: is required"),
        ({"image": ""}, "image: is required"),
        ({"service": "Bad_Name"}, "service: (Bad_Name) is invalid, must be a valid DNS entry"),
        ({"service": "x" * 64}, "is invalid, must be a valid DNS entry"),
        ({"limits": {"memory": "much"}}, "memory"),
        ({"labels": {"com.openfaas.scale.min": "many"}}, "com.openfaas.scale.min"),
        ({"envVars": {"A": 1}}, "$.envVars"),
        ({"namespace": "nowhere"}, "nowhere"),
    ],
)
def test_a_deployment_that_cannot_be_is_refused_with_a_reason(wire: Wire, change: dict[str, object], text: str) -> None:
    """Behaviour 14: neither 200 nor 202, and the body is the message, a line of text as Go writes errors."""
    answer = wire.send("POST", "/system/functions", {**deployment("refused"), **change})
    assert answer.status == 400
    assert text in answer.text
    assert answer.text.endswith("\n")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "refused" not in wire.functions()


def test_creating_what_exists_is_refused(wire: Wire) -> None:
    """Behaviour 14: the page always creates, and shows what it is told."""
    wire.deploy("twice")
    answer = wire.send("POST", "/system/functions", deployment("twice"))
    assert (answer.status, "exists" in answer.text) == (409, True)


def test_members_that_mean_nothing_are_ignored_and_null_is_nothing(wire: Wire) -> None:
    """Behaviour 15: as Go's decoder has it."""
    asked = deployment("lenient", network="func_functions", registryAuth="dXNlcg==", nonsense=[1])
    nulls = dict.fromkeys(("labels", "annotations", "envVars", "limits", "requests", "secrets", "constraints"))
    assert wire.send("POST", "/system/functions", {**asked, **nulls}).status in (200, 202)
    told = wire.function("lenient")
    assert (told["labels"], told["annotations"]) == ({"faas_function": "lenient"}, {})


@pytest.mark.parametrize("where", ["body", "query", "both"])
def test_a_function_is_removed_wherever_its_namespace_stands(wire: Wire, elsewhere: str, where: str) -> None:
    """Behaviours 16, 17, 18: 200 or 202, gone from the list, and 404 from then on; the default's stays."""
    name = f"goes-{where}"
    for namespace in (elsewhere, DEFAULT):
        wire.deploy(name, namespace=namespace)
    in_body = {"namespace": elsewhere} if where in ("body", "both") else {}
    query = f"?namespace={elsewhere}" if where in ("query", "both") else ""
    gone = {"functionName": name, **in_body}
    assert wire.send("DELETE", f"/system/functions{query}", gone).status in (200, 202)
    assert name not in wire.functions(elsewhere)
    assert wire.send("GET", f"/system/function/{name}?namespace={elsewhere}").status == 404
    assert wire.call(f"{name}.{elsewhere}").status == 404
    assert wire.send("DELETE", f"/system/functions{query}", gone).status == 404
    assert name in wire.functions()


def test_where_no_namespace_is_named_the_default_one_is_meant(wire: Wire) -> None:
    """Behaviours 16, 18, 27: as all clients mean it that know none."""
    wire.deploy("goes")
    assert wire.send("DELETE", "/system/functions", {"functionName": "goes"}).status in (200, 202)
    assert wire.send("DELETE", "/system/functions", {"functionName": "goes", "namespace": ""}).status == 404


def test_removing_nobody_is_no_request(wire: Wire) -> None:
    """Behaviour 18: a name is needed."""
    assert wire.send("DELETE", "/system/functions", {"functionName": ""}).status == 400
    assert wire.send("DELETE", "/system/functions").status == 400
