"""The same event, the same answers, the same errors and the same logs, whatever a function is written in.

What the contract of a language cannot express is in CANNOT, with the reason; the rest holds for all of them.
"""

import contextlib
import threading
from collections.abc import Callable
from typing import Any

import pytest

BODY_ONLY = "OpenFaaS's python3 hands over the body as text and takes text back"
TYPED = "JSON in and out by type hints: there is no body of bytes, and no request beside the parameters"
PROGRAM = "a program's output is the answer, and its exit code all that it can say beside it"

CANNOT = {
    "python-classic": {"tell": BODY_ONLY, "answer": BODY_ONLY, "bytes": BODY_ONLY},
    "python-typed": {"tell": TYPED, "answer": TYPED, "bytes": TYPED},
    "bash": {"answer": PROGRAM, "problem": PROGRAM, "stdout": PROGRAM},
}
"""What each language has no way to do."""


@pytest.fixture
def can(function: Any) -> Callable[[str], None]:
    """Skip a test of what the function's language cannot express."""

    def check(what: str) -> None:
        why = CANNOT.get(function.lang, {}).get(what)
        if why:
            pytest.skip(f"{function.lang} has no {what}: {why}")

    return check


def test_text_comes_and_goes_as_it_is(function: Any) -> None:
    text = "Grüße, 世界 🎉\n\nzweite Zeile".encode()
    reply = function.call("echo", text)
    assert (reply.status, reply.body) == (200, text)


def test_bytes_come_and_go_as_they_are(function: Any, can: Any) -> None:
    can("bytes")
    data = bytes(range(256)) * 4
    assert function.call("echo", data).body == data


def test_a_large_body_comes_and_goes(function: Any) -> None:
    data = b"0123456789abcde\n" * (256 * 1024)
    reply = function.call("echo", data)
    assert reply.status == 200
    assert reply.body == data, f"{len(reply.body)} bytes of {len(data)}"


def test_an_empty_body_is_answered(function: Any) -> None:
    reply = function.call("echo")
    assert (reply.status, reply.body) == (200, b"")


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_method_path_query_and_headers_arrive(function: Any, can: Any, method: str) -> None:
    can("tell")
    reply = function.call("tell", method=method, path="/a/b?x=1&y=two", X_Mark="here")
    assert reply.body.decode() == f"{method} /a/b x=1&y=two here"


def test_status_and_headers_are_the_functions_to_set(function: Any, can: Any) -> None:
    can("answer")
    reply = function.call("answer")
    assert (reply.status, reply.headers["x-mark"], reply.body) == (418, "seen", b"short and stout")


def test_what_is_raised_is_a_problem_with_a_trace_in_the_log_and_never_in_the_answer(function: Any, can: Any) -> None:
    reply = function.call("raise", X_Call_Id=f"raise-{function.lang}")
    assert reply.status == 500
    assert b"on purpose" not in reply.body
    assert function.line("told on purpose").stream == "stderr"
    can("problem")
    assert reply.headers["content-type"] == "application/problem+json"
    problem = reply.json()
    detail = problem.pop("detail")
    assert problem == {
        "type": "urn:dayfly:problem:function_failed",
        "title": "Internal Server Error",
        "status": 500,
        "code": "function_failed",
        "call_id": f"raise-{function.lang}",
    }
    assert detail.startswith("the function raised ")
    assert "its log has the traceback" in detail
    trace = "\n".join(line.text for line in function.lines() if line.stream == "stderr")
    assert any(mark in trace for mark in ("handler", "Handler", "lib.rs")), "where it was raised"


def test_one_call_that_fails_is_the_only_one(function: Any) -> None:
    assert function.call("raise").status == 500
    assert function.call("echo", b"and on").body == b"and on"


def test_what_is_printed_is_logged_with_its_stream(function: Any, can: Any) -> None:
    text = f"Grüße von {function.lang}"
    assert function.call("log", text.encode()).body == b""
    line = function.line(f"to stderr: {text}")
    assert (line.text, line.stream, line.key.name) == (f"to stderr: {text}", "stderr", function.name)
    can("stdout")
    assert function.line(f"to stdout: {text}").stream == "stdout"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("GREETING", "Grüße"),
        ("OPENFAAS_NAME", "in-{}"),
        ("OPENFAAS_NAMESPACE", "openfaas-fn"),
        ("DAYFLY_FUNCTION", "in-{}"),
        ("DAYFLY_TIMEOUT_SECONDS", "5"),
        ("DAYFLY_MEMORY_BYTES", "536870912"),
        ("HOME", "/tmp"),
        ("DAYFLY_DATA_DIR", ""),
    ],
)
def test_the_environment_is_the_functions_own(function: Any, name: str, value: str) -> None:
    assert function.call(f"env {name}").body.decode() == value.format(function.lang)


@pytest.mark.parametrize("lang", ["java", "php"])
def test_an_interpreter_finds_its_settings_in_the_jail(stage: Any, lang: str) -> None:
    assert stage.function(lang).call("settings").body == b"found"


@pytest.mark.parametrize("lang", ["php", "ruby"])
def test_an_interpreter_finds_what_lies_beside_the_handler(stage: Any, lang: str) -> None:
    assert stage.function(lang).call("vendored").body == b"found"


def test_a_call_is_served_while_another_is_under_way(function: Any) -> None:
    body, kind = function.request("echo", b"first")
    with contextlib.closing(function.connect()) as connection:
        connection.putrequest("POST", f"/function/{function.name}")
        connection.putheader("Content-Type", kind)
        connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body[:4])
        assert function.call("echo", b"second").body == b"second"
        connection.send(body[4:])
        answer = connection.getresponse()
        assert function.reply(answer.status, dict(answer.getheaders()), answer.read()).body == b"first"


def test_calls_at_once_do_not_get_each_others_answers(function: Any) -> None:
    answers: dict[int, bytes] = {}

    def ask(number: int) -> None:
        answers[number] = function.call("echo", b"%d" % number).body

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == {number: b"%d" % number for number in range(12)}


def test_a_call_that_outlasts_its_timeout_is_a_504_and_the_function_goes_on(function: Any, overdue: Any) -> None:
    late, after = overdue[function.lang]
    assert (late.status, late.json()["code"]) == (504, "timeout")
    assert (after.status, after.body) == (200, b"still there")


STATUS = {"python3": 200, "bash-streaming": 200, "php8": 200, "rust": 200, "go": 200, "ruby": 200}
"""What those answer whose contract lets them choose no status; the others choose 202 and name the path in a header."""


def test_a_function_made_for_openfaas_runs_as_it_is(openfaas: Any) -> None:
    reply = openfaas.call("a line", "und Grüße".encode(), path="/some/path")
    assert (reply.status, reply.body.decode()) == (STATUS.get(openfaas.lang, 202), "got a line\nund Grüße")
    if openfaas.lang not in STATUS:
        assert reply.headers["x-path"] == "/some/path"


def test_a_handler_that_stands_on_flask_has_what_flask_has(stage: Any) -> None:
    reply = stage.function("python3-flask", "of").call("a", b"b", path="/x?as=json")
    assert (reply.status, reply.headers["x-kind"], reply.json()) == (201, "json", {"got": "a\nb"})
    plain = stage.function("python3-flask", "of").call("a", b"b")
    assert plain.headers["content-type"] == "text/html; charset=utf-8"
