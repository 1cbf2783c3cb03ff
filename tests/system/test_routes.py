"""Routes through the real program: two gateways, a tenant with a host of its own, and changes that hold at once."""

import http.client
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.system.conftest import end
from tests.system.driver import DEADLINE_S, Platform, eventually

SHOW = """
import os

def handle(event, context):
    told = {name.lower(): value for name, value in event.headers.items() if name.lower().startswith("x-dayfly-")}
    del told["x-dayfly-depth"]
    return {"is": os.environ["NAME"], "line": f"{event.method} {event.path}", "told": told}
"""
GATEWAYS = 2


@pytest.fixture(scope="module")
def town() -> Iterator[Platform]:
    """A platform of two gateways with two functions that show what they get."""
    with tempfile.TemporaryDirectory(prefix="dayfly-test-") as name:
        Path(name).chmod(0o755)
        platform = Platform(Path(name) / "data")
        try:
            platform.start("--gateways", str(GATEWAYS))
            for function in ("blue", "green"):
                platform.deploy_function(Path(name) / function, SHOW, "-e", f"NAME={function}")
            yield platform
        finally:
            end(platform)


def everywhere(platform: Platform, path: str, host: str = "h", method: str = "GET", **headers: str) -> set[object]:
    """Return what fresh connections are told; with twenty of them both gateways are asked but once in a million."""
    found: set[object] = set()
    known = platform.connect()
    for _ in range(20):
        connection = http.client.HTTPConnection(known.host, known.port, timeout=DEADLINE_S)
        try:
            connection.request(method, path, headers={"Host": host, **headers})
            answer = connection.getresponse()
            body = answer.read()
            found.add(body.decode() if answer.status == 200 else answer.status)
        finally:
            connection.close()
    return found


def shown(name: str, line: str) -> set[object]:
    return {f'{{"is":"{name}","line":"{line}","told":{{}}}}'}


def test_a_change_is_in_both_gateways_when_the_command_returns(town: Platform) -> None:
    assert len(town.pids("gateway")) == GATEWAYS
    assert everywhere(town, "/shop/cart") == {404}
    made = town.ok("route", "create", "--name", "shop", "--path", "/shop/*", "--strip", "--function", "blue")
    assert made == "Route created: shop, */shop/*\n"
    assert everywhere(town, "/shop/cart") == shown("blue", "GET /cart")
    town.ok("route", "update", "shop", "--function", "green", "--no-strip")
    assert everywhere(town, "/shop/cart") == shown("green", "GET /shop/cart")
    assert everywhere(town, "/function/blue/x") == shown("blue", "GET /x")
    town.ok("route", "remove", "shop")
    assert everywhere(town, "/shop/cart") == {404}


def test_a_connection_that_is_open_sees_a_change_at_its_next_request(town: Platform) -> None:
    connection = town.connect()
    try:

        def ask() -> int:
            connection.request("GET", "/kept", headers={"Host": "kept.example.org"})
            answer = connection.getresponse()
            answer.read()
            return answer.status

        assert [ask(), ask()] == [404, 404]
        town.ok("route", "create", "--name", "kept", "--host", "kept.example.org", "--function", "blue")
        assert [ask(), ask()] == [200, 200]
        town.ok("route", "remove", "kept")
        assert ask() == 404
    finally:
        connection.close()


def test_routes_are_there_after_everything_was_killed(town: Platform) -> None:
    town.ok("route", "create", "--name", "lasting", "--path", "/lasting", "--function", "blue")
    town.stop()
    town.start("--gateways", str(GATEWAYS))
    assert everywhere(town, "/lasting") == shown("blue", "GET /lasting")
    assert "lasting" in town.ok("route", "list", "-o", "name").split()
    town.ok("route", "remove", "lasting")


