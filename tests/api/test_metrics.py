"""The metrics listener, read back with the library that others scrape with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client.parser import text_string_to_metric_families

from dayfly.model.table import FunctionLoad, Load
from dayfly.server.apps import build_apps

if TYPE_CHECKING:
    from tests.api.conftest import Play, Stage


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
