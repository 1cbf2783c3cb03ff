"""Budgets and prices as people write them."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dayfly.model.allowance import MEASURES, PERIODS, PREFIX, Allowance, Allowances, Used
from dayfly.model.budget import MAX_AMOUNT, Amounts, BudgetSpec, BudgetStatus, Counts
from dayfly.model.cost import Prices
from dayfly.model.errors import DayflyError, InvalidSpec
from dayfly.model.function import FunctionSpec
from dayfly.model.names import parse_namespace
from dayfly.model.namespace import Namespace

allowances = st.builds(
    lambda measure, number, period: Allowance(measure, float(number), period),
    st.sampled_from(MEASURES), st.integers(0, 10**9), st.sampled_from(PERIODS),
)  # fmt: skip


def ordered(budget: Allowances) -> set[Allowance]:
    return set(budget.all)


@given(st.lists(allowances, unique_by=lambda each: (each.measure, each.period)))
def test_what_is_written_is_read_again(given_: list[Allowance]) -> None:
    budget = Allowances(tuple(given_))
    annotations = budget.written({"topic": "x", PREFIX + "calls": "1/day"})
    assert annotations["topic"] == "x"
    assert ordered(Allowances.of(annotations)) == ordered(budget)
    assert ordered(Allowances().changed(budget.text.split())) == ordered(budget)


def test_a_change_replaces_what_it_names() -> None:
    budget = Allowances.of({PREFIX + "calls": "10/day,100/month", PREFIX + "cpu_seconds": "1.5/month"})
    assert budget.text == "calls=10/day calls=100/month cpu_seconds=1.5/month"
    assert budget.changed(["calls=20/day"]).text == "calls=20/day cpu_seconds=1.5/month"
    assert budget.changed(["calls=none", "gib_seconds=7/day"]).text == "cpu_seconds=1.5/month gib_seconds=7/day"


@pytest.mark.parametrize(
    "text", ["10", "10/week", "-1/day", "1e9/day", "1.5/day", "day", "/day", "1/day,2/day", "٣/day", "1/day/day"]
)
def test_what_is_no_budget_is_refused_when_it_is_deployed(text: str) -> None:
    annotations = {PREFIX + "calls": text}
    with pytest.raises(InvalidSpec, match=r"com\.dayfly\.budget\.calls"):
        FunctionSpec(name="f", annotations=annotations).check()
    with pytest.raises(InvalidSpec):
        Namespace(name=parse_namespace("team"), annotations=annotations).check()
    assert Allowances.told(annotations) == Allowances()


@pytest.mark.parametrize("part", ["calls", "calls=", "=1/day", "money=1/day", "calls=1", ""])
def test_what_is_no_change_is_refused(part: str) -> None:
    with pytest.raises(InvalidSpec):
        Allowances().changed([part])


def test_a_measure_that_does_not_exist_is_refused() -> None:
    with pytest.raises(InvalidSpec, match="cpu_seconds"):
        Allowances.of({PREFIX + "cpu": "1/day"})


@given(st.lists(allowances, min_size=1, unique_by=lambda each: (each.measure, each.period)))
def test_a_budget_states_what_it_was_made_of(given_: list[Allowance]) -> None:
    spec = BudgetSpec.of(given_, "b", "team", "f")
    spec.check()
    stated = {(each.measure, each.amount, each.period, each.budget) for each in spec.allowances.all}
    assert stated == {(each.measure, each.amount, each.period, "b") for each in given_}


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        (BudgetSpec(name="b"), "bounds nothing"),
        (BudgetSpec(name="b", calls=Counts()), "calls: say how much"),
        (BudgetSpec(name="b", cpu_seconds=Amounts(day=-1)), r"cpu_seconds\.day: -1"),
        (BudgetSpec(name="b", calls=Counts(month=MAX_AMOUNT + 1)), "must be from 0"),
        (BudgetSpec(name="B", calls=Counts(day=1)), "budget name"),
        (BudgetSpec(name="b", namespace="Team", calls=Counts(day=1)), "namespace"),
        (BudgetSpec(name="b", function="Hello", calls=Counts(day=1)), "function name"),
    ],
)
def test_a_budget_that_cannot_be_kept_is_refused(spec: BudgetSpec, said: str) -> None:
    with pytest.raises(DayflyError, match=said):
        spec.check()


@pytest.mark.parametrize(
    ("amount", "used", "left", "share"), [(10.0, 4.0, 6.0, 0.4), (10.0, 12.0, 0.0, 1.2), (0.0, 0.0, 0.0, 1.0)]
)
def test_what_is_left_is_never_less_than_nothing(amount: float, used: float, left: float, share: float) -> None:
    status = BudgetStatus(
        namespace="n", measure="calls", period="day", amount=amount, used=used, state="within", ends_unix_ms=0
    )
    assert (status.left, status.share) == (left, share)


@pytest.mark.parametrize("unknown", [{"cals": {"day": 1}}, {"calls": {"day": 1, "moth": 2}}])
def test_a_word_that_means_nothing_is_refused(unknown: dict[str, object]) -> None:
    with pytest.raises(msgspec.ValidationError, match="unknown field"):
        msgspec.convert({"name": "b", **unknown}, BudgetSpec)


def test_prices_make_money_of_use() -> None:
    prices = Prices.parse("call=0.5, cpu_second=2, gib_second=0.25, currency=EUR")
    assert prices.of(Used(calls=3, cpu_seconds=0.5, gib_seconds=4.0)) == 3.5
    assert prices.are_set
    assert not Prices.parse("currency=EUR").are_set
    assert Prices().of(Used(calls=9)) == 0.0


@pytest.mark.parametrize(
    "text", ["call", "call=x", "call=-1", "call=inf", "call=nan", "call=1,call=2", "calls=1", "currency=TOOLONGNAME"]
)
def test_what_is_no_price_is_refused(text: str) -> None:
    with pytest.raises(InvalidSpec):
        Prices.parse(text)
