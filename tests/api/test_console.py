"""The console's listener: its headers byte for byte, and a page that keeps to its policy (threat T4)."""

from __future__ import annotations

import gzip
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.api.conftest import Play, Stage

ROOT = Path(__file__).resolve().parent.parent.parent
HEADERS = {
    (
        b"content-security-policy",
        b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        b"frame-ancestors 'none'; base-uri 'none'; form-action 'self'; require-trusted-types-for 'script'; "
        b"trusted-types svelte-trusted-html",
    ),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cache-control", b"no-store"),
}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/"),
        ("PATCH", "/v1/info"),
        ("GET", "/console.js"),
        ("GET", "/console.css"),
        ("GET", "/v1/info"),
        ("GET", "/v1/openapi.json"),
        ("GET", "/nothing"),
        ("POST", "/"),
        ("OPTIONS", "/"),
        ("HEAD", "/"),
        ("GET", "/v1/namespaces"),
        ("GET", "/healthz"),
        ("PUT", "/v1/namespaces/openfaas-fn/functions/hello"),
    ],
)
@pytest.mark.parametrize("known", [True, False])
def test_every_answer_carries_these_headers(play: Play, method: str, path: str, known: bool) -> None:
    async def story(stage: Stage) -> None:
        answer = await stage.ask(method, path, app="console", headers=stage.bearer if known else {})
        names = {name for name, _ in HEADERS}
        assert {header for header in answer.header_list if header[0] in names} == HEADERS
        assert len([name for name, _ in answer.header_list if name in names]) == len(HEADERS)
        assert not {name for name, _ in answer.header_list} & {b"set-cookie", b"access-control-allow-origin"}

    play(story)


def test_the_page_is_whole_and_keeps_to_its_policy(play: Play) -> None:
    async def story(stage: Stage) -> None:
        page = await stage.ask("GET", "/", app="console", headers={})
        text = page.body.decode()
        assert page.headers["content-type"] == "text/html; charset=utf-8"
        for path in re.findall(r'(?:src|href)="(/[^"]*)"', text):
            assert (await stage.ask("GET", path, app="console", headers={})).status == 200
        assert re.findall(r'(?:src|href|action)="(?!/|data:,")', text) == []
        assert re.findall(r"<script(?![^>]*src=)|<style|\sstyle=|\son[a-z]+=|javascript:", text) == []
        script = "".join(each.read_text() for each in (ROOT / "src/dayfly/web/static").glob("*.js"))
        assert (await stage.ask("GET", "/console.js", app="console", headers={})).body.decode() in script
        assert (
            re.findall(r"outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|importScripts", script)
            == []
        )
        addresses = set(re.findall(r"https?://[^\"'`)\s]*", script))
        foreign = {each for each in addresses if not each.startswith(("http://www.w3.org/", "https://svelte.dev/e/"))}
        assert foreign == set(), "names of XML namespaces and of the framework's errors are no addresses to go to"

    play(story)


def test_a_file_comes_packed_for_who_unpacks_it(play: Play) -> None:
    async def story(stage: Stage) -> None:
        plain = await stage.ask("GET", "/console.js", app="console", headers={})
        packed = await stage.ask("GET", "/console.js", app="console", headers={"Accept-Encoding": "br, gzip"})
        assert (plain.headers.get("content-encoding"), packed.headers["content-encoding"]) == (None, "gzip")
        assert gzip.decompress(packed.body) == plain.body
        assert plain.headers["vary"] == packed.headers["vary"] == "Accept-Encoding"

    play(story)


def test_the_console_serves_no_other_face(play: Play) -> None:
    async def story(stage: Stage) -> None:
        assert (await stage.ask("GET", "/system/functions", app="console")).status == 404
        assert (await stage.ask("GET", "/metrics", app="console")).status == 404
        assert (await stage.ask("GET", "/v1/info", app="metrics")).status == 404

    play(story)
