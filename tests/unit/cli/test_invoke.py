"""invoke: bytes in, bytes out, and nothing of ours given away."""

from collections.abc import Callable
from typing import Any

import httpx2
import pytest

Run = Callable[..., Any]


def test_it_carries_bytes_both_ways(dayfly: Run, platform: Any) -> None:
    body = bytes(range(256))
    outcome = dayfly("invoke", "hello", stdin=body)
    assert (outcome.exit_code, outcome.stdout_bytes) == (0, b"echo:" + body)
    request = platform.requests[-1]
    assert (request.method, request.url.path) == ("POST", "/function/hello.openfaas-fn")
    assert request.headers["content-type"] == "text/plain"
    assert request.headers["content-length"] == "256"


def test_a_long_input_goes_in_pieces(dayfly: Run, platform: Any) -> None:
    body = b"x" * 600_000
    assert dayfly("invoke", "hello", stdin=body).stdout_bytes == b"echo:" + body
    assert platform.requests[-1].headers["transfer-encoding"] == "chunked"


def test_options_shape_the_request(dayfly: Run, platform: Any) -> None:
    dayfly(
        "invoke", "hello", "-n", "team-a", "-m", "put", "--path", "/a/b", "--query", "x=1", "--query", "x=2 3",
        "-H", "X-One: 1", "--content-type", "application/json",
    )  # fmt: skip
    request = platform.requests[-1]
    assert (request.method, request.url.raw_path) == ("PUT", b"/function/hello.team-a/a/b?x=1&x=2+3")
    assert (request.headers["x-one"], request.headers["content-type"]) == ("1", "application/json")


def test_the_credential_of_the_platform_never_goes_to_a_function(dayfly: Run, platform: Any) -> None:
    login = dayfly("login", "--password-stdin", stdin="secret\n")
    assert login.exit_code == 0, login.stderr
    dayfly("list")
    assert "authorization" in platform.requests[-1].headers
    dayfly("invoke", "hello")
    assert "authorization" not in platform.requests[-1].headers


def test_a_functions_error_is_told_on_standard_error_with_1(dayfly: Run, platform: Any) -> None:
    platform.invoke = lambda _: httpx2.Response(500, text="boom \x1b[31mred", headers={"X-Call-Id": "c"})
    outcome = dayfly("invoke", "hello")
    assert (outcome.exit_code, outcome.stdout) == (1, "")
    assert outcome.stderr == "Error: hello.openfaas-fn answered 500 Internal Server Error: boom \\x1b[31mred\n"


def test_the_platforms_own_refusal_has_its_own_exit_code(dayfly: Run, platform: Any) -> None:
    problem = {"code": "not_found", "detail": "no function hello", "status": 404}
    platform.invoke = lambda _: httpx2.Response(404, json=problem, headers={"Content-Type": "application/problem+json"})
    outcome = dayfly("invoke", "hello")
    assert (outcome.exit_code, outcome.stderr) == (66, "Error: no function hello\n")


@pytest.mark.parametrize("status", [301, 404, 418, 599])
def test_any_status_but_2xx_is_an_error(dayfly: Run, platform: Any, status: int) -> None:
    platform.invoke = lambda _: httpx2.Response(status, text="no")
    assert dayfly("invoke", "hello").exit_code == 1


def test_verbose_says_the_call_id(dayfly: Run) -> None:
    assert "call id call-1" in dayfly("invoke", "hello", "-v").stderr


def test_queued_calls_are_refused_plainly(dayfly: Run, platform: Any) -> None:
    outcome = dayfly("invoke", "hello", "--async")
    assert outcome.exit_code == 69
    assert "not there yet" in outcome.stderr
    assert platform.requests == []


@pytest.mark.parametrize(
    "args", [("-H", "no colon"), ("--query", "novalue"), ("--path", "a b"), ("--path", "a?b=c"), ("--timeout", "soon")]
)
def test_malformed_options_are_refused_before_anything_is_sent(dayfly: Run, platform: Any, args: tuple[str]) -> None:
    assert dayfly("invoke", "hello", *args).exit_code in (2, 64)
    assert platform.requests == []


def test_a_cookie_that_one_function_sets_is_not_told_to_another() -> None:
    from dayfly.client import Client
    from dayfly.client.gateway import Target

    seen = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        seen.append(request.headers.get("cookie"))
        return httpx2.Response(200, headers={"Set-Cookie": "session=1; Path=/"})

    with Client(target=Target("http://127.0.0.1:1"), transport=httpx2.MockTransport(answer)) as client:
        client.invoke("one")
        client.invoke("two")
    assert seen == [None, None]
