"""invoke: bytes in, bytes out, and nothing of ours given away."""

import hmac
from collections.abc import Callable
from pathlib import Path
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


@pytest.mark.usefixtures("platform")
def test_what_is_sent_can_be_given_or_be_in_a_file(dayfly: Run, tmp_path: Path) -> None:
    assert dayfly("invoke", "hello", "-d", "Crème", stdin="not this").stdout == "echo:Crème"
    (tmp_path / "order.json").write_text("{}")
    assert dayfly("invoke", "hello", "--data", f"@{tmp_path}/order.json").stdout == "echo:{}"
    outcome = dayfly("invoke", "hello", "--data", f"@{tmp_path}/none")
    assert (outcome.exit_code, "none cannot be read: No such file" in outcome.stderr) == (64, True)


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
    assert outcome.stderr == "Error: Server returned unexpected status code: 500 - boom \\x1b[31mred\n"


@pytest.mark.parametrize("detail", ["the function raised KeyError; its log has it", "it hit a limit: its memory"])
def test_what_the_platform_says_of_a_functions_error_is_told_whole(dayfly: Run, platform: Any, detail: str) -> None:
    problem = {"code": "function_failed", "detail": detail, "status": 500}
    platform.invoke = lambda _: httpx2.Response(500, json=problem, headers={"Content-Type": "application/problem+json"})
    outcome = dayfly("invoke", "hello")
    assert outcome.exit_code == 1
    assert outcome.stderr == f"Error: Server returned unexpected status code: 500 - {detail}\n"


def test_an_end_for_memory_or_time_is_told_in_words_with_what_to_do(dayfly: Run, platform: Any) -> None:
    problem = {
        "type": "urn:dayfly:problem:function_out_of_memory",
        "code": "function_out_of_memory",
        "detail": "The replica is gone: it used more than its memory limit of 100 MiB.",
        "hint": "Raise limits.memory.",
    }
    platform.invoke = lambda _: httpx2.Response(502, json=problem, headers={"Content-Type": "application/problem+json"})
    told = "The replica is gone: it used more than its memory limit of 100 MiB.\nRaise limits.memory.\n"
    assert dayfly("invoke", "hello").stderr == f"Error: Server returned unexpected status code: 502 - {told}"


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


def test_a_call_is_queued(dayfly: Run, platform: Any) -> None:
    outcome = dayfly("invoke", "hello", "-a", "-v", "-H", "X-Callback-Url: http://x", stdin="later")
    assert (outcome.exit_code, outcome.stdout) == (0, "call-2\n")
    assert outcome.stderr == "202, call id call-2\nFunction submitted asynchronously.\n"
    request = platform.requests[-1]
    assert (request.url.path, request.content) == ("/async-function/hello.openfaas-fn", b"later")
    assert request.headers["x-callback-url"] == "http://x"
    assert dayfly("invoke", "hello", "--async", "-m", "GET").exit_code == 64


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


def test_the_input_is_signed(dayfly: Run, platform: Any, home: Any) -> None:
    """The sum is that of `openssl dgst -sha256 -hmac hush` over the same bytes."""
    (home / "key").write_text("hush\n")
    body = b"x" * 600_000
    for args in (("--key", "hush"), ("--key-file", "key")):
        assert dayfly("invoke", "hello", "--sign", "X-Sum", *args, stdin=body).stdout_bytes == b"echo:" + body
        expected = hmac.new(b"hush", body, "sha256").hexdigest()
        assert platform.requests[-1].headers["x-sum"] == f"sha256={expected}"


@pytest.mark.parametrize(
    "args", [("--sign", "X-Sum"), ("--key", "k"), ("--sign", "X", "--key", "k", "--key-file", "f")]
)
def test_signing_takes_both(dayfly: Run, platform: Any, args: tuple[str, ...]) -> None:
    outcome = dayfly("invoke", "hello", *args)
    assert outcome.exit_code == 64
    assert platform.requests == []


def test_older_headers_are_understood_with_a_warning(dayfly: Run, platform: Any) -> None:
    outcome = dayfly("invoke", "hello", "-H", "X-One=1", "-H", "Content-Type: a/b")
    assert "deprecated 'key=value' format" in outcome.stderr
    assert platform.requests[-1].headers["x-one"] == "1"
    assert platform.requests[-1].headers.get_list("content-type") == ["a/b"]
    dayfly("invoke", "hello", "-H", "Content-Type: a/b", "--content-type", "c/d")
    assert platform.requests[-1].headers.get_list("content-type") == ["c/d"]
