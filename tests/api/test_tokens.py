"""Tokens over HTTP: shown once, of use at once, and for nothing once they are revoked."""

from __future__ import annotations

import asyncio
import base64
import json
from typing import TYPE_CHECKING, Any

import pytest

from dayfly.model.log import LogLine
from dayfly.model.names import ReplicaId
from dayfly.model.namespace import NamespaceChange
from dayfly.model.token import TokenRequest

if TYPE_CHECKING:
    from tests.api.conftest import Play, Stage

TOKENS = "/v1/namespaces/team/tokens"
FUNCTIONS = "/v1/namespaces/team/functions"


def bearer(text: str) -> dict[str, str]:
    return {"authorization": f"Bearer {text}"}


def test_a_token_is_shown_once_works_and_is_revoked(play: Play) -> None:
    async def story(stage: Stage) -> None:
        await stage.namespaces.create(stage.team, NamespaceChange())
        made = await stage.ask("POST", TOKENS, data={"role": "view", "expires": "30d", "note": "for the board"})
        assert (made.status, made.headers["cache-control"]) == (201, "no-store")
        issued = made.json()
        text, status = issued["token"], issued["status"]
        assert (status["role"], status["namespace"], status["note"]) == ("view", "team", "for the board")
        assert status["expires_unix_ms"] - status["created_unix_ms"] == 30 * 86_400_000
        listed = await stage.ask("GET", TOKENS)
        assert listed.json() == [status]
        assert text.encode()[-43:] not in listed.body
        basic = base64.b64encode(f"anybody:{text}".encode()).decode()
        for headers in (bearer(text), {"authorization": f"Basic {basic}"}):
            assert (await stage.ask("GET", FUNCTIONS, headers=headers)).status == 200
        assert (await stage.ask("DELETE", f"{TOKENS}/{status['id']}", headers=bearer(text))).status == 403
        assert (await stage.ask("DELETE", f"{TOKENS}/{status['id']}")).status == 204
        assert (await stage.ask("GET", FUNCTIONS, headers=bearer(text))).status == 401
        assert (await stage.ask("DELETE", f"{TOKENS}/{status['id']}")).status == 404

    play(story)


def test_a_namespaces_administrator_hands_out_tokens_of_it_and_of_nothing_else(play: Play) -> None:
    async def story(stage: Stage) -> None:
        for name in ("team", "other"):
            assert (await stage.ask("POST", f"/v1/namespaces/{name}")).status == 201
        admin = bearer((await stage.ask("POST", TOKENS, data={"role": "admin"})).json()["token"])
        made = await stage.ask("POST", TOKENS, headers=admin, data={"role": "deploy"})
        assert (made.status, made.json()["status"]["namespace"]) == (201, "team")
        refused: list[tuple[str, str, dict[str, Any] | None]] = [
            ("POST", "/v1/namespaces/other/tokens", {"role": "view"}), ("POST", "/v1/tokens", {"role": "view"}),
            ("GET", "/v1/tokens", None), ("POST", TOKENS, {"role": "view", "namespace": "other"}),
            ("PUT", "/v1/namespaces/team", {"quota": {}}),
        ]  # fmt: skip
        for method, path, body in refused:
            assert (await stage.ask(method, path, headers=admin, data=body)).status in (400, 403), path
        deploy = bearer(made.json()["token"])
        assert (await stage.ask("POST", TOKENS, headers=deploy, data={"role": "view"})).status == 403
        assert len(stage.tokens.listed(None)) == 2

    play(story)


def test_a_token_of_the_installation_is_good_everywhere_for_its_role(play: Play) -> None:
    async def story(stage: Stage) -> None:
        await stage.deploy(namespace="team")
        made = (await stage.ask("POST", "/v1/tokens", data={"role": "view"})).json()
        assert made["status"]["namespace"] is None
        scraper = bearer(made["token"])
        assert b"dayfly_gateways" in (await stage.ask("GET", "/metrics", app="metrics", headers=scraper)).body
        for path in (FUNCTIONS, "/v1/namespaces/openfaas-fn/functions", "/system/functions"):
            assert (await stage.ask("GET", path, headers=scraper)).status == 200
        assert (await stage.ask("DELETE", FUNCTIONS + "/hello", headers=scraper)).status == 403
        listed = (await stage.ask("GET", "/v1/tokens")).json()
        assert [each["id"] for each in listed] == [made["status"]["id"]]
        assert (await stage.ask("DELETE", f"/v1/tokens/{made['status']['id']}")).status == 204

    play(story)


@pytest.mark.parametrize(
    "body",
    [{}, {"role": "root"}, {"role": "view", "expires": "soon"}, {"role": "view", "note": "\n"}, {"role": ["view"]},
     {"role": "view", "id": "x"}],
)  # fmt: skip
def test_what_is_no_token_is_not_made(play: Play, body: dict[str, Any]) -> None:
    async def story(stage: Stage) -> None:
        assert (await stage.ask("POST", "/v1/tokens", data=body)).status == 400
        assert (await stage.ask("POST", TOKENS, data={"role": "view"})).status == 404
        assert stage.tokens.listed(None) == []

    play(story)


@pytest.mark.parametrize("how", ["revoked", "expired", "removed"])
@pytest.mark.parametrize("path", [FUNCTIONS + "/hello/logs?follow=true", "/system/logs?name=hello&follow=true"])
def test_who_follows_a_log_is_cut_off_with_the_token(play: Play, path: str, how: str) -> None:
    async def story(stage: Stage) -> None:
        status = await stage.deploy(namespace="team")
        issued = await stage.tokens.issue(stage.team, TokenRequest(role="view", expires="1h"))
        talk = stage.talk("GET", path, headers=bearer(issued.token))
        assert (await talk.message())["status"] == 200
        stage.logs.write(LogLine(1, status.spec.key, ReplicaId("r" * 10), "stdout", "", "seen"))
        assert json.loads((await talk.message())["body"])["text"] == "seen"
        if how == "revoked":
            await stage.tokens.revoke(None, issued.status.id)
        elif how == "removed":
            await stage.namespaces.remove(stage.team, force=True)
        else:
            stage.clock.advance(3600)
        assert await talk.message() == {"type": "http.response.body", "body": b"", "more_body": False}
        async with asyncio.timeout(60):
            await talk.task
        assert stage.logs.followers == 0

    play(story)
