"""Submissions and answers: what is read out of a request, and what an answer is taken for."""

import msgspec
import pytest

from dayfly.http1.head import RequestHead, judge
from dayfly.model.errors import InvalidRequest
from dayfly.model.queued import QueuedCall, Request
from dayfly.model.retry import RetryPolicy
from dayfly.model.status import Problem
from dayfly.queue.invocation import judged, request_head
from dayfly.queue.submission import read_submission

NOW = 1_000_000


def head(*lines: tuple[bytes, bytes], target: bytes = b"/call/f.n/a/b?c=%20") -> RequestHead:
    """Return a submission's head."""
    return judge(b"POST", target, b"HTTP/1.1", [(b"Host", b"queue"), (b"X-Call-Id", b"c1"), *lines])


def test_a_direct_call_keeps_its_method_and_headers_and_is_tried_once() -> None:
    said = [(b"X-Delay", b"never"), (b"Idempotency-Key", b"k 1"), (b"Cookie", b"a")]
    sent = judge(
        b"PATCH", b"/direct/f.n/a?b", b"HTTP/1.1",
        [(b"Host", b"queue"), (b"X-Call-Id", b"c1"), *said, (b"X-Dayfly-Scope", b"whose")],
    )  # fmt: skip
    given = read_submission(sent, b"body", NOW)
    lines = b"X-Delay: never\r\nIdempotency-Key: k 1\r\nCookie: a\r\n"
    assert given.request == Request(lines, b"body")
    assert given.call == QueuedCall(
        id="c1", function="f.n", target="/a?b", accepted_unix_ms=NOW, due_unix_ms=NOW, retry=RetryPolicy(attempts=1),
        method="PATCH", direct=True, size_bytes=len(lines) + 4,
    )  # fmt: skip
    assert given.key == "whose\n\nk 1"
    assert request_head(given.call, given.request).startswith(b"PATCH /function/f.n/a?b HTTP/1.1\r\n")
    with pytest.raises(InvalidRequest, match="key"):
        read_submission(head(target=b"/direct/f.n/"), b"", NOW)


@pytest.mark.parametrize(
    ("status", "code", "ran"),
    [(404, "not_found", False), (429, "queue_full", False), (502, "replica_lost", True), (503, "no_replica", False),
     (504, "timeout", True)],
)  # fmt: skip
def test_what_a_gateway_refused_has_not_run(status: int, code: str, ran: bool) -> None:
    told = Problem(type="x", title="x", status=status, detail="x", code=code, retryable=False)
    assert judged(status, b"", msgspec.json.encode(told)).ran == ran


def test_a_submission_says_who_is_called_when_and_how_often() -> None:
    given = read_submission(
        head(
            (b"X-Dayfly-Terms", b'{"retry":{"attempts":4},"concurrency":2}'), (b"x-delay", b"10m"),
            (b"X-Priority", b"HIGH"), (b"X-Callback-Url", b"https://example.com/x"), (b"Cookie", b"caf\xe9"),
            (b"Idempotency-Key", b"k 1"), (b"traceparent", b"00-a"),
        ),
        b"body",
        NOW,
    )  # fmt: skip
    lines = b"X-Callback-Url: https://example.com/x\r\nCookie: caf\xe9\r\ntraceparent: 00-a\r\n"
    assert given.request == Request(lines, b"body")
    assert given.call == QueuedCall(
        id="c1", function="f.n", target="/a/b?c=%20", accepted_unix_ms=NOW, due_unix_ms=NOW + 600_000, priority="high",
        callback="https://example.com/x", retry=RetryPolicy(attempts=4), concurrency=2, size_bytes=len(lines) + 4,
    )  # fmt: skip
    assert given.key == "f.n\n\n\nk 1"


def test_no_caller_comes_by_a_key_of_the_platforms_own_calls() -> None:
    """A cron call's key is its moment, which anybody can claim before, with a delay of 30 days."""
    line = (b"Idempotency-Key", b"cron 2026-11-29T09:00:00Z")
    ours = read_submission(head(line, (b"X-Dayfly-Scope", b"platform"), target=b"/call/f.n/"), b"", NOW)
    theirs = read_submission(head(line, target=b"/call/f.n/"), b"", NOW)
    waiting = read_submission(head(line, target=b"/direct/f.n/"), b"", NOW)
    assert len({ours.key, theirs.key, waiting.key}) == 3
    assert ours.key == "f.n\ncron 2026-11-29T09:00:00Z"  # as those are kept that were made before
    assert ours.request.lines == b""


def test_the_answer_to_one_credential_is_not_for_another() -> None:
    def digest(*lines: tuple[bytes, bytes]) -> str:
        return read_submission(head((b"Idempotency-Key", b"k"), *lines, target=b"/direct/f.n/"), b"x", NOW).digest

    ant, bee = ((b"authorization", b"Bearer " + who) for who in (b"ant", b"bee"))
    assert digest(ant) == digest(ant)
    assert len({digest(), digest(ant), digest(bee)}) == 3


def test_whether_a_caller_chose_the_id_is_told_by_the_gateway_alone() -> None:
    for line in (b"/call/f.n/", b"/direct/f.n/"):
        key = (b"Idempotency-Key", b"k")
        given = read_submission(head(key, (b"X-Dayfly-Named", b"true"), target=line), b"", NOW)
        assert given.named
        assert b"Named" not in given.request.lines
        assert not read_submission(head(key, target=line), b"", NOW).named


