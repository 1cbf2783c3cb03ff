"""Budgets and costs, as the API tells and changes them; who may is in test_tenants."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from dayfly.model.allowance import Used
from dayfly.model.cost import CostReport
from dayfly.model.names import parse_function_key, parse_namespace
from dayfly.model.token import TokenRequest

if TYPE_CHECKING:
    from tests.api.conftest import Play, Stage

NAMESPACE = "/v1/namespaces/openfaas-fn"
COSTS, BUDGET = NAMESPACE + "/costs", NAMESPACE + "/functions/hello/budget"
OWN = NAMESPACE + "/budgets/hello"
HOUR_MS = 3_600_000


def test_a_functions_budget_takes_over_what_its_annotations_say(play: Play) -> None:
    async def story(stage: Stage) -> None:
        key = parse_function_key("hello")
        await stage.deploy("hello", annotations={"com.dayfly.budget.calls": "5/day,9/month", "topic": "x"})
        assert (await stage.ask("PUT", BUDGET, data={"budget": ["calls=7/day"]})).status == 200
        assert stage.plane.newest(key).spec.annotations == {"topic": "x"}
        assert (await stage.ask("GET", OWN)).json()["spec"]["calls"] == {"day": 7}
        assert (await stage.ask("PUT", BUDGET, data={"budget": ["calls=8/month"]})).status == 200
        spec = (await stage.ask("GET", OWN)).json()["spec"]
        assert (spec["function"], spec["calls"]) == ("hello", {"month": 8})
        assert stage.plane.newest(key).number == 2, "a budget makes no revision"
        for wrong in ("calls=5", "money=1/day", "calls=1.5/day"):
            answer = await stage.ask("PUT", BUDGET, data={"budget": [wrong]})
            assert (answer.status, answer.json()["code"]) == (400, "invalid_spec")
        assert (await stage.ask("PUT", BUDGET.replace("hello", "gone"), data={"budget": []})).status == 404
        assert stage.plane.newest(key).number == 2
        assert (await stage.ask("PUT", BUDGET, data={"budget": ["calls=none"]})).status == 200
        assert (await stage.ask("GET", OWN)).status == 404

    play(story)


def test_budgets_are_written_told_and_removed(play: Play) -> None:
    async def story(stage: Stage) -> None:
        spec = {"function": "hello", "calls": {"day": 5}, "gib_seconds": {"month": 0.5}}
        answer = await stage.ask("PUT", OWN, data=spec)
        assert (answer.status, answer.json()["spec"]) == (201, {"name": "hello", "namespace": "openfaas-fn", **spec})
        assert (await stage.ask("PUT", OWN, data=spec)).status == 200
        found = (await stage.ask("GET", NAMESPACE + "/budgets")).json()
        assert [(each["measure"], each["amount"], each["budget"]) for each in found] == [
            ("calls", 5.0, "hello"), ("gib_seconds", 0.5, "hello"),
        ]  # fmt: skip
        refused: list[dict[str, object]] = [
            {}, {"calls": {}}, {"calls": {"day": 1.5}}, {"calls": {"day": -1}}, {"money": {"day": 1}},
            {"name": "other", "calls": {"day": 1}},
        ]  # fmt: skip
        for wrong in refused:
            assert (await stage.ask("PUT", OWN, data=wrong)).status == 400, wrong
        assert (await stage.ask("DELETE", OWN)).status == 204
        assert (await stage.ask("DELETE", OWN)).status == 404

    play(story)


def test_only_the_administrator_bounds_a_whole_namespace(play: Play) -> None:
    async def story(stage: Stage) -> None:
        every = await stage.tokens.issue(None, TokenRequest(role="deploy"))
        own = await stage.tokens.issue(parse_namespace("openfaas-fn"), TokenRequest(role="admin"))
        for token in (every.token, own.token):
            headers = {"authorization": f"Bearer {token}"}
            answer = await stage.ask("PUT", OWN, data={"calls": {"day": 5}}, headers=headers)
            assert (answer.status, answer.json()["code"]) == (403, "forbidden")
            mine = {"function": "hello", "calls": {"day": 5}}
            assert (await stage.ask("PUT", OWN, data=mine, headers=headers)).status in (200, 201)
        assert (await stage.ask("PUT", OWN, data={"calls": {"day": 5}})).status == 200
        assert (await stage.ask("DELETE", OWN, headers=headers)).status == 403
        assert (await stage.ask("DELETE", OWN)).status == 204

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
