"""What a route may say, judged where it is read."""

import msgspec
import pytest

from dayfly.model.errors import DayflyError, InvalidName, InvalidRequest, InvalidSpec
from dayfly.model.route import RateLimit, RouteSpec, check_path, covers, is_reserved, parse_host
from dayfly.server.apps import PUBLIC_ROUTES


def spec(**fields: object) -> RouteSpec:
    return msgspec.convert({"name": "shop", "targets": [{"function": "shop"}], **fields}, RouteSpec)


@pytest.mark.parametrize("path", ["/", "/*", "/a", "/a/", "/a/*", "/a/b.c/~d/*", "/größe", "/a+b@c,d", "/" + "a/" * 31])
def test_paths_that_can_be_read_in_one_way_only(path: str) -> None:
    check_path(path)


@pytest.mark.parametrize(
    "path",
    ["", "a", "*", "//", "/a//b", "/a//*", "//*", "/./a", "/a/..", "/../*", "/%61", "/a;b", "/a?b", "/a#b", "/a*",
     "/*/a", "/a\\b", "/a\x00", "/a\n", "/" + "a/" * 33, "/" + "a" * 1025],
)  # fmt: skip
def test_paths_that_are_refused(path: str) -> None:
    with pytest.raises(InvalidSpec, match="path"):
        check_path(path)


@pytest.mark.parametrize("host", ["example.org", "a-b.example.org", "*.example.org", "xn--bcher-kva.example"])
def test_hosts(host: str) -> None:
    assert parse_host(host) == host


@pytest.mark.parametrize(
    "host",
    ["", "localhost", "127.0.0.1", "[::1]", "::1", "Example.org", "example.org.", "example.org:80", "*", "*.org",
     "a.*.org", "*.*.example.org", "bücher.example", "-a.example", "a-.example", "a_b.example", "a..b", ".example.org",
     "example.org/a", "a" * 64 + ".example", "a." * 127 + "org"],
)  # fmt: skip
def test_hosts_that_are_refused(host: str) -> None:
    with pytest.raises(InvalidName):
        parse_host(host)


def test_a_grant_covers_its_host_and_a_wildcard_exactly_one_label() -> None:
    assert covers("a.example.org", "a.example.org")
    assert covers("*.example.org", "a.example.org")
    assert covers("*.example.org", "*.example.org")
    assert not covers("*.example.org", "a.b.example.org")
    assert not covers("*.example.org", "example.org")
    assert not covers("a.example.org", "*.example.org")
    assert not covers("", "a.example.org")


def test_every_path_of_the_platform_is_its_own() -> None:
    for route in PUBLIC_ROUTES:
        if route.path != "/":
            assert is_reserved(route.path.encode()), route.path
            assert is_reserved(route.path.rstrip("/").encode() + b"/x")
    for path in (b"/function/f", b"/async-function/f", b"/metrics", b"/readyz", b"/api/v1/namespaces/_/actions"):
        assert is_reserved(path)
    for path in (b"/", b"/functions", b"/v10/a", b"/api", b"/api/v10", b"/a/system", b"/System/x"):
        assert not is_reserved(path)


@pytest.mark.parametrize("path", ["/system/*", "/v1/*", "/function/*", "/function", "/ui", "/api/v1/*", "/healthz"])
def test_they_cannot_be_a_routes_unless_it_has_a_host(path: str) -> None:
    with pytest.raises(InvalidSpec, match="platform's own"):
        spec(path=path).check()
    spec(path=path, host="api.example.org").check()


@pytest.mark.parametrize(
    "fields",
    [
        {"methods": ["get"]}, {"methods": ["GET", "GET"]}, {"methods": ["CONNECT"]}, {"targets": []},
        {"targets": [{"function": "a", "weight": 0}]}, {"targets": [{"function": "a", "weight": -1}]},
        {"targets": [{"function": "a"}, {"function": "a"}]}, {"targets": [{"function": "a.other"}]},
        {"strip": True, "path": "/a"}, {"name": "a.b"}, {"namespace": "A"}, {"max_body": "lots"},
        {"rate": {"calls": 0}}, {"rate": {"calls": 5, "window": "0s"}}, {"rate": {"calls": 5, "by": "caller"}},
        {"rate": {"calls": 5, "by": "who"}}, {"cors": {"origins": []}}, {"cors": {"origins": ["example.org"]}},
        {"cors": {"origins": ["https://a.example/x"]}}, {"cors": {"origins": ["null"]}},
        {"cors": {"origins": ["*"], "credentials": True}}, {"cors": {"origins": ["*", "https://a.example"]}},
        {"cors": {"origins": ["*"], "headers": ["a\r\nb"]}}, {"cors": {"origins": ["*"], "max_age": "2d"}},
        {"auth": {"kind": "key", "secret": "../x"}}, {"auth": {"kind": "key", "secret": "k", "header": "Host"}},
        {"auth": {"kind": "key", "secret": "k", "header": "X-Dayfly-Subject"}},
        {"auth": {"kind": "hmac", "secret": "k", "max_body": "1Gi"}},
        {"auth": {"kind": "hmac", "secret": "k", "window": "2h"}},
        {"auth": {"kind": "jwt", "issuer": "", "audience": ["a"], "secret": "k"}},
        {"auth": {"kind": "jwt", "issuer": "i", "audience": [], "secret": "k"}},
        {"auth": {"kind": "jwt", "issuer": "i", "audience": ["a"]}},
        {"auth": {"kind": "jwt", "issuer": "i", "audience": ["a"], "secret": "k", "algorithms": ["none"]}},
        {"auth": {"kind": "jwt", "issuer": "i", "audience": ["a"], "secret": "k", "algorithms": []}},
        {"auth": {"kind": "jwt", "issuer": "i", "audience": ["a"], "secret": "k", "algorithms": ["RS256", "HS256"]}},
        {"auth": {"kind": "jwt", "issuer": "i", "audience": ["a"], "algorithms": ["HS256"],
                  "jwks": {"keys": [{"kty": "oct", "k": "AAAA"}]}}},
        {"auth": {"kind": "jwt", "issuer": "i", "audience": ["a"], "jwks": {"keys": [{"kty": "oct", "k": "AAAA"}]}}},
        {"auth": {"kind": "jwt", "issuer": "i", "audience": ["a"], "jwks": {"keys": [{"kty": "EC", "d": "AAAA"}]}}},
        {"auth": {"kind": "jwt", "issuer": "i", "audience": ["a"], "jwks": {"keys": []}}},
        {"auth": {"kind": "jwt", "issuer": "i", "audience": ["a"], "secret": "k", "leeway": "1h"}},
    ],
)  # fmt: skip
def test_what_would_not_work_or_would_open_too_much_is_refused(fields: dict[str, object]) -> None:
    with pytest.raises(InvalidRequest):
        spec(**fields).check()


@pytest.mark.parametrize(
    "fields", [{"auht": None}, {"cors": {"origins": ["*"], "orgins": []}}, {"auth": {"kind": "x"}}]
)
def test_a_word_that_nobody_knows_is_refused(fields: dict[str, object]) -> None:
    with pytest.raises(msgspec.ValidationError):
        spec(**fields)


def test_rates_as_people_write_them() -> None:
    assert RateLimit.parse("100/1m") == RateLimit(calls=100, window="1m")
    for text in ("", "100", "/1m", "0/1m", "-1/1m", "5/", "5/2d", "١/1m"):
        with pytest.raises(DayflyError):
            RateLimit.parse(text)
