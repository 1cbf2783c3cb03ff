"""What Grafana asks of a data source of the type Prometheus, written down from what one sent, and answered in full.

tests/system/test_grafana.py runs a real one, where there is one.
"""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from tests.api.test_history import FORM, merge, past

from dayfly.model.access import Role
from dayfly.model.token import TokenRequest

if TYPE_CHECKING:
    from tests.api.conftest import Play, Stage

DASHBOARD = Path(__file__).resolve().parent.parent.parent / "deploy" / "grafana" / "dayfly.json"
BROWSER = {
    "user-agent": "Grafana/7.5.5", "accept": "application/json, text/plain, */*",
    "accept-encoding": "gzip, deflate, br, zstd", "sec-fetch-dest": "empty", "sec-fetch-mode": "cors",
    "sec-fetch-site": "same-origin", "x-forwarded-for": "10.0.0.9, 10.0.0.7", "x-grafana-org-id": "1",
    "x-dashboard-id": "1", "x-panel-id": "2",
}  # fmt: skip
"""What comes with a question: Grafana passes on what the browser of whoever looks sent to it."""
SPAN = {"start": "1699999000", "end": "1700000400", "step": "15"}


def board() -> dict[str, Any]:
    """Return the dashboard."""
    found: dict[str, Any] = json.loads(DASHBOARD.read_text())
    return found


async def password(stage: Stage, role: Role = "query") -> dict[str, str]:
    """Return what Grafana sends with a token as the password of basic credentials, and of a browser."""
    issued = await stage.tokens.issue(None, TokenRequest(role=role))
    return BROWSER | {"authorization": "Basic " + base64.b64encode(f"grafana:{issued.token}".encode()).decode()}


async def answered(stage: Stage, method: str, path: str, headers: dict[str, str], **asked: str) -> Any:
    """Return the data of an answer to a question by this method."""
    text = urlencode({name.replace("match", "match[]"): each for name, each in asked.items()})
    if method == "POST":
        answer = await stage.ask("POST", f"/api/v1/{path}", headers=headers | FORM, body=text.encode())
    else:
        answer = await stage.ask("GET", f"/api/v1/{path}?{text}", headers=headers)
    assert answer.status == 200, (path, text, answer.body)
    return json.loads(answer.body)["data"]


def filled(text: str, functions: str) -> str:
    """Return an expression as Grafana sends it."""
    found = text.replace("$function", functions).replace("$__rate_interval", "60s")
    assert "$" not in found, found
    return found


def test_a_data_source_is_tested_and_its_editor_filled(play: Play, tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        store = await past(stage, tmp_path)
        merge(stage, 3)
        grafana = await password(stage)
        name = "gateway_function_invocation_total"
        times = {"start": "1699999000", "end": "1700000400"}
        for method in ("GET", "POST"):
            tested = await answered(stage, method, "query", grafana, query="1+1", time="1700000000.784")
            assert tested == {"resultType": "scalar", "result": [1700000000.784, "2"]}
            table = await answered(stage, method, "query", grafana, query=f"sum by (code) ({name})")
            assert table["result"][0]["metric"] == {"code": "200"}
            assert await answered(stage, method, "query_exemplars", grafana, query=name, **times) == []
            assert len(await answered(stage, method, "series", grafana, match=name, **times)) == 2
            assert "function_name" in await answered(stage, method, "labels", grafana, **times)
        named = await answered(stage, "GET", "label/__name__/values", grafana, **times)
        assert name in named
        chosen = await answered(stage, "GET", "label/function_name/values", grafana, match=name, limit="40000", **times)
        assert chosen == ["hello.openfaas-fn", "theirs.team"]
        about = await answered(stage, "GET", "metadata", grafana, limit="40000")
        assert about[name][0]["type"] == "counter"
        assert (await answered(stage, "GET", "status/buildinfo", grafana))["version"].startswith("2.")
        assert await answered(stage, "GET", "rules", grafana) == {"groups": []}
        assert await answered(stage, "GET", "alerts", grafana) == {"alerts": []}
        await store.close()

    play(story)


def test_every_panel_of_the_dashboard_is_answered(play: Play, tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        store = await past(stage, tmp_path)
        for calls in (3, 6):
            merge(stage, calls)
            await stage.ask("GET", "/api/v1/query?query=up")
            stage.clock.advance(30)
        grafana, shown = await password(stage), set()
        for functions in (".*", "(hello\\\\.openfaas-fn|theirs\\\\.team)"):
            for panel in board()["panels"]:
                for target in panel["targets"]:
                    asked = filled(target["expr"], functions)
                    found = await answered(stage, "POST", "query_range", grafana, query=asked, **SPAN)
                    assert found["resultType"] == "matrix"
                    shown |= {panel["title"]} if found["result"] else set()
        ever = {"Calls a second", "How long calls take", "Calls under way and waiting", "Cold starts a minute"}
        assert ever <= shown, "all that there is of a function that was called"
        for note in board()["annotations"]["list"]:
            await answered(stage, "POST", "query_range", grafana, query=note["expr"], **SPAN)
        (asked,) = [each["query"] for each in board()["templating"]["list"] if each["type"] == "query"]
        matched = re.fullmatch(r"label_values\((.+), (\w+)\)", asked)
        assert matched
        series = await answered(stage, "GET", "series", grafana, match=matched[1], start="1699999000", end="1700000400")
        assert {each[matched[2]] for each in series} == {"hello.openfaas-fn", "theirs.team"}
        await store.close()

    play(story)


def test_a_namespaces_token_has_every_panel_answered_with_its_own(play: Play, tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        store = await past(stage, tmp_path)
        merge(stage, 3)
        issued = await stage.tokens.issue(stage.team, TokenRequest(role="query"))
        grafana, told = BROWSER | {"authorization": f"Bearer {issued.token}"}, ""
        await answered(stage, "GET", "query", grafana, query="up")
        for panel in board()["panels"]:
            for target in panel["targets"]:
                asked = filled(target["expr"], ".*")
                told += json.dumps(await answered(stage, "POST", "query_range", grafana, query=asked, **SPAN))
        assert ("theirs.team" in told, "openfaas-fn" in told) == (True, False)
        await store.close()

    play(story)


def test_the_dashboard_is_written_as_every_grafana_since_7_5_reads_it() -> None:
    """One says of which data source by its name alone until 8.3, and takes no other; later ones turn it into theirs."""
    found = board()
    assert found["schemaVersion"] <= 27
    (source,) = [each for each in found["templating"]["list"] if each["type"] == "datasource"]
    users = [*found["panels"], *found["annotations"]["list"]]
    users += [each for each in found["templating"]["list"] if each is not source]
    assert {each["datasource"] for each in users} == {f"${{{source['name']}}}"}
    assert not [each for panel in found["panels"] for each in panel["targets"] if "datasource" in each]
    assert {type(each["query"]) for each in found["templating"]["list"]} == {str}


def test_a_wrong_token_is_told_in_words_and_no_browser_is_asked_for_one(play: Play, tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        store = await past(stage, tmp_path)
        wrong = BROWSER | {"authorization": "Bearer dayfly_" + "x" * 40}
        answer = await stage.ask("POST", "/api/v1/query", headers=wrong | FORM, body=b"query=1%2B1")
        assert (answer.status, json.loads(answer.body)["errorType"]) == (401, "unauthorized")
        assert "wrong" in json.loads(answer.body)["error"]
        assert "www-authenticate" not in answer.headers, "Grafana would pass it on to the browser"
        await store.close()

    play(story)
