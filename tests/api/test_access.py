"""Nobody without a credential gets anything that was not declared public, however the path is spelt (threat T1)."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from dayfly.api.admin_file import AdminRecord
from dayfly.server.apps import CONSOLE_ROUTES, METRICS_ROUTES, PUBLIC_ROUTES

if TYPE_CHECKING:
    from tests.api.conftest import Play, Stage

ROOT = Path(__file__).resolve().parent.parent.parent
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "get")
ROUTES = {"public": PUBLIC_ROUTES, "console": CONSOLE_ROUTES, "metrics": METRICS_ROUTES}
PUBLIC_LINES = {
    "public": {("GET", "/"), ("GET", "/ui/"), ("GET", "/healthz"), ("GET", "/v1/openapi.json"),
               ("GET", "/store/functions.json"), ("GET", "/store/icons/{icon}"), ("GET", "/store/templates.json"),
               ("GET", "/store/templates.git/info/refs"), ("POST", "/store/templates.git/git-upload-pack"),
               ("GET", "/publickey")},
    "console": {("GET", "/"), ("GET", "/console.css"), ("GET", "/healthz"), ("GET", "/v1/openapi.json"),
                *(("GET", f"/{script.name}") for script in (ROOT / "src/dayfly/web/static").glob("*.js"))},
    "metrics": {("GET", "/healthz")},
}  # fmt: skip


def filled(path: str) -> str:
    values = {
        "{namespace}": "openfaas-fn",
        "{name}": "hello",
        "{digest}": "sha256:" + "a" * 64,
        "{token}": "abcdefghijkl",
        "{call}": "call-of-nobody",
        "{host}": "api.example.org",
        "{icon}": "figlet.svg",
    }
    for hole, value in values.items():
        path = path.replace(hole, value)
    return f"{path}?service=git-upload-pack" if path.endswith("/info/refs") else path


def mutations(path: str) -> set[str]:
    last = path.rstrip("/").rpartition("/")[2] or "x"
    return {
        "/x" + path, path + "/", path + "/health", path + "/healthz", path + "/configs", "/" + path, "//" + path[1:],
        path.upper(), path + ";a=b", path + "%2f", path + "%2F..", path + "%00", path + "%20", path + "/.",
        path + "/..", "/./" + path[1:], "/%2e" + path, "/healthz/.." + path, "/healthz/%2e%2e" + path,
        "/healthz;" + path, "/healthz%2f.." + path, "/healthz%00" + path, path.replace("/", "%2f"),
        path.replace("/", "\\"), path[:-len(last)] + f"%{ord(last[0]):02x}" + last[1:], "/ui" + path, "/ui/.." + path,
        path + "?/healthz", path + "#/healthz",
    }  # fmt: skip


@pytest.mark.parametrize("app", ROUTES)
def test_what_is_public_is_this_and_no_more(app: str) -> None:
    assert {(route.method, route.path) for route in ROUTES[app] if route.access == "public"} == PUBLIC_LINES[app]


@pytest.mark.parametrize("headers", [{}, {"authorization": "Bearer "}, {"authorization": "Bearer wrong"}])
@pytest.mark.parametrize("app", ROUTES)
def test_every_route_and_method_is_closed(play: Play, app: str, headers: dict[str, str]) -> None:
    async def story(stage: Stage) -> None:
        await stage.deploy()
        before = list(stage.plane.changes)
        public = {filled(path) for method, path in PUBLIC_LINES[app] if method == "GET"}
        signed = {filled(route.path) for route in ROUTES[app] if route.access == "signed"}
        taken = {("POST", filled(path)) for method, path in PUBLIC_LINES[app] if method == "POST"}
        for path in {filled(route.path) for route in ROUTES[app]}:
            for method in METHODS:
                answer = await stage.ask(method, path, app=app, headers=headers)
                if path in public and method in ("GET", "HEAD") and "wrong" in headers.get("authorization", ""):
                    assert (answer.status == 401) is (path == "/ui/"), "where a credential is heeded"
                elif path in public and method in ("GET", "HEAD", "OPTIONS"):
                    assert answer.status in (200, 204, 307), (method, path)
                elif (method, path) in taken:
                    assert answer.status == 400, "an empty body is no request for a clone"
                elif (("POST", path) in taken or path in signed) and method == "OPTIONS":
                    assert answer.status == 204
                else:
                    assert answer.status in (401, 404, 405, 429), (method, path, answer.status)
        assert stage.plane.changes == before

    play(story)


@pytest.mark.parametrize("app", ROUTES)
def test_no_other_spelling_of_a_path_opens_it(play: Play, app: str) -> None:
    async def story(stage: Stage) -> None:
        await stage.deploy()
        closed = {filled(route.path) for route in ROUTES[app] if route.access != "public"}
        for path in closed:
            for mutation in mutations(path):
                for method in ("GET", "POST", "DELETE"):
                    answer = await stage.ask(method, mutation, app=app, headers={})
                    assert answer.status in (401, 404, 405), (method, mutation, answer.status)

    play(story)


def test_paths_named_in_past_incidents_are_closed(play: Play) -> None:
    async def story(stage: Stage) -> None:
        for path in ("/x/healthz", "/system/functions/health", "//system", "/SYSTEM", "/SYSTEM/functions",
                     "/%2e/system/functions", "/system/functions;a=b", "/system%2ffunctions", "/system/functions/",
                     "/system/functions/configs", "/v1/info/healthz", "/ui/../v1/info"):  # fmt: skip
            assert (await stage.ask("GET", path, headers={})).status in (401, 404), path

    play(story)


def test_an_unknown_path_is_a_problem_and_a_wrong_method_names_the_right_ones(play: Play) -> None:
    async def story(stage: Stage) -> None:
        unknown = await stage.ask("GET", "/system/nothing")
        assert (unknown.status, unknown.headers["content-type"]) == (404, "application/problem+json")
        wrong = await stage.ask("PATCH", "/v1/info")
        assert (wrong.status, wrong.headers["allow"]) == (405, "GET, HEAD, OPTIONS")
        assert wrong.json()["code"] == "method_not_allowed"
        options = await stage.ask("OPTIONS", "/system/functions")
        assert (options.status, options.headers["allow"]) == (204, "DELETE, GET, HEAD, OPTIONS, POST, PUT")

    play(story)


def test_head_is_get_without_its_body_and_not_for_streams(play: Play) -> None:
    async def story(stage: Stage) -> None:
        await stage.deploy()
        get, head = await stage.ask("GET", "/v1/info"), await stage.ask("HEAD", "/v1/info")
        assert (head.status, head.body) == (200, b"")
        assert head.headers["content-length"] == get.headers["content-length"] == str(len(get.body))
        assert (await stage.ask("HEAD", "/system/logs?name=hello&follow=true")).status == 405

    play(story)


def test_both_kinds_of_credential_open_every_listener(play: Play) -> None:
    async def story(stage: Stage) -> None:
        for headers in (stage.basic, stage.bearer):
            assert (await stage.ask("GET", "/v1/info", headers=headers)).status == 200
            assert (await stage.ask("GET", "/v1/info", app="console", headers=headers)).status == 200
            assert (await stage.ask("GET", "/metrics", app="metrics", headers=headers)).status == 200

    play(story)


@pytest.mark.parametrize("path", ["/system/functions", "/v1/info"])
def test_the_challenge_is_for_programs_and_never_for_browsers(play: Play, path: str) -> None:
    async def story(stage: Stage) -> None:
        program = await stage.ask("GET", path, headers={})
        assert (program.status, program.headers["www-authenticate"]) == (401, 'Basic realm="Restricted"')
        browser = await stage.ask("GET", path, headers={"sec-fetch-mode": "cors"})
        assert browser.status == 401
        assert "www-authenticate" not in browser.headers
        if path.startswith("/system"):
            assert program.body == browser.body == b"invalid credentials"

    play(story)


@pytest.mark.parametrize(
    ("site", "allowed"),
    [("same-origin", True), ("none", True), ("same-site", False), ("cross-site", False), ("x", False)],
)
def test_changes_asked_for_by_pages_of_other_sites_are_refused(play: Play, site: str, allowed: bool) -> None:
    async def story(stage: Stage) -> None:
        await stage.deploy()
        for method, path in (("DELETE", "/v1/namespaces/openfaas-fn/functions/hello"), ("POST", "/healthz")):
            answer = await stage.ask(method, path, headers={**stage.bearer, "sec-fetch-site": site})
            assert (answer.status == 403) is not allowed
        assert (not stage.plane.functions) is allowed
        reading = await stage.ask("GET", "/v1/info", headers={**stage.bearer, "sec-fetch-site": site})
        assert reading.status == 200

    play(story)


def test_a_thousand_wrong_passwords_cost_five_hashes(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    hashes = []

    def count(_record: AdminRecord, password: bytes) -> bool:
        hashes.append(password)
        return False

    monkeypatch.setattr(AdminRecord, "matches", count)

    async def story(stage: Stage) -> None:
        statuses = []
        for number in range(1000):
            guess = base64.b64encode(f"admin:guess{number}".encode()).decode()
            headers = {"authorization": f"Basic {guess}", "x-forwarded-for": "192.0.2.1"}
            answer = await stage.ask("GET", "/system/functions", headers=headers)
            statuses.append(answer.status)
        assert (statuses[:5], set(statuses[5:]), len(hashes)) == ([401] * 5, {429}, 5)
        assert 0 < int(answer.headers["retry-after"]) <= 60
        other = {"authorization": f"Basic {guess}", "x-forwarded-for": "192.0.2.2"}
        assert (await stage.ask("GET", "/system/functions", headers=other)).status == 401

    play(story)
