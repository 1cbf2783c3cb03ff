"""A request as a program's variables and input."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dayfly.runtimes.exec import request
from dayfly.runtimes.python.handler import Refused

names = st.text(
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_!#$%&'*+.^`|~", min_size=1, max_size=30
)


def scope(*headers: tuple[str, bytes], path: str = "/", query: bytes = b"", method: str = "POST") -> dict[str, Any]:
    pairs = [(name.encode(), value) for name, value in headers]
    return {"type": "http", "method": method, "path": path, "query_string": query, "headers": pairs}


def test_variables_are_named_as_openfaas_names_them() -> None:
    found = request.variables(
        scope(
            ("host", b"gateway:8080"), ("x-call-id", b"abc"), ("user-agent", b"curl/8"), ("content-length", b"5"),
            ("accept", b"text/html"), ("accept", b"text/plain"), path="/a/b c", query=b"x=1&y=%20", method="PUT",
        )
    )  # fmt: skip
    assert found == {
        "Http_Method": "PUT",
        "Http_Path": "/a/b c",
        "Http_Query": "x=1&y=%20",
        "Http_Host": "gateway:8080",
        "Http_ContentLength": "5",
        "Http_Content_Length": "5",
        "Http_X_Call_Id": "abc",
        "Http_User_Agent": "curl/8",
        "Http_Accept": "text/html",
    }


def test_a_body_of_unknown_length_has_minus_one_and_none_has_nought() -> None:
    chunked = request.variables(scope(("transfer-encoding", b"chunked")))
    assert (chunked["Http_ContentLength"], chunked["Http_Content_Length"]) == ("-1", "-1")
    assert chunked["Http_Transfer_Encoding"] == "chunked"
    empty = request.variables(scope())
    assert (empty["Http_ContentLength"], empty.get("Http_Transfer_Encoding")) == ("0", None)
    assert "Http_Query" not in empty


@pytest.mark.parametrize(
    "name", ["proxy", "PROXY", "query", "path", "method", "contentlength", "x_call_id", "X_Forwarded_For"]
)
def test_a_caller_chooses_headers_and_no_variables(name: str) -> None:
    assert "evil" not in request.variables(scope((name, b"evil"))).values()


@given(st.lists(st.tuples(names, st.binary(max_size=20).filter(lambda value: b"\0" not in value)), max_size=8))
def test_no_header_makes_a_variable_that_another_program_heeds(headers: list[tuple[str, bytes]]) -> None:
    found = request.variables(scope(*headers))
    assert all(name.startswith("Http_") for name in found)
    assert not {name.lower() for name in found} & {"http_proxy", "https_proxy", "no_proxy", "all_proxy"}
    assert all("=" not in name and "\0" not in name for name in found)
    settled = {name: found[name] for name in ("Http_Method", "Http_Path", "Http_ContentLength", "Http_Content_Length")}
    assert settled["Http_Method"] == "POST"
    assert settled["Http_Path"] == "/"
    assert "Http_Query" not in found


def test_bytes_that_are_no_text_come_through() -> None:
    found = request.variables(scope(("x-name", b"caf\xe9"), query=b"\xff"))
    assert found["Http_X_Name"].encode("utf-8", "surrogateescape") == b"caf\xe9"
    assert found["Http_Query"].encode("utf-8", "surrogateescape") == b"\xff"


def test_a_path_that_no_variable_can_hold_is_refused() -> None:
    with pytest.raises(Refused, match="NUL byte") as refused:
        request.variables(scope(path="/a\0b"))
    assert refused.value.status == 400


def test_a_marshalled_request_has_all_headers_and_the_body() -> None:
    told = json.loads(request.marshalled(scope(("x-a", b"1"), ("x-a", b"\xff")), b"hello"))
    assert told == {"header": {"X-A": ["1", "\ufffd"]}, "body": {"raw": "aGVsbG8="}}
