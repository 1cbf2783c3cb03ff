"""Where a request names its namespace: found in every place, and one at a time."""

import asyncio
import json
from typing import Any
from urllib.parse import urlencode

import pytest
from starlette.requests import Request

from dayfly.api.scope import Place, function_in, note_namespace
from dayfly.model.errors import InvalidName, InvalidRequest
from dayfly.model.names import FunctionKey, FunctionName, NamespaceName, parse_namespace

EVERYWHERE = Place(
    path="ns", path_name="name", query="namespace", query_name="name", body="namespace", body_name="functionName"
)


def request(path: dict[str, str] | None = None, query: dict[str, str] | None = None, body: Any = None) -> Request:
    data = body if isinstance(body, bytes) else json.dumps({} if body is None else body).encode()
    messages = iter([{"type": "http.request", "body": data, "more_body": False}])

    async def receive() -> Any:
        return next(messages)

    scope = {
        "type": "http", "method": "POST", "path": "/", "headers": [], "path_params": path or {},
        "query_string": urlencode(query or {}).encode(),
    }  # fmt: skip
    return Request(scope, receive)


def named(place: Place = EVERYWHERE, **parts: Any) -> NamespaceName | None:
    return asyncio.run(place.named(request(**parts)))


@pytest.mark.parametrize(
    "parts",
    [
        {"path": {"ns": "team"}},
        {"path": {"name": "f.team"}},
        {"query": {"namespace": "team"}},
        {"query": {"name": "f.team"}},
        {"body": {"namespace": "team"}},
        {"body": {"functionName": "f.team"}},
        {"path": {"ns": "team", "name": "f.team"}, "query": {"namespace": "team", "name": "f"},
         "body": {"namespace": "team", "functionName": "f.team", "more": [1]}},
    ],
)  # fmt: skip
def test_each_place_is_looked_at(parts: dict[str, Any]) -> None:
    assert named(**parts) == "team"
    assert named(Place(), **parts) is None


@pytest.mark.parametrize(
    "parts",
    [
        {"path": {"name": "f"}, "query": {"namespace": "", "name": "f"}, "body": {"namespace": "", "functionName": ""}},
        {"body": {"namespace": None, "functionName": None}},
        {},
    ],
)
def test_what_is_empty_names_none(parts: dict[str, Any]) -> None:
    assert named(**parts) is None


@pytest.mark.parametrize(
    "parts",
    [
        {"path": {"ns": "a", "name": "f.b"}},
        {"path": {"name": "f.a"}, "query": {"namespace": "b"}},
        {"query": {"namespace": "a"}, "body": {"namespace": "b"}},
        {"body": {"namespace": "a", "functionName": "f.b"}},
        {"query": {"name": "f.a", "namespace": "openfaas-fn"}},
        {"body": {"namespace": "a\n"}},
        {"path": {"name": "f."}},
        {"path": {"name": "f.A"}},
        {"query": {"namespace": "../b"}},
    ],
)
def test_two_at_once_and_what_is_no_name_are_refused(parts: dict[str, Any]) -> None:
    with pytest.raises(InvalidName):
        named(**parts)


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"namespace": 5}', b'{"functionName": ["f.b"]}', b"\xff"])
def test_a_body_that_cannot_be_read_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidRequest):
        named(body=body)


def test_of_a_member_that_comes_twice_the_last_counts_as_it_does_for_handlers() -> None:
    assert named(body=b'{"namespace": "a", "namespace": "b"}') == "b"


def test_a_name_means_the_namespace_that_was_judged() -> None:
    asked = request()
    note_namespace(asked, parse_namespace("team"))
    key = FunctionKey(NamespaceName("team"), FunctionName("f"))
    assert function_in(asked, "f") == function_in(asked, "f.team") == key
    for name in ("f.other", "f.", ".team", "", "a.b.team"):
        with pytest.raises(InvalidName):
            function_in(asked, name)
