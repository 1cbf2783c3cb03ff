"""Calls of functions, by whom and however they are spelt."""

import pytest
from tests.compat_openfaas.wire import DEFAULT, LOGIN, Wire

REDIRECT = """
def handle(event, context):
    return {"statusCode": 302, "headers": {"Location": "http://example.com"}, "body": ""}
"""


@pytest.mark.parametrize("verb", ["GET", "POST", "PUT", "PATCH", "DELETE"])
def test_each_verb_reaches_the_program(wire: Wire, verb: str) -> None:
    """Behaviours 19, 22: by the name with its namespace; the answer says which call it was and when it began."""
    wire.deploy("verbs", "env")
    answer = wire.call(f"verbs.{DEFAULT}", method=verb)
    assert answer.status == 200
    assert f"Http_Method={verb}" in answer.text.splitlines()
    assert answer.headers["x-call-id"]
    assert answer.headers["x-start-time"].isdigit()


def test_the_query_and_variables_are_in_the_environment(wire: Wire) -> None:
    """Behaviours 20, 21: a program sees what was asked and what it was deployed with."""
    wire.deploy("asked", "env", envVars={"custom_env": "custom_env_value"})
    lines = wire.call("asked?testing=1").text.splitlines()
    assert "Http_Query=testing=1" in lines
    assert "custom_env=custom_env_value" in lines
    assert not [line for line in wire.call("asked").text.splitlines() if line.startswith("Http_Query")]


def test_the_callers_own_call_id_is_kept_and_told(wire: Wire) -> None:
    """Behaviour 22: the program has it, and so has the answer, which OpenFaaS leaves out."""
    wire.deploy("identified", "env")
    answer = wire.call("identified", X_Call_Id="a-call-of-mine")
    assert answer.headers["x-call-id"] == "a-call-of-mine"
    assert "Http_X_Call_Id=a-call-of-mine" in answer.text.splitlines()


def test_what_is_no_call_has_an_id_too(wire: Wire) -> None:
    """Behaviour 22: on every answer of the API, errors among them, which is more than OpenFaaS gives."""
    for path in ("/system/functions", "/system/function/nobody", "/healthz", "/nothing"):
        assert wire.send("GET", path).headers["x-call-id"]
        own = wire.send("GET", path, headers={**LOGIN, "X-Call-Id": "mine"})
        assert own.headers["x-call-id"] == "mine"


@pytest.mark.parametrize("image", ["theaxer/redirector:latest", "docker.io/theaxer/redirector:latest", "code"])
def test_a_redirect_is_the_callers(wire: Wire, image: str) -> None:
    """Behaviour 23: it is passed on and not followed."""
    code, process = (wire.upload(REDIRECT), "") if image == "code" else (image, "./handler")
    wire.deploy("elsewhere", process, image=code, envVars={"destination": "http://example.com"})
    answer = wire.eventually("elsewhere", lambda answer: answer.status == 302)
    assert answer.headers["location"] == "http://example.com"


@pytest.mark.parametrize("name", ["", ".", f".{DEFAULT}", "nobody", f"nobody.{DEFAULT}", "nobody.nowhere", "Verbs"])
def test_nobody_is_not_found(wire: Wire, name: str) -> None:
    """Behaviour 24: a name that is nobody's, the empty one too, is 404, or 400 where it could be misread."""
    answer = wire.call(name)
    assert answer.status == 404 or (name in ("", ".") and answer.status == 400)
    assert answer.headers["x-call-id"]


def test_calls_need_no_credential_and_pass_one_on(wire: Wire) -> None:
    """Behaviours 25, 26: the first call succeeds at once, whoever calls; an Authorization is the function's affair."""
    wire.deploy("anyone", "env")
    assert wire.call("anyone").status == 200
    lines = wire.call("anyone", Authorization="Bearer mine", Cookie="a=b").text.splitlines()
    assert {"Http_Authorization=Bearer mine", "Http_Cookie=a=b"} <= {*lines}


def test_a_name_alone_is_of_the_default_namespace(wire: Wire) -> None:
    """Behaviour 27: both names are one function."""
    wire.deploy("both")
    for name in ("both", f"both.{DEFAULT}"):
        assert wire.call(name, b"me").body == b"me"


@pytest.mark.parametrize(
    ("called", "seen"), [("", "/"), ("/", "/"), ("/a/b", "/a/b"), ("/a/b/?x=1", "/a/b/"), ("//a", "//a")]
)
def test_what_follows_the_name_is_the_functions(wire: Wire, called: str, seen: str) -> None:
    """Behaviour 28: path and trailing slash as they were sent."""
    wire.deploy("paths", "env")
    assert f"Http_Path={seen}" in wire.call(f"paths.{DEFAULT}{called}").text.splitlines()


def test_beyond_max_inflight_calls_are_turned_away(wire: Wire) -> None:
    """Behaviour 51: 429 in the words of OpenFaaS's watchdog, at once, while the first call goes on."""
    env = {"max_inflight": "1", "mode": "streaming"}
    wire.deploy("single", envVars=env, labels={"com.openfaas.scale.max": "1"})
    with wire.talk("single") as first:
        assert first.say(b"a") == b"a", "the program has the call"
        second = wire.call("single", b"b")
        assert (second.status, second.text) == (
            429,
            "Concurrent request limit exceeded. Max concurrent requests: 1\n",
        )
        assert second.headers["content-type"] == "text/plain"
        assert second.headers["x-openfaas-internal"] == "faas-middleware"
        assert first.say(b"c") == b"c", "it goes on"
    wire.eventually("single", lambda answer: answer.status == 200)
