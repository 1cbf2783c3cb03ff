"""Namespaces: made, told of, changed and removed."""

import pytest
from tests.compat_openfaas import golike
from tests.compat_openfaas.wire import Answer, Wire

MARK = {"openfaas": "1"}
"""By which OpenFaaS tells its namespaces from others; clients send it with every change."""


def send(wire: Wire, method: str, name: str, path: str | None = None, **fields: object) -> Answer:
    """Send a namespace as the clients do."""
    document = {"name": name, "labels": MARK, "annotations": MARK, **fields}
    return wire.send(method, f"/system/namespace/{name if path is None else path}", document)


def names(wire: Wire) -> set[str]:
    """Return the names of all namespaces."""
    return {*wire.send("GET", "/system/namespaces").read(golike.NAMESPACES)}


def test_a_namespace_from_made_to_removed(wire: Wire) -> None:
    """Behaviours 4, 50: posted to the path with nothing behind its slash; 201, 200, 202, 202, and 404 in between."""
    before = names(wire)
    assert wire.send("GET", "/system/namespace/team").status == 404
    assert send(wire, "PUT", "team").status == 404
    assert send(wire, "DELETE", "team").status == 404
    assert send(wire, "POST", "team", path="", labels={**MARK, "owner": "ann"}).status in (201, 202)
    assert send(wire, "POST", "team", path="").status == 409
    assert names(wire) == {*before, "team"}
    told = wire.send("GET", "/system/namespace/team")
    assert told.status == 200
    assert told.read(golike.NAMESPACE) == {
        "name": "team", "labels": {**MARK, "owner": "ann"}, "annotations": MARK,
    }  # fmt: skip
    assert send(wire, "PUT", "team", labels={**MARK, "tier": "1"}).status == 202
    changed = wire.send("GET", "/system/namespace/team").read(golike.NAMESPACE)
    assert changed["labels"] == {**MARK, "tier": "1"}, "labels are replaced, not added to"
    assert send(wire, "DELETE", "team").status == 202
    assert names(wire) == before


@pytest.mark.parametrize(
    ("name", "path", "fields"),
    [("", "", {}), ("no-mark", "", {"labels": {}}), ("no-mark", "", {"labels": None}), ("Bad", "", {})],
)
def test_what_cannot_be_made_is_400(wire: Wire, name: str, path: str, fields: dict[str, object]) -> None:
    """Behaviour 50: no name, no mark, or no name that a namespace could have."""
    assert send(wire, "POST", name, path=path, **fields).status == 400


def test_path_and_body_mean_the_same_namespace(wire: Wire) -> None:
    """Behaviour 50: 400 where they do not."""
    assert send(wire, "PUT", "other", path="openfaas-fn").status == 400
    assert send(wire, "DELETE", "other", path="openfaas-fn").status == 400


def test_functions_of_two_namespaces_do_not_meet(wire: Wire) -> None:
    """Behaviours 27, 50: the same name twice, each found by its own namespace, wherever that is written."""
    assert send(wire, "POST", "apart", path="").status == 201
    wire.deploy("twin", envVars={"WHOSE": "default"}, process="env")
    wire.deploy("twin", envVars={"WHOSE": "apart"}, process="env", namespace="apart")
    assert "WHOSE=default" in wire.call("twin").text
    assert "WHOSE=apart" in wire.call("twin.apart").text
    assert wire.function("twin", "?namespace=apart")["namespace"] == "apart"
    assert wire.function("twin.apart")["envVars"] == {"WHOSE": "apart"}
    assert [*wire.functions("apart")] == ["twin"]
    assert send(wire, "DELETE", "apart").status == 400, "it is not empty"
    assert wire.remove("twin", "apart").status == 202
    assert "WHOSE=default" in wire.call("twin").text
    assert send(wire, "DELETE", "apart").status == 202


def test_a_namespace_that_is_not_there_has_no_list(wire: Wire) -> None:
    """Behaviour 4: 400, as OpenFaaS has it."""
    assert wire.send("GET", "/system/functions?namespace=nowhere").status == 400
    assert wire.send("GET", "/system/secrets?namespace=nowhere").status == 400
