"""Budgets and costs, as the API tells and changes them; who may is in test_tenants."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from dayfly.model.budget import Used
from dayfly.model.cost import CostReport
from dayfly.model.names import parse_function_key

if TYPE_CHECKING:
    from tests.api.conftest import Play, Stage

NAMESPACE = "/v1/namespaces/openfaas-fn"
COSTS, BUDGET = NAMESPACE + "/costs", NAMESPACE + "/functions/hello/budget"
HOUR_MS = 3_600_000


def test_a_functions_budget_becomes_a_revision_of_it(play: Play) -> None:
    async def story(stage: Stage) -> None:
        await stage.deploy("hello")
        for budget, annotation in (("calls=5/day", "5/day"), ("calls=7/month", "7/month")):
            assert (await stage.ask("PUT", BUDGET, data={"budget": [budget]})).status == 200
            spec = stage.plane.newest(parse_function_key("hello")).spec
            assert spec.annotations == {"com.dayfly.budget.calls": annotation}
        assert stage.plane.newest(parse_function_key("hello")).number == 3
        for wrong in ("calls=5", "money=1/day", "calls=1.5/day"):
            answer = await stage.ask("PUT", BUDGET, data={"budget": [wrong]})
            assert (answer.status, answer.json()["code"]) == (400, "invalid_spec")
        assert (await stage.ask("PUT", BUDGET.replace("hello", "gone"), data={"budget": []})).status == 404
        assert stage.plane.newest(parse_function_key("hello")).number == 3

    play(story)


def test_costs_are_of_whole_hours_and_by_the_prices_of_now(play: Play) -> None:
    async def story(stage: Stage) -> None:
        spending = stage.services.spending
        spending.of = {  # type: ignore[attr-defined]  # it is the stage's
            parse_function_key("hello"): Used(calls=3, cpu_seconds=1.5, gib_seconds=2.0),
            parse_function_key("other.team-a"): Used(calls=100),
        }
        answer = await stage.ask("GET", COSTS + "?since=2h&until=30m")
        report = msgspec.json.decode(answer.body, type=CostReport)
        assert [(each.name, each.calls, each.cost) for each in report.functions] == [("hello", 3, 1.5)]
        assert (report.prices.call, report.prices.currency) == (0.5, "EUR")
        assert report.since_unix_ms % HOUR_MS == report.until_unix_ms % HOUR_MS == 0
        assert 1.5 * HOUR_MS <= report.until_unix_ms - report.since_unix_ms <= 3.5 * HOUR_MS
        assert (await stage.ask("GET", COSTS + "?period=day")).status == 200
        for wrong in ("?since=1h&until=2h", "?since=20000h", "?period=year", "?since=never", "?since_unix_ms=1"):
            assert (await stage.ask("GET", COSTS + wrong)).status == 400, wrong

    play(story)


def test_without_a_budget_there_is_nothing_to_tell(play: Play) -> None:
    async def story(stage: Stage) -> None:
        await stage.deploy("hello")
        assert (await stage.ask("GET", NAMESPACE + "/budgets")).json() == []

    play(story)
