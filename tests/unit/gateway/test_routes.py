"""Which function a request target means."""

import pytest

from dayfly.gateway.routes import FunctionRoute, route
from dayfly.http1.refusal import Refusal


@pytest.mark.parametrize(
    ("target", "name", "tail"),
    [
        (b"/function/echo", b"echo", b"/"),
        (b"/function/echo/", b"echo", b"/"),
        (b"/function/echo?a=b", b"echo", b"/?a=b"),
        (b"/function/echo/a/b?x=1&y=%2f", b"echo", b"/a/b?x=1&y=%2f"),
        (b"/function/echo.dev/a", b"echo.dev", b"/a"),
        (b"/function/echo/../../system/functions", b"echo", b"/../../system/functions"),
        (b"/function/echo//a;b\\c%00", b"echo", b"//a;b\\c%00"),
        (b"/function/ech%6f/a", b"echo", b"/a"),
        (b"/function/echo?/..//;", b"echo", b"/?/..//;"),
        (b"/function/a-1", b"a-1", b"/"),
        (b"/function/" + b"a" * 63, b"a" * 63, b"/"),
    ],
)
def test_functions(target: bytes, name: bytes, tail: bytes) -> None:
    assert route(target) == FunctionRoute(name, tail)


@pytest.mark.parametrize(
    "part",
    [
        b"",
        b"?x",
        b"Echo",
        b"a_b",
        b"-a",
        b"a-",
        b"a.b.c",
        b"a.",
        b".a",
        b"a" * 64,
        b"a%20",
        b"%c3%a9",
        b"a:b",
        b"a%zz~",
    ],
)
def test_what_can_be_nobodys_name(part: bytes) -> None:
    try:
        found = route(b"/function/" + part)
    except Refusal:
        assert b"%zz" in part
        return
    assert found is not None
    assert found.name == b""


@pytest.mark.parametrize(
    "part",
    [
        b"a%2fb",
        b"a%2Fb",
        b"%2e%2e",
        b"..",
        b".",
        b"a..b",
        b"a%5cb",
        b"a\\b",
        b"a%00",
        b"a;b",
        b"a%3bb",
        b"a%252fb",
        b"a%",
        b"/a",
        b"//",
        b"/",
    ],
)
def test_what_could_be_read_in_two_ways(part: bytes) -> None:
    for tail in (b"", b"/x", b"?y"):
        with pytest.raises(Refusal) as caught:
            route(b"/function/" + part + tail)
        assert caught.value.status == 400


@pytest.mark.parametrize(
    "target",
    [b"/", b"/function", b"/functions/a", b"/async-function", b"//function/a", b"/Function/a", b"/system/functions"],
)
def test_what_is_not_a_functions(target: bytes) -> None:
    assert route(target) is None
