"""The metrics listener, read back with the library that others scrape with."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from prometheus_client.parser import text_string_to_metric_families

from dayfly.model.table import FunctionLoad, Load
from dayfly.model.token import TokenRequest
from dayfly.server.apps import build_apps

if TYPE_CHECKING:
    from tests.api.conftest import Play, Stage

ROOT = Path(__file__).resolve().parent.parent.parent


def load_of(name: str) -> FunctionLoad:
    return FunctionLoad(name, 0, 0, 1, {200: (1, 0.1, (0,) * 12)})


def test_names_of_functions_that_are_not_deployed_make_no_series(play: Play) -> None:
    async def story(stage: Stage) -> None:
        await stage.deploy()
        stage.meter.merge("gw0", "a", Load((load_of("hello.openfaas-fn"),)))

        async def series() -> set[tuple[str, str]]:
            answer = await stage.ask("GET", "/metrics", app="metrics")
            assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
            families = text_string_to_metric_families(answer.body.decode())
            return {(one.name, str(one.labels)) for family in families for one in family.samples}

        before = await series()
        stage.meter.merge("gw0", "a", Load(tuple(load_of(f"x{number}.openfaas-fn") for number in range(1000))))
        assert await series() == before
        assert any("hello.openfaas-fn" in labels for _, labels in before)

    play(story)


def test_a_prometheus_reads_all_that_the_history_tells_of(play: Play) -> None:
    """So that a query means the same where one is asked instead; the machine is for those who may see it all."""
    text = (ROOT / "docs/history.md").read_text().partition("## PromQL")[0]
    rows = re.findall(r"^\| (`.*?) \|", text, re.MULTILINE)
    told = {name for row in rows for name in re.findall(r"`(\w+_\w+)`", row)} - {"_sum", "_count"}
    assert len(told) > 30

    async def story(stage: Stage) -> None:
        async def read(headers: dict[str, str] | None = None) -> set[str]:
            answer = await stage.ask("GET", "/metrics", app="metrics", headers=headers)
            assert answer.status == 200
            return set(re.findall(r"^# TYPE (\S+)", answer.body.decode(), re.MULTILINE))

        await stage.deploy()
        histograms = {"gateway_functions_seconds_bucket"}
        assert told - await read() == histograms
        issued = await stage.tokens.issue(stage.team, TokenRequest(role="deploy"))
        of_team = await read({"authorization": f"Bearer {issued.token}"})
        assert not [name for name in of_team if name.startswith("dayfly_machine_")]

    play(story)


def test_nobody_needs_a_credential_for_the_figures_where_an_operator_said_so(play: Play) -> None:
    async def story(stage: Stage) -> None:
        await stage.deploy()
        await stage.deploy("theirs", namespace="team")
        assert (await stage.ask("GET", "/metrics", app="metrics", headers={})).status == 401
        stage.apps = build_apps(stage.services, stage.credentials, metrics_open=True)
        answer = await stage.ask("GET", "/metrics", app="metrics", headers={})
        assert answer.status == 200
        assert b"hello.openfaas-fn" in answer.body
        assert b"theirs.team" in answer.body
        assert b"dayfly_gateways" in answer.body
        assert (await stage.ask("GET", "/v1/info", headers={})).status == 401
        assert (await stage.ask("GET", "/v1/info", app="console", headers={})).status == 401

    play(story)
