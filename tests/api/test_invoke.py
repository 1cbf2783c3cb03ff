"""Calls from the console: whoever may call, calls; and what a function answers is data and nothing more (threat T4)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import msgspec
import pytest

from dayfly.model.direct import MAX_BODY_BYTES, MAX_HEAD_BYTES, DirectAnswer
from dayfly.server.apps import PUBLIC_ROUTES

if TYPE_CHECKING:
    from tests.api.conftest import Answer, Play, Stage

PATH = "/v1/namespaces/openfaas-fn/functions/hello/invoke"


async def invoke(stage: Stage, body: bytes = b"{}\n", **headers: str) -> Answer:
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return await stage.ask("POST", PATH, app="console", headers=stage.bearer | given, body=body)


def test_a_call_goes_as_it_was_written_and_comes_back_as_data(play: Play) -> None:
    async def story(stage: Stage) -> None:
        await stage.deploy()
        stage.direct.answer = DirectAnswer(
            status=404, call_id="mine", seconds=0.25, of_function=True,
            headers=(("content-type", "text/html"), ("set-cookie", "a=b"), ("location", "http://elsewhere.test/")),
        )  # fmt: skip
        stage.direct.body = b"<script>alert(1)</script>\nand more"
        head = {"method": "PUT", "target": "/a/b?c=%20d", "headers": [["X-Mine", "1"], ["Authorization", "Bearer own"]]}
        answer = await invoke(
            stage, json.dumps(head).encode() + b"\nline\nline", x_call_id="mine", x_forwarded_for="192.0.2.1"
        )
        key, call, body, call_id, peer = stage.direct.made[0]
        assert (key, call.method, call.target, body) == ("hello.openfaas-fn", "PUT", "/a/b?c=%20d", b"line\nline")
        assert (call_id, peer) == ("mine", "192.0.2.1")
        assert call.headers == (("X-Mine", "1"), ("Authorization", "Bearer own")), "the caller's own, and no credential"
        line, _, rest = answer.body.partition(b"\n")
        assert (answer.status, rest) == (200, stage.direct.body)
        assert msgspec.json.decode(line, type=DirectAnswer) == stage.direct.answer

    play(story)


def test_what_comes_back_can_be_no_page_of_the_console(play: Play) -> None:
    async def story(stage: Stage) -> None:
        await stage.deploy()
        answer = await invoke(stage)
        assert answer.headers["content-type"] == "application/vnd.dayfly.call"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["content-disposition"] == "attachment"
        policies = [value for name, value in answer.header_list if name == b"content-security-policy"]
        assert policies == [b"default-src 'none'; frame-ancestors 'none'; sandbox"]

    play(story)


def test_nobody_gets_there_by_a_link_nor_by_another_listener(play: Play) -> None:
    """A browser that follows a link asks GET and sends no Authorization."""

    async def story(stage: Stage) -> None:
        await stage.deploy()
        for method in ("GET", "POST", "HEAD"):
            assert (await stage.ask(method, PATH, app="console", headers={}, body=b"{}\n")).status == 401
        assert (await stage.ask("GET", PATH, app="console")).status == 405
        forged = await invoke(stage, sec_fetch_site="same-site")
        assert forged.status == 403
        assert (await stage.ask("POST", PATH, body=b"{}\n")).status == 404
        assert not [route for route in PUBLIC_ROUTES if route.path.endswith("/invoke")]
        assert stage.direct.made == []

    play(story)


@pytest.mark.parametrize(("role", "status"), [("view", 403), ("invoke", 200), ("deploy", 200), ("admin", 200)])
def test_it_takes_the_right_to_call(play: Play, role: str, status: int) -> None:
    async def story(stage: Stage) -> None:
        await stage.deploy()
        made = await stage.ask("POST", "/v1/namespaces/openfaas-fn/tokens", data={"role": role})
        headers = {"authorization": f"Bearer {made.json()['token']}"}
        answer = await stage.ask("POST", PATH, app="console", headers=headers, body=b"{}\n")
        assert answer.status == status
        await stage.deploy(namespace="team")
        foreign = PATH.replace("openfaas-fn", "team")
        assert (await stage.ask("POST", foreign, app="console", headers=headers, body=b"{}\n")).status == 403
        assert len(stage.direct.made) == (status == 200)

    play(story)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "line of JSON"),
        (b"{}", "line of JSON"),
        (b"nonsense\n", "JSON"),
        (b'{"x": 1}\n', "unknown field `x`"),
        (b'{"method": "CONNECT"}\n', "CONNECT"),
        (b'{"method": "get"}\n', "capital letters"),
        (b'{"method": "GET /x HTTP/1.1\\r\\nA: b"}\n', "capital letters"),
        (b'{"method": ""}\n', "capital letters"),
        (b'{"method": "' + b"A" * 41 + b'"}\n', "capital letters"),
        (b'{"target": "no/slash"}\n', "target"),
        (b'{"target": "/a b"}\n', "target"),
        (b'{"target": "/a\\r\\nX: y"}\n', "target"),
        (b'{"target": "/#x"}\n', "target"),
        (b'{"headers": [["A: b", "c"]]}\n', "cannot be a header"),
        (b'{"headers": [["A", "b\\r\\nC: d"]]}\n', "cannot be a header"),
        (b'{"headers": [["", "b"]]}\n', "cannot be a header"),
        (b'{"headers": [["A", "\\u20ac"]]}\n', "cannot be a header"),
        (b'{"headers": [["Transfer-Encoding", "chunked"]]}\n', "set by the platform"),
        (b'{"headers": [["content-length", "3"]]}\n', "set by the platform"),
        (b'{"headers": [["X-Forwarded-For", "10.0.0.1"]]}\n', "set by the platform"),
        (b'{"headers": [["Host", "elsewhere.test"]]}\n', "set by the platform"),
        (b'{"target": "/' + b"a" * MAX_HEAD_BYTES + b'"}\n', "line of JSON"),
    ],
)
def test_a_call_that_cannot_be_sent_as_it_is_is_refused(play: Play, body: bytes, says: str) -> None:
    async def story(stage: Stage) -> None:
        await stage.deploy()
        answer = await invoke(stage, body)
        assert answer.status == 400
        assert says in answer.json()["detail"]
        assert stage.direct.made == []

    play(story)


def test_what_is_too_large_and_who_is_not_there_is_told(play: Play) -> None:
    async def story(stage: Stage) -> None:
        unknown = await invoke(stage)
        assert (unknown.status, unknown.json()["code"]) == (404, "not_found")
        await stage.deploy()
        large = await invoke(stage, content_length=str(MAX_BODY_BYTES + MAX_HEAD_BYTES + 1))
        assert large.status == 413
        assert "its own address" in large.json()["hint"]

    play(story)


def test_a_namespace_has_so_many_seats_for_calls(play: Play) -> None:
    async def story(stage: Stage) -> None:
        await stage.deploy()
        stage.direct.full = True
        assert (await invoke(stage)).status == 429
        assert stage.direct.made == []

    play(story)


def test_a_call_is_given_up_when_nobody_waits_for_it(play: Play) -> None:
    async def story(stage: Stage) -> None:
        await stage.deploy()
        stage.direct.gate.clear()
        talk = stage.talk("POST", PATH, app="console", headers=stage.bearer, body=b"{}\n")
        await stage.direct.called.wait()
        assert stage.direct.seated == ["openfaas-fn"]
        talk.left.set()
        await talk.whole()
        assert stage.direct.given_up == 1

    play(story)
