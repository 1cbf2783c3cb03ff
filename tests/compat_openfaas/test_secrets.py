"""Secrets: kept, listed by name, seen by functions, changed and removed."""

import base64

import pytest
from tests.compat_openfaas import golike
from tests.compat_openfaas.wire import DEFAULT, Answer, Wire, deployment

BYTES = b"\x00\xff\n the exact bytes \r\n"
FORMS = {
    "value": ("as text ü\n", "as text ü\n".encode()),
    "rawValue": (base64.b64encode(BYTES).decode(), BYTES),
}


def send(wire: Wire, method: str, name: str, **fields: str) -> Answer:
    """Send a secret as `faas-cli` does."""
    return wire.send(method, "/system/secrets", {"name": name, "namespace": DEFAULT, **fields})


def listed(wire: Wire, query: str = "") -> list[dict[str, str]]:
    """Return the list."""
    answer = wire.send("GET", f"/system/secrets{query}")
    assert answer.status == 200
    found: list[dict[str, str]] = answer.read(golike.SECRETS)
    return found


@pytest.mark.parametrize("form", FORMS)
def test_a_secret_is_seen_by_its_function_and_by_name_alone(wire: Wire, form: str) -> None:
    """Behaviours 34, 35: text or base64; a file of just these bytes; in the list nothing but whose it is."""
    name = f"kept-{form.lower()}"
    sent, content = FORMS[form]
    assert send(wire, "POST", name, **{form: sent}).status in (200, 201, 202)
    assert {"name": name, "namespace": DEFAULT} in listed(wire)
    assert {"name": name, "namespace": DEFAULT} in listed(wire, f"?namespace={DEFAULT}")
    wire.deploy(name, f"cat /var/openfaas/secrets/{name}", secrets=[name])
    assert wire.call(name).body == content


def test_base64_counts_where_both_are_given(wire: Wire) -> None:
    """Behaviour 34: `faas-cli` sends a file in both ways, and one of them may have lost something."""
    assert send(wire, "POST", "both-ways", value="text", rawValue=FORMS["rawValue"][0]).status in (200, 201, 202)
    wire.deploy("both-ways", "cat /var/openfaas/secrets/both-ways", secrets=["both-ways"])
    assert wire.call("both-ways").body == BYTES


def test_a_changed_secret_is_there_after_the_next_deployment(wire: Wire) -> None:
    """Behaviour 36: PUT of the secret, PUT of the function, and the new content."""
    send(wire, "POST", "changes", value="old")
    show = ("changes", "cat /var/openfaas/secrets/changes")
    wire.deploy(*show, secrets=["changes"])
    assert wire.call("changes").text == "old"
    assert send(wire, "PUT", "changes", value="new").status in (200, 202)
    wire.deploy(*show, secrets=["changes"], annotations={"secret-hash": "something else"})
    wire.eventually("changes", lambda answer: answer.text == "new")


def test_statuses_are_those_that_clients_decide_by(wire: Wire) -> None:
    """Behaviour 37: 409 drives `--replace`; 204 would be a failure; what is not there is 404."""
    assert send(wire, "PUT", "life", value="x").status == 404
    assert send(wire, "DELETE", "life").status == 404
    assert send(wire, "POST", "life", value="x").status in (200, 201, 202)
    assert send(wire, "POST", "life", value="y").status == 409
    assert send(wire, "PUT", "life", value="z").status in (200, 202)
    assert send(wire, "DELETE", "life").status in (200, 202)
    assert "life" not in [each["name"] for each in listed(wire)]
    assert send(wire, "DELETE", "life").status == 404


@pytest.mark.parametrize("name", ["", "../up", "a/b", "Upper Case"])
def test_what_is_no_name_of_a_secret_is_refused(wire: Wire, name: str) -> None:
    """Behaviour 37: with 400, and nothing is kept."""
    before = listed(wire)
    assert send(wire, "POST", name, value="x").status == 400
    assert listed(wire) == before


@pytest.mark.parametrize("where", ["body", "query"])
def test_the_namespace_of_a_secret_may_stand_in_two_places(wire: Wire, elsewhere: str, where: str) -> None:
    """Behaviour 37: in the body, or in the query as one provider of OpenFaaS's has it."""
    query = f"?namespace={elsewhere}" if where == "query" else ""
    secret = {"name": f"by-{where}", "value": "x"} | ({"namespace": elsewhere} if where == "body" else {})
    assert wire.send("POST", f"/system/secrets{query}", secret).status in (200, 201, 202)
    told = {"name": f"by-{where}", "namespace": elsewhere}
    assert told in listed(wire, f"?namespace={elsewhere}")
    assert f"by-{where}" not in [each["name"] for each in listed(wire)]
    assert wire.send("PUT", f"/system/secrets{query}", secret).status in (200, 202)
    assert wire.send("DELETE", f"/system/secrets{query}", secret).status in (200, 202)
    assert told not in listed(wire, f"?namespace={elsewhere}")


def test_a_deployment_that_names_a_missing_secret_is_refused(wire: Wire) -> None:
    """Behaviour 38: with 400, for new functions and old ones, and the name of what is missing."""
    asked = deployment("hopeful", secrets=["never-made"])
    refused = wire.send("POST", "/system/functions", asked)
    assert (refused.status, "never-made" in refused.text) == (400, True)
    wire.deploy("hopeful")
    assert wire.send("PUT", "/system/functions", asked).status == 400
    assert "secrets" not in wire.function("hopeful")