def test_without_a_word_a_call_is_due_now() -> None:
    call = read_submission(head(), b"", NOW).call
    assert (call.due_unix_ms, call.priority, call.callback, call.retry) == (NOW, "normal", "", RetryPolicy())


def test_a_call_keeps_the_depth_that_it_was_made_at() -> None:
    given = read_submission(head((b"X-Dayfly-Depth", b"7")), b"", NOW)
    assert given.call.depth == 7
    assert given.request.lines == b"X-Dayfly-Depth: 7\r\n"


def test_a_keys_digest_is_that_of_the_call() -> None:
    digests = {
        read_submission(head(target=target), body, NOW).digest
        for target, body in ((b"/call/f.n/", b"a"), (b"/call/f.n/", b"b"), (b"/call/f.n/x", b"a"))
    }
    assert len(digests) == 3
    assert read_submission(head((b"A", b"b")), b"a", 1).digest == read_submission(head(), b"a", 2).digest


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        (b"X-Delay", b"soon", "X-Delay"), (b"X-Delay", b"721h", "30 days"), (b"X-Delay", b"-1", "X-Delay"),
        (b"X-Priority", b"highest", "X-Priority"), (b"X-Callback-Url", b"ftp://x", "X-Callback-Url"),
        (b"Idempotency-Key", b"x" * 129, "Idempotency-Key"), (b"Idempotency-Key", b"\xe9", "Idempotency-Key"),
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_refused(name: bytes, value: bytes, told: str) -> None:
    with pytest.raises(InvalidRequest, match=told):
        read_submission(head((name, value)), b"", NOW)


def test_what_is_sent_is_what_was_accepted() -> None:
    given = read_submission(head((b"Cookie", b"c")), b"body", NOW)
    assert request_head(given.call, given.request) == (
        b"POST /function/f.n/a/b?c=%20 HTTP/1.1\r\nHost: queue\r\nX-Call-Id: c1\r\n"
        b"Cookie: c\r\nContent-Length: 4\r\n\r\n"
    )


THEIRS = b"X-Duration-Seconds: 0.1\r\n"


def refusal(status: int, code: str) -> tuple[bytes, bytes]:
    """Return a refusal of the gateway's."""
    told = Problem(
        type="t",
        title="t",
        status=status,
        detail=f"because of {code}",
        code=code,
        retryable=False,
        hint="",
        call_id="c",
    )
    return b"Content-Type: application/problem+json\r\n", msgspec.json.encode(told)


def test_what_the_function_answered_is_its_own() -> None:
    for status in (200, 302, 400, 404, 413, 429, 500, 503):
        attempt = judged(status, THEIRS, b"")
        assert attempt.reached
        assert (attempt.outcome.status, attempt.outcome.from_platform) == (status, False)
        assert bool(attempt.outcome.reason) is (status >= 400)


@pytest.mark.parametrize(
    ("status", "code", "reached", "from_platform"),
    [
        (429, "queue_full", False, False), (429, "queue_timeout", False, False), (503, "no_table", False, True),
        (503, "no_replica", True, True), (503, "function_failing", True, True), (502, "replica_lost", True, True),
        (502, "function_killed", True, True), (502, "function_crashed", True, False),
        (502, "function_out_of_memory", True, False), (504, "timeout", True, False), (404, "not_found", True, False),
        (413, "payload_too_large", True, False),
    ],
)  # fmt: skip
def test_what_the_gateway_answered_is_not(status: int, code: str, reached: bool, from_platform: bool) -> None:
    attempt = judged(status, *refusal(status, code))
    assert (attempt.reached, attempt.outcome.from_platform) == (reached, from_platform)
    assert attempt.outcome.reason == f"because of {code}"


def test_a_function_cannot_pass_for_the_gateway() -> None:
    lines, body = refusal(429, "queue_full")
    assert judged(429, lines + THEIRS, body).reached


@pytest.mark.parametrize(
    ("status", "value", "seconds"),
    [(429, b"7", 7.0), (503, b"7", 7.0), (500, b"7", 0.0), (429, b"soon", 0.0), (429, b"-1", 0.0)],
)
def test_retry_after_counts_where_it_means_something(status: int, value: bytes, seconds: float) -> None:
    assert judged(status, THEIRS + b"Retry-After: %b\r\n" % value, b"").outcome.retry_after_s == seconds


def test_a_function_that_lets_nobody_wait_was_not_reached_when_it_was_busy() -> None:
    attempt = judged(429, b"X-OpenFaaS-Internal: faas-middleware\r\nRetry-After: 3\r\n", b"Concurrent request limit\n")
    assert not attempt.reached
    assert attempt.outcome.retry_after_s == 3


def test_a_call_whose_budget_is_used_up_waits_and_so_do_the_functions_others() -> None:
    attempt = judged(429, *refusal(429, "budget_used_up"))
    assert not attempt.reached
    assert not attempt.ran
    assert attempt.hold_s > 0
    assert attempt.outcome.reason == "because of budget_used_up"
    assert judged(429, THEIRS, refusal(429, "budget_used_up")[1]).reached, "a function cannot pass for the gateway"
