"""Who may have a callback made (threat T9)."""

import asyncio
from collections.abc import Mapping

import pytest

from dayfly.http1.head import RequestHead, judge
from dayfly.model.callback_hosts import ANNOTATION, CallbackHosts
from dayfly.model.errors import Forbidden, InvalidSpec, LimitExceeded, Unavailable
from dayfly.queue.asking import Unreached, Whole
from dayfly.queue.submission import Submission, read_submission
from dayfly.queue.vouching import ControlJudge, Vouching

LISTED = "hooks.example.com,*.example.org:8443,http://plain.example.com,10.1.0.0/16"


def submission(url: str, *, listed: str = "", authorization: bytes = b"") -> tuple[Submission, RequestHead]:
    hosts = CallbackHosts.from_annotations({ANNOTATION: listed}).listed
    terms = b'{"callbacks":[%b]}' % b",".join(b'"%b"' % host.encode() for host in hosts)
    lines = [(b"X-Callback-Url", url.encode())] if url else []
    lines += [(b"Authorization", authorization)] if authorization else []
    head = judge(
        b"POST", b"/call/f.n/", b"HTTP/1.1",
        [(b"Host", b"queue"), (b"X-Call-Id", b"c1"), (b"X-Dayfly-Terms", terms), (b"Cookie", b"a"),
         (b"X-Forwarded-For", b"192.0.2.7"), *lines],
    )  # fmt: skip
    return read_submission(head, b"in", 1), head


class Credentials:
    """Finds one of them good, for one function."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, bytes, bytes]] = []

    async def __call__(self, function: str, authorization: bytes, peer: bytes, /) -> bool:
        self.asked.append((function, authorization, peer))
        return authorization == b"Bearer good"


def check(url: str, *, anybody: bool = False, listed: str = "", authorization: bytes = b"") -> Submission:
    vouching = Vouching(Credentials(), anybody=anybody)
    return asyncio.run(vouching.check(*submission(url, listed=listed, authorization=authorization)))


def test_without_a_credential_no_callback_is_made() -> None:
    with pytest.raises(Forbidden, match=r"Without a credential .* f\.n to hooks\.example\.com") as refused:
        check("https://hooks.example.com/x")
    for way_out in ("Authorization", ANNOTATION, "DAYFLY_CALLBACK_ANONYMOUS"):
        assert way_out in refused.value.hint


def test_a_credential_that_is_good_for_nothing_here_is_none() -> None:
    with pytest.raises(Forbidden, match="The credential is not good"):
        check("https://hooks.example.com/x", authorization=b"Bearer bad")


@pytest.mark.parametrize("url", ["https://hooks.example.com/", "http://127.0.0.1:8080/function/next"])
def test_a_good_credential_gets_one_and_reaches_neither_the_function_nor_the_disk(url: str) -> None:
    credentials = Credentials()
    given, head = submission(url, authorization=b"Bearer good")
    assert b"Bearer good" in given.request.lines
    passed = asyncio.run(Vouching(credentials, anybody=False).check(given, head))
    assert credentials.asked == [("f.n", b"Bearer good", b"192.0.2.7")]
    assert b"authorization" not in passed.request.lines.lower()
    assert b"Cookie: a\r\n" in passed.request.lines
    assert passed.request.lines.endswith(b"\r\n")
    assert passed.call.callback == url


@pytest.mark.parametrize(
    ("url", "may"),
    [
        ("https://hooks.example.com/a?b", True),
        ("https://HOOKS.example.com:9/", True),
        ("http://hooks.example.com/", False),
        ("https://a.example.org:8443/", True),
        ("https://a.example.org/", False),
        ("https://example.org:8443/", False),
        ("https://aexample.org:8443/", False),
        ("http://plain.example.com/", True),
        ("https://plain.example.com/", True),
        ("https://10.1.2.3/", True),
        ("https://10.2.2.3/", False),
        ("https://hooks.example.com.evil.net/", False),
    ],
)
def test_what_the_author_lists_is_open_to_all_by_https_unless_it_says_http(url: str, may: bool) -> None:
    if may:
        assert check(url, listed=LISTED).call.callback == url
    else:
        with pytest.raises(Forbidden, match="The function lists hooks"):
            check(url, listed=LISTED)


def test_an_operator_may_let_anybody_and_a_call_without_a_callback_needs_nothing() -> None:
    assert check("http://hooks.example.com/", anybody=True).call.callback
    assert check("", authorization=b"Bearer whatever").request.lines.count(b"Bearer whatever") == 1


@pytest.mark.parametrize("wrong", ["public", "tcp://a:1", "http://", "https://a/b", "a b", "0x7f.1", "http://http://a"])
def test_what_is_no_host_is_refused_when_it_is_deployed(wrong: str) -> None:
    with pytest.raises(InvalidSpec, match=ANNOTATION):
        CallbackHosts.from_annotations({ANNOTATION: wrong})
    assert CallbackHosts.told({ANNOTATION: wrong}).listed == ()


class Api:
    """A control plane's socket that answers as a test says."""

    def __init__(self, status: int) -> None:
        self.status = status
        self.heads: list[bytes] = []

    async def ask(self, head: bytes, body: bytes, method: bytes) -> Whole:
        assert (body, method) == (b"", b"GET")
        self.heads.append(head)
        if not self.status:
            raise Unreached("nobody listens")
        return Whole(self.status, b"", b"", 0)


ANSWERS: Mapping[int, type[Exception] | bool] = {
    204: True, 401: False, 403: False, 404: False, 429: LimitExceeded, 0: Unavailable,
}  # fmt: skip


@pytest.mark.parametrize("status", ANSWERS)
def test_the_control_plane_judges_the_credential(status: int) -> None:
    api, expected = Api(status), ANSWERS[status]
    judge = ControlJudge(api)  # type: ignore[arg-type] # it has all that is used
    asking = judge("f.n", b"Basic x", b"192.0.2.7")
    if isinstance(expected, bool):
        assert asyncio.run(asking) is expected
    else:
        with pytest.raises(expected):
            asyncio.run(asking)
    assert api.heads[0].startswith(b"GET /v1/namespaces/n/functions/f/may-call HTTP/1.1\r\n")
    assert b"\r\nAuthorization: Basic x\r\nX-Forwarded-For: 192.0.2.7\r\n" in api.heads[0]
