"""`dayfly budget` and `dayfly cost`: what is told of budgets and of use, to people and to programs."""

import csv
import io
import json
from collections.abc import Callable
from typing import Any

import pytest

from dayfly.model.budget import BudgetStatus
from dayfly.model.cost import CostReport, FunctionCost, Prices
from dayfly.model.namespace import NamespaceChange

Run = Callable[..., Any]
NOON = 1_764_417_600_000
USED_UP = BudgetStatus(
    namespace="openfaas-fn", function="hello", measure="calls", period="day", amount=5.0, used=5.0, state="used up",
    ends_unix_ms=NOON,
)  # fmt: skip
SHARED = BudgetStatus(
    namespace="openfaas-fn", measure="gib_seconds", period="month", amount=2000000.0, used=12.5, state="within",
    ends_unix_ms=NOON, budget="everything",
)  # fmt: skip
HELLO = FunctionCost(name="hello", namespace="openfaas-fn", calls=3, cpu_seconds=1.25, gib_seconds=10.0, cost=1.5)
GONE = FunctionCost(name="gone", namespace="openfaas-fn", calls=1, cpu_seconds=0.0, gib_seconds=0.0, cost=0.5)


def report(prices: Prices) -> CostReport:
    return CostReport(
        namespace="openfaas-fn", since_unix_ms=NOON, until_unix_ms=NOON + 7_200_000, prices=prices,
        functions=(GONE, HELLO),
    )  # fmt: skip


def rows(text: str) -> list[list[str]]:
    return [[field.strip() for field in line.split("\t")] for line in text.splitlines()]


def test_budgets_and_how_far_they_are_used(dayfly: Run, platform: Any) -> None:
    platform.budgets = [SHARED, USED_UP]
    assert rows(dayfly("budget", "list").stdout) == [
        ["FUNCTION", "BUDGET", "USED", "OF", "SHARE", "STATE", "BY"],
        ["(namespace openfaas-fn)", "gib_seconds a month", "12.5", "2000000", "0 %", "within", "everything"],
        ["hello", "calls a day", "5", "5", "100 %", "used up", "(annotation)"],
    ]
    assert [each["used"] for each in json.loads(dayfly("budget", "list", "-o", "json").stdout)] == [12.5, 5.0]
    platform.budgets = []
    assert "dayfly budget set" in dayfly("budget", "list").stdout


@pytest.mark.parametrize("wrong", ["calls", "calls=5", "calls=x/day", "money=1/day"])
def test_a_mistake_is_told_before_anything_is_sent(dayfly: Run, platform: Any, wrong: str) -> None:
    for command in (
        ("budget", "set", "hello", wrong),
        ("budget", "put", "all", wrong),
        ("namespace", "update", "openfaas-fn", "--budget", wrong),
    ):
        done = dayfly(*command)
        assert (done.exit_code, done.stdout) == (64, "")
        assert "budget" in done.stderr
    assert platform.requests == []


def test_a_namespaces_budget_is_changed_part_by_part(dayfly: Run, platform: Any) -> None:
    calls, gib = "com.dayfly.budget.calls", "com.dayfly.budget.gib_seconds"
    platform.namespaces["team-a"] = NamespaceChange(annotations={"topic": "x", calls: "1/day"})
    assert dayfly("namespace", "update", "team-a", "--budget", "gib_seconds=7/month").exit_code == 0
    assert platform.namespaces["team-a"].annotations == {"topic": "x", calls: "1/day", gib: "7/month"}
    assert dayfly("namespace", "update", "team-a", "--budget", "calls=none").exit_code == 0
    assert platform.namespaces["team-a"].annotations == {"topic": "x", gib: "7/month"}


def test_budgets_are_made_changed_part_by_part_and_removed(dayfly: Run, platform: Any) -> None:
    done = dayfly("budget", "put", "all", "calls=5/day", "calls=9/month", "--namespace", "team-a")
    assert done.stdout == "Budget all of the namespace: calls=5/day calls=9/month\n"
    assert dayfly("budget", "put", "all", "cpu_seconds=1.5/day", "-n", "team-a").exit_code == 0
    spec = platform.kept["team-a", "all"]
    assert (spec.function, spec.allowances.text) == ("", "calls=5/day calls=9/month cpu_seconds=1.5/day")
    assert dayfly("budget", "put", "trial", "calls=5/day", "--function", "hello").exit_code == 0
    assert platform.kept["openfaas-fn", "trial"].function == "hello"
    empty = dayfly("budget", "put", "trial", "calls=none", "--function", "hello")
    assert (empty.exit_code, "dayfly budget remove trial" in empty.stderr) == (64, True)
    assert dayfly("budget", "remove", "trial").stdout == "Budget removed: trial\n"
    assert dayfly("budget", "remove", "trial").exit_code == 66
    assert [*platform.kept] == [("team-a", "all")]


def test_costs_with_prices_and_without(dayfly: Run, platform: Any) -> None:
    platform.costs = report(Prices(call=0.5, currency="EUR"))
    head, *lines = dayfly("cost").stdout.splitlines()
    assert head == "2025-11-29 12:00 to 2025-11-29 14:00 UTC"
    assert rows("\n".join(lines)) == [
        ["FUNCTION", "CALLS", "CPU-SECONDS", "GIB-SECONDS", "COST EUR"],
        ["gone.openfaas-fn", "1", "0.00", "0.00", "0.500000"],
        ["hello.openfaas-fn", "3", "1.25", "10.00", "1.500000"],
        ["TOTAL", "4", "1.25", "10.00", "2.000000"],
    ]
    platform.costs = report(Prices())
    told = dayfly("cost", "--since", "36h", "--until", "1h").stdout
    assert "DAYFLY_PRICES" in told
    assert "COST" not in told
    assert dict(platform.requests[-1].url.params) == {"period": "month", "since": "36h", "until": "1h"}


def test_costs_for_programs(dayfly: Run, platform: Any) -> None:
    platform.costs = report(Prices(call=0.5, currency="EUR"))
    found = list(csv.DictReader(io.StringIO(dayfly("cost", "-o", "csv").stdout)))
    assert [(each["name"], each["calls"], each["cost"], each["currency"]) for each in found] == [
        ("gone", "1", "0.5", "EUR"), ("hello", "3", "1.5", "EUR"),
    ]  # fmt: skip
    assert json.loads(dayfly("cost", "-o", "json").stdout)[0]["functions"][1]["calls"] == 3