def test_a_tenant_gets_the_host_that_it_was_granted_and_nothing_of_the_platforms(town: Platform) -> None:
    folder = town.data_dir.parent
    town.ok("namespace", "create", "team")
    token = town.ok("token", "create", "-n", "team", "--role", "deploy").strip()
    tenant = Platform(
        folder / "none", {"XDG_CONFIG_HOME": str(folder / "config"), "DAYFLY_URL": town.status()["gateway_url"]}
    )
    tenant.ok("login", "--token-stdin", stdin=token)
    tenant.ok("deploy", "mine", "--handler", str(folder / "blue"), "--lang", "python", "-e", "NAME=mine")
    refused = tenant.run("route", "create", "--function", "mine", "--host", "team.example.org")
    assert (refused.code, "was not granted" in refused.err) == (77, True)
    town.ok("route", "grant", "team.example.org", "-n", "team")
    tenant.ok("route", "create", "--function", "mine", "--host", "team.example.org")
    assert everywhere(town, "/system/functions", "TEAM.example.org:8080") == shown("mine", "GET /system/functions")
    assert everywhere(town, "/system/functions") == {401}
    assert tenant.run("route", "create", "--name", "all", "--path", "/*", "--function", "mine").code == 77
    assert town.run("route", "create", "--name", "x", "--function", "blue", "--host", "team.example.org").code == 73
    town.ok("namespace", "remove", "team", "--force")
    assert everywhere(town, "/system/functions", "team.example.org") == {401}


@pytest.mark.parametrize("line", ["GET http://kept.example.org/a HTTP/1.1", "GET /a%2f..%2fb HTTP/1.1"])
def test_what_could_be_read_in_two_ways_is_refused(town: Platform, line: str) -> None:
    town.ok("route", "create", "--name", "wide", "--function", "blue", "--path", "/a/*")
    try:
        connection: http.client.HTTPConnection = town.connect()
        connection.connect()
        connection.sock.sendall(f"{line}\r\nHost: h\r\n\r\n".encode())
        assert connection.sock.recv(12) == b"HTTP/1.1 400"
        connection.close()
    finally:
        town.ok("route", "remove", "wide")


def test_a_key_is_asked_for_in_both_gateways_and_its_change_is_in_both(town: Platform) -> None:
    town.ok("secret", "create", "keys", stdin="ci:the-first-key-of-all")
    town.ok(
        "route", "create", "--name", "locked", "--path", "/locked", "--function", "blue",
        "--auth", "key", "--secret", "keys", "--cors", "https://www.example.org", "--rate", "1000/1m",
    )  # fmt: skip
    told = '"told":{"x-dayfly-auth":"key","x-dayfly-subject":"ci"}'

    def ask(key: str) -> set[object]:
        return everywhere(town, "/locked", **{"X-Api-Key": key, "X-Dayfly-Subject": "root"})

    assert ask("the-first-key-of-none") == {401}
    (answer,) = ask("the-first-key-of-all")
    assert told in str(answer)
    town.ok("secret", "update", "keys", stdin="ci:the-second-key-of-all")
    eventually("the old key is good for nothing", lambda: ask("the-first-key-of-all") == {401})
    (answer,) = ask("the-second-key-of-all")
    assert told in str(answer)
    assert town.run("secret", "remove", "keys").code == 73
    for command in (("describe", "locked"), ("describe", "locked", "-o", "json"), ("list",)):
        assert "the-second-key" not in town.ok("route", *command)
    assert "the-second-key" not in town.log()
    preflight = town.ask(
        "OPTIONS", "/locked", headers={"Origin": "https://www.example.org", "Access-Control-Request-Method": "GET"}
    )
    assert (preflight.status, preflight.headers["access-control-allow-origin"]) == (204, "https://www.example.org")
    limited = town.ask("GET", "/locked", headers={"X-Api-Key": "the-second-key-of-all"})
    assert limited.headers["ratelimit-policy"] == '"locked";q=1000;w=60'
    town.ok("secret", "remove", "keys", "--force")
    eventually("nobody gets through", lambda: ask("the-second-key-of-all") == {503})
    assert "closed: there is no secret keys" in town.ok("route", "describe", "locked")
    town.ok("route", "remove", "locked")
