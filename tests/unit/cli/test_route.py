"""`dayfly route`: what it sends, what it prints, and what it refuses before anything is asked."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from dayfly.model.route import Cors, RateLimit, RouteSpec, RouteStatus, Target
from dayfly.model.route_auth import BasicAuth, HmacAuth, JwtAuth, KeyAuth

Run = Callable[..., Any]
KEYS = {"keys": [{"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"}]}


def sent(platform: Any) -> RouteSpec:
    """Return the route that the last request wrote."""
    found = [request for request in platform.requests if request.method == "PUT"][-1]
    return msgspec.json.decode(found.content, type=RouteSpec)


def keep(platform: Any, **fields: Any) -> None:
    """Have a route there already."""
    spec = RouteSpec(**({"name": "shop", "targets": (Target(function="hello"),)} | fields))
    platform.routes[spec.namespace, spec.name] = RouteStatus(
        spec=spec, created_unix_ms=1_700_000_000_000, updated_unix_ms=1_700_000_000_000
    )


def test_the_smallest_route_takes_everything_and_is_called_as_its_function(dayfly: Run, platform: Any) -> None:
    done = dayfly("route", "create", "--function", "hello", "--path", "/*")
    assert (done.exit_code, done.stdout) == (0, "Route created: hello, */*\n")
    assert sent(platform) == RouteSpec(name="hello", targets=(Target(function="hello"),))
    assert dayfly("route", "create", "--function", "hello", "--path", "/*").exit_code == 73


@pytest.mark.parametrize(
    ("args", "fields"),
    [
        (["--host", "api.example.org", "--path", "/v1/*", "--strip", "--method", "get", "--method", "PUT"],
         {"host": "api.example.org", "path": "/v1/*", "strip": True, "methods": ("GET", "PUT")}),
        (["--host", "*", "--max-body", "1Mi"], {"max_body": "1Mi"}),
        (["--function", "b", "--weight", "90", "--weight", "10"],
         {"targets": (Target(function="hello", weight=90), Target(function="b", weight=10))}),
        (["--auth", "key", "--secret", "k", "--header", "X-Key"], {"auth": KeyAuth(secret="k", header="X-Key")}),
        (["--auth", "basic", "--secret", "k"], {"auth": BasicAuth(secret="k")}),
        (["--auth", "hmac", "--secret", "k", "--scheme", "stripe", "--window", "1m", "--signed-body", "2Mi"],
         {"auth": HmacAuth(secret="k", scheme="stripe", window="1m", max_body="2Mi")}),
        (["--auth", "jwt", "--issuer", "i", "--audience", "a", "--audience", "b", "--jwks", "keys.json"],
         {"auth": JwtAuth(issuer="i", audience=("a", "b"), jwks=KEYS)}),
        (["--auth", "jwt", "--issuer", "i", "--audience", "a", "--secret", "k", "--algorithm", "HS256",
          "--leeway", "5s"],
         {"auth": JwtAuth(issuer="i", audience=("a",), secret="k", algorithms=("HS256",), leeway="5s")}),
        (["--cors", "https://a.example", "--cors-method", "get", "--cors-header", "X-A", "--cors-expose", "X-B",
          "--cors-credentials", "--cors-max-age", "1h"],
         {"cors": Cors(origins=("https://a.example",), methods=("GET",), headers=("X-A",), expose=("X-B",),
                       credentials=True, max_age="1h")}),
        (["--rate", "5/10s"], {"rate": RateLimit(calls=5, window="10s")}),
    ],
)  # fmt: skip
def test_every_option_is_said(
    dayfly: Run, platform: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, args: list[str], fields: dict[str, Any]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "keys.json").write_text(json.dumps(KEYS))
    place = () if "--host" in args else ("--path", "/*")
    done = dayfly("route", "create", "--name", "shop", "--function", "hello", *place, *args)
    assert done.exit_code == 0, done.stderr
    assert sent(platform) == RouteSpec(**({"name": "shop", "targets": (Target(function="hello"),)} | fields))


@pytest.mark.parametrize(
    "args",
    [
        [], ["--function", "hello", "--weight", "1", "--weight", "2"], ["--function", "hello", "--secret", "k"],
        ["--function", "hello", "--auth", "key"],
        ["--function", "hello", "--auth", "key", "--secret", "k", "--issuer", "i"],
        ["--function", "hello", "--auth", "none", "--secret", "k"], ["--function", "hello", "--auth", "jwt"],
        ["--function", "hello", "--auth", "jwt", "--issuer", "i", "--audience", "a", "--jwks", "nowhere.json"],
        ["--function", "hello", "--cors-method", "GET"], ["--function", "hello", "--cors", "*", "--cors-credentials"],
        ["--function", "hello", "--rate", "lots"], ["--function", "hello", "--rate-by", "caller"],
        ["--function", "hello", "--rate", "5/1m", "--rate-by", "caller"],
        ["--function", "hello", "--path", "/system/*"],
        ["--function", "hello", "--host", "EXAMPLE.org"], ["--function", "hello", "--method", "FETCH"],
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_refused_before_anything_is_asked(dayfly: Run, platform: Any, args: list[str]) -> None:
    done = dayfly("route", "create", *args)
    assert done.exit_code != 0
    assert done.stderr.startswith("Error: ")
    assert platform.requests == []


def test_an_update_leaves_what_is_not_named(dayfly: Run, platform: Any) -> None:
    keep(platform, path="/a", auth=KeyAuth(secret="k"), rate=RateLimit(calls=5), methods=("GET",))
    done = dayfly("route", "update", "shop", "--path", "/b/*", "--strip", "--rate", "none", "--method", "all")
    assert (done.exit_code, done.stdout) == (0, "Route updated: shop, */b/*\n")
    assert sent(platform) == RouteSpec(
        name="shop", path="/b/*", strip=True, targets=(Target(function="hello"),), auth=KeyAuth(secret="k")
    )
    dayfly("route", "update", "shop", "--auth", "none", "--cors", "none")
    assert sent(platform).auth is None
    assert dayfly("route", "update", "shop").exit_code != 0
    assert dayfly("route", "update", "nobody", "--path", "/b").exit_code == 66


def test_routes_are_listed_described_and_removed(dayfly: Run, platform: Any) -> None:
    assert dayfly("route", "list").stdout == "No routes found.\n"
    keep(platform, host="api.example.org", path="/a/*", strip=True, auth=KeyAuth(secret="k"))
    listed = [part.strip() for part in dayfly("route", "list").stdout.splitlines()[1].split("\t")]
    assert listed == ["shop", "api.example.org/a/*", "all", "hello", "key", "open"]
    assert dayfly("route", "list", "-o", "name").stdout == "shop\n"
    told = dayfly("route", "describe", "shop").stdout
    assert "Path:         /a/*, without the prefix for the function" in told
    assert "Auth:         key, secret k" in told
    shown = json.loads(dayfly("route", "describe", "shop", "-o", "json").stdout)
    assert shown["spec"]["auth"] == {"kind": "key", "secret": "k", "header": ""}
    assert dayfly("route", "rm", "shop").stdout == "Route removed: shop\n"
    assert dayfly("route", "rm", "shop").exit_code == 66


def test_hosts_are_granted_listed_and_taken_back(dayfly: Run, platform: Any) -> None:
    assert dayfly("route", "hosts").stdout == "No hosts granted.\n"
    assert dayfly("route", "grant", "*.example.org", "-n", "team").stdout == "Host granted: *.example.org to team\n"
    assert dayfly("route", "grant", "*", "-n", "team").stdout == "Host granted: * to team\n"
    rows = [line.split("\t") for line in dayfly("route", "hosts").stdout.splitlines()[1:]]
    assert [[part.strip() for part in row] for row in rows] == [["*", "team"], ["*.example.org", "team"]]
    assert dayfly("route", "revoke", "*").stdout == "Host revoked: * from team\n"
    assert dayfly("route", "revoke", "*").exit_code == 66
    assert platform.hosts == {("*.example.org", "team")}
    assert dayfly("route", "grant", "localhost", "-n", "team").exit_code != 0


def test_a_route_for_everything_is_asked_for_in_words(dayfly: Run) -> None:
    done = dayfly("route", "create", "--function", "hello")
    assert (done.exit_code, "For which host or path?" in done.stderr) == (64, True)


def test_a_host_that_several_have_is_taken_back_from_the_one_that_is_named(dayfly: Run) -> None:
    for team in ("ant", "bee"):
        assert dayfly("route", "grant", "*.example.org", "-n", team).exit_code == 0
    done = dayfly("route", "revoke", "*.example.org")
    assert (done.exit_code, "granted to ant, bee" in done.stderr) == (64, True)
    assert dayfly("route", "revoke", "*.example.org", "-n", "bee").exit_code == 0
    assert dayfly("route", "revoke", "*.example.org").stdout == "Host revoked: *.example.org from ant\n"
