"""Which headers cross the gateway."""

import pytest

from dayfly.gateway.headers import ClientHeaders, ends_from_control, ends_from_function, forwarded

PARENT = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def test_what_only_the_gateway_may_say_ends() -> None:
    headers = [
        (b"X-Forwarded-For", b"1.2.3.4"),
        (b"x-forwarded-anything", b"a"),
        (b"Forwarded", b"for=1.2.3.4"),
        (b"X-Real-IP", b"1.2.3.4"),
        (b"X-Start-Time", b"1"),
        (b"X-Duration-Seconds", b"1"),
        (b"X-Function-Name", b"a"),
        (b"X-Dayfly-Secret", b"a"),
        (b"Authorization", b"Bearer a"),
        (b"Cookie", b"a=b"),
        (b"x-Custom", b"1"),
    ]
    for _ in range(2):
        assert ClientHeaders(headers).lines == b"Authorization: Bearer a\r\nCookie: a=b\r\nx-Custom: 1\r\n"


@pytest.mark.parametrize(
    ("brought", "taken"), [(b"abc-1.2_3", True), (b"a" * 64, True), (b"a" * 65, False), (b"a b", False)]
)
def test_call_ids(brought: bytes, taken: bool) -> None:
    headers = ClientHeaders([(b"X-Call-ID", brought)])
    assert headers.call_id == (brought if taken else b"")
    assert headers.lines == b""


@pytest.mark.parametrize(
    ("parent", "taken"),
    [
        (PARENT, True),
        (PARENT.upper(), False),
        (b"00-" + b"0" * 32 + PARENT[35:], False),
        (PARENT + b"-x", False),
        (b"", False),
    ],
)
def test_traces(parent: bytes, taken: bool) -> None:
    headers = ClientHeaders([(b"traceparent", parent), (b"tracestate", b"a=b")])
    assert headers.trace == (b"traceparent: " + parent + b"\r\ntracestate: a=b\r\n" if taken else b"")


def test_what_functions_may_not_say() -> None:
    for name in (b"server", b"x-accel-redirect", b"x-call-id", b"x-start-time", b"x-duration-seconds", b"x-dayfly-a"):
        assert ends_from_function(name)
    for name in (b"content-type", b"set-cookie", b"x-custom", b"location"):
        assert not ends_from_function(name)
    assert ends_from_control(b"server")
    assert not ends_from_control(b"x-call-id")


def test_forwarded() -> None:
    assert forwarded(b"10.0.0.1", b"h:80", True) == (
        b"X-Forwarded-For: 10.0.0.1\r\nX-Forwarded-Host: h:80\r\nX-Forwarded-Proto: https\r\n"
    )
    assert b"Proto: http\r\n" in forwarded(b"10.0.0.1", b"h:80", False)
