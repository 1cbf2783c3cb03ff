"""The gateway's own errors."""

import json

from dayfly.gateway.problems import problem


def test_a_problem_is_a_whole_response() -> None:
    raw = problem(429, "queue_full", "Full: é.", call_id=b"abc", hint="Wait.", retry_after_s=2, headers=b"X-A: 1\r\n")
    head, _, body = raw.partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    assert lines[0] == b"HTTP/1.1 429 Too Many Requests"
    assert b"Retry-After: 2" in lines
    assert b"X-A: 1" in lines
    assert b"X-Call-Id: abc" in lines
    assert b"Content-Type: application/problem+json" in lines
    assert b"Content-Length: %d" % len(body) in lines
    told = json.loads(body)
    assert (told["status"], told["code"], told["detail"], told["hint"]) == (429, "queue_full", "Full: é.", "Wait.")
    assert (told["call_id"], told["retryable"], told["title"]) == ("abc", True, "Too Many Requests")


def test_a_client_error_is_not_worth_repeating() -> None:
    assert json.loads(problem(404, "not_found", "No.", call_id=b"a").partition(b"\r\n\r\n")[2])["retryable"] is False


def test_closing_and_bodiless() -> None:
    raw = problem(400, "invalid_request", "No.", call_id=b"a", keep=False, bodiless=True)
    assert b"Connection: close\r\n" in raw
    assert raw.endswith(b"\r\n\r\n")
    assert b"Content-Length: 0" not in raw
