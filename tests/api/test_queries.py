"""Queries by HTTP: who may ask, as whom it is answered, which files come out, and saved ones."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, cast

import pytest

from dayfly.model.access import Role
from dayfly.model.names import parse_namespace
from dayfly.model.namespace import NamespaceChange
from dayfly.model.token import TokenRequest
from dayfly.observe.query.catalogue import TABLES

if TYPE_CHECKING:
    from tests.api.conftest import MemoryQueries, Play, Stage

TEAM = parse_namespace("team")


async def token(stage: Stage, role: Role, *, everywhere: bool = False) -> dict[str, str]:
    if TEAM not in stage.namespaces.names():
        await stage.namespaces.create(TEAM, NamespaceChange())
    issued = await stage.tokens.issue(None if everywhere else TEAM, TokenRequest(role=role))
    return {"authorization": f"Bearer {issued.token}"}


def asked(stage: Stage) -> list[tuple[str, str, str | None]]:
    return cast("MemoryQueries", stage.services.query).asked


@pytest.mark.parametrize("role", ["query", "view", "deploy", "admin"])
def test_whoever_may_look_may_ask_and_gets_what_its_namespace_has(play: Play, role: Role) -> None:
    async def story(stage: Stage) -> None:
        await stage.deploy("hello")
        await stage.deploy("mine", namespace="team")
        sql = "SELECT name FROM functions"
        answer = await stage.ask("POST", "/v1/query", headers=await token(stage, role), data={"sql": sql})
        assert answer.status == 200
        assert asked(stage) == [(sql, "answer", "team")]
        rows = answer.json()["functions"]
        assert [row[:3] for row in rows] == [["team", "mine", "ready"]]
        assert len(rows[0]) == len(next(each for each in TABLES if each.name == "functions").columns)

    play(story)


def test_the_installations_credential_asks_all_of_it(play: Play) -> None:
    async def story(stage: Stage) -> None:
        await stage.deploy("hello")
        await stage.deploy("mine", namespace="team")
        sql = "SELECT 1 FROM functions, replicas, revisions, triggers"
        answer = await stage.ask("POST", "/v1/query", data={"sql": sql})
        found = answer.json()
        assert [row[1] for row in found["functions"]] == ["hello", "mine"]
        for table in TABLES:
            if table.name in found:
                assert {len(row) for row in found[table.name]} <= {len(table.columns)}, table.name
        assert asked(stage)[0][2] is None
        assert stage.plane.refreshed == 1

    play(story)


def test_who_only_calls_asks_nothing_and_who_only_asks_does_nothing_else(play: Play) -> None:
    async def story(stage: Stage) -> None:
        await stage.deploy("hello", namespace="team")
        calls = await token(stage, "invoke")
        for method, path in (("POST", "/v1/query"), ("GET", "/v1/query/export?sql=x"), ("GET", "/v1/queries")):
            assert (await stage.ask(method, path, headers=calls, data={"sql": "SELECT 1"})).status == 403
        asks = await token(stage, "query")
        for method, path in (
            ("GET", "/v1/namespaces/team/functions"), ("GET", "/v1/namespaces/team/records"),
            ("GET", "/v1/namespaces/team/functions/hello/logs"), ("PUT", "/v1/queries/x"), ("DELETE", "/v1/queries/x"),
        ):  # fmt: skip
            assert (await stage.ask(method, path, headers=asks, data={"sql": "SELECT 1"})).status == 403, path
        assert (await stage.ask("GET", "/v1/queries", headers=asks)).status == 200

    play(story)


def test_basic_credentials_carry_a_token(play: Play) -> None:
    async def story(stage: Stage) -> None:
        basic = _password(await token(stage, "query"))
        answer = await stage.ask("GET", "/v1/query/export?sql=SELECT+1&format=json", headers=basic)
        assert (answer.status, answer.headers["content-type"]) == (200, "application/json")

    play(story)


@pytest.mark.parametrize("path", ["/v1/query/export?sql=SELECT+1&format=csv", "/v1/queries/cold-starts/export"])
def test_what_reads_by_address_alone_is_asked_for_basic_credentials(play: Play, path: str) -> None:
    """Power BI and Excel first come without any, and show their form when they are told what is taken."""

    async def story(stage: Stage) -> None:
        for headers in ({}, {"authorization": "Basic cG93ZXJiaTp3cm9uZw=="}):
            for method in ("GET", "HEAD"):
                answer = await stage.ask(method, path, headers=headers)
                assert (answer.status, answer.headers["www-authenticate"]) == (401, 'Basic realm="Restricted"')

    play(story)


@pytest.mark.parametrize(
    "sent",
    [
        {"accept-encoding": "gzip, deflate"},
        {"if-none-match": '"x"'},
        {"if-modified-since": "Mon, 30 Nov 2026 12:00:00 GMT"},
        {"range": "bytes=0-9"},
    ],
)
def test_a_reader_gets_the_whole_file_whatever_it_would_have_put_up_with(play: Play, sent: dict[str, str]) -> None:
    async def story(stage: Stage) -> None:
        basic = _password(await token(stage, "query"))
        for method in ("HEAD", "GET"):
            answer = await stage.ask(method, "/v1/queries/cold-starts/export", headers=basic | sent)
            assert (answer.status, answer.headers["content-type"]) == (200, "text/csv; charset=utf-8")
            assert {"content-encoding", "etag", "last-modified"} & answer.headers.keys() == set()
            assert answer.headers["cache-control"] == "no-store"
            assert int(answer.headers["content-length"]) > 0
            assert len(answer.body) == (int(answer.headers["content-length"]) if method == "GET" else 0)

    play(story)


def _password(bearer: dict[str, str]) -> dict[str, str]:
    """Return a token as the password of basic credentials."""
    pair = f"powerbi:{bearer['authorization'].removeprefix('Bearer ')}"
    return {"authorization": "Basic " + base64.b64encode(pair.encode()).decode()}


@pytest.mark.parametrize(
    ("form", "media"),
    [
        ("csv", "text/csv; charset=utf-8"),
        ("json", "application/json"),
        ("ndjson", "application/x-ndjson"),
        ("parquet", "application/vnd.apache.parquet"),
        ("xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    ],
)
def test_an_export_is_a_file_of_its_kind(play: Play, form: str, media: str) -> None:
    async def story(stage: Stage) -> None:
        answer = await stage.ask("GET", f"/v1/query/export?sql=SELECT+1&format={form}&limit=1")
        assert answer.status == 200
        assert answer.headers["content-type"] == media
        assert answer.headers["content-disposition"] == f'attachment; filename="query.{form}"'
        assert answer.headers["content-length"] == str(len(answer.body))
        assert answer.headers["x-dayfly-truncated"] == "true"
        assert asked(stage)[-1][:2] == ("SELECT 1", form)

    play(story)


@pytest.mark.parametrize(
    ("target", "named"),
    [
        ("/v1/query/export", "empty"),
        ("/v1/query/export?sql=%20", "empty"),
        ("/v1/query/export?sql=SELECT+1&format=exe", "format"),
        ("/v1/query/export?sql=SELECT+1&limit=-1", "limit"),
        ("/v1/query/export?sql=SELECT+1&limit=1000001", "limit"),
        ("/v1/query/export?sql=" + "x" * 20_001, "20000"),
        ("/v1/query/export?sql=SELECT%001", "NUL"),
        ("/v1/queries/cold-starts/export?sql=SELECT+1", "sql"),
        ("/v1/queries/Not%20a%20name/export", "name"),
    ],
)
def test_what_cannot_be_exported_is_refused(play: Play, target: str, named: str) -> None:
    async def story(stage: Stage) -> None:
        answer = await stage.ask("GET", target)
        assert answer.status == 400
        assert named in answer.json()["detail"]
        assert asked(stage) == []

    play(story)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"sql": ""},
        {"sql": "SELECT 1", "limit": 0},
        {"sql": "SELECT 1", "limit": 10_001},
        {"sql": "SELECT 1", "namespace": "other"},
    ],
)
def test_what_cannot_be_asked_is_refused(play: Play, body: dict[str, object]) -> None:
    async def story(stage: Stage) -> None:
        assert (await stage.ask("POST", "/v1/query", data=body)).status == 400
        assert asked(stage) == []

    play(story)


def test_the_tables_are_described(play: Play) -> None:
    async def story(stage: Stage) -> None:
        answer = await stage.ask("GET", "/v1/query/tables")
        found = {each["name"]: {column["name"] for column in each["columns"]} for each in answer.json()}
        assert {"calls", "logs", "functions", "replicas", "usage", "rollups"} <= found.keys()
        assert {"started", "total_ms", "namespace"} <= found["calls"]

    play(story)


def test_a_query_is_saved_asked_changed_and_removed(play: Play) -> None:
    async def story(stage: Stage) -> None:
        deploys, asks = await token(stage, "deploy"), await token(stage, "query")
        spec = {"sql": "SELECT count(*) FROM calls", "note": "how many"}
        kept = await stage.ask("PUT", "/v1/queries/how-many", headers=deploys, data=spec)
        assert kept.status == 200
        assert kept.json()["namespace"] == "team"
        listed = json.loads((await stage.ask("GET", "/v1/queries", headers=asks)).body)
        assert {each["name"]: each["ready_made"] for each in listed}["how-many"] is False
        assert sum(each["ready_made"] for each in listed) > 10
        answer = await stage.ask("GET", "/v1/queries/how-many/export?format=json", headers=asks)
        assert answer.headers["content-disposition"] == 'attachment; filename="how-many.json"'
        assert asked(stage) == [(spec["sql"], "json", "team")]
        assert (await stage.ask("GET", "/v1/queries/how-many")).status == 404, "the installation has its own"
        spec["sql"] = "SELECT 2"
        await stage.ask("PUT", "/v1/queries/how-many", headers=deploys, data=spec)
        assert (await stage.ask("GET", "/v1/queries/how-many", headers=asks)).json()["sql"] == "SELECT 2"
        assert (await stage.ask("DELETE", "/v1/queries/how-many", headers=deploys)).status == 204
        assert (await stage.ask("GET", "/v1/queries/how-many", headers=asks)).status == 404
        assert (await stage.ask("DELETE", "/v1/queries/how-many", headers=deploys)).status == 404

    play(story)


def test_a_ready_made_query_stays_as_it_is(play: Play) -> None:
    async def story(stage: Stage) -> None:
        assert (await stage.ask("PUT", "/v1/queries/cold-starts", data={"sql": "SELECT 1"})).status == 409
        assert (await stage.ask("DELETE", "/v1/queries/cold-starts")).status == 409
        answer = await stage.ask("GET", "/v1/queries/cold-starts/export", headers=await token(stage, "query"))
        assert answer.status == 200
        assert asked(stage)[-1][2] == "team"

    play(story)


def test_saved_queries_are_bounded_and_go_with_their_namespace(play: Play) -> None:
    async def story(stage: Stage) -> None:
        headers = await token(stage, "deploy")
        for number in range(200):
            answer = await stage.ask("PUT", f"/v1/queries/q{number}", headers=headers, data={"sql": "SELECT 1"})
            assert answer.status == 200
        assert (await stage.ask("PUT", "/v1/queries/more", headers=headers, data={"sql": "SELECT 1"})).status == 429
        assert (await stage.ask("PUT", "/v1/queries/q7", headers=headers, data={"sql": "SELECT 2"})).status == 200
        await stage.services.saved_queries.clear(TEAM)  # type: ignore[attr-defined]  # as a namespace's removal does
        listed = (await stage.ask("GET", "/v1/queries", headers=headers)).json()
        assert all(each["ready_made"] for each in listed)

    play(story)
