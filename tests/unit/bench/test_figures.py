"""Figures: ratios are taken round by round, and the median decides a verdict."""

from collections.abc import Callable

import pytest
from bench.figures import Budget, Figure, Spread, difference, percentile, ratio


def test_ratio_is_taken_round_by_round() -> None:
    assert ratio(Spread((10, 40)), Spread((5, 10))).values == (2, 4)


def test_difference_is_taken_round_by_round() -> None:
    assert difference(Spread((10, 40)), Spread((5, 10))).values == (5, 30)


@pytest.mark.parametrize("combine", [ratio, difference])
def test_rounds_that_do_not_pair_are_refused(combine: Callable[[Spread, Spread], Spread]) -> None:
    with pytest.raises(ValueError, match="shorter"):
        combine(Spread((1, 2)), Spread((1,)))


def test_spread_tells_middle_and_ends() -> None:
    spread = Spread((3, 1, 8))
    assert (spread.lowest, spread.median, spread.highest) == (1, 3, 8)


@pytest.mark.parametrize(
    ("budget", "value", "verdict"),
    [
        (Budget(10), 10, "PASS"),
        (Budget(10), 10.1, "MISS"),
        (Budget(10, at_least=True), 10, "PASS"),
        (Budget(10, at_least=True), 9.9, "MISS"),
    ],
)
def test_budget_includes_its_limit(budget: Budget, value: float, verdict: str) -> None:
    assert _figure(Spread((value,)), budget).verdict == verdict


def test_median_decides_and_not_the_best_round() -> None:
    assert _figure(Spread((1, 20, 30)), Budget(10)).verdict == "MISS"


def test_no_budget_no_verdict() -> None:
    assert _figure(Spread((1,)), None).verdict == ""


@pytest.mark.parametrize(("percent", "value"), [(50, 50), (99, 99), (100, 100), (1, 1), (0.5, 1)])
def test_percentile_is_a_sample_of_nearest_rank(percent: float, value: float) -> None:
    assert percentile([float(number) for number in range(100, 0, -1)], percent) == value


@pytest.mark.parametrize(("samples", "percent"), [([], 50), ([1.0], 0), ([1.0], 101)])
def test_percentile_refuses_what_has_none(samples: list[float], percent: float) -> None:
    with pytest.raises(ValueError, match="percentile"):
        percentile(samples, percent)


def _figure(spread: Spread, budget: Budget | None) -> Figure:
    return Figure(group="g", what="w", unit="ms", spread=spread, budget=budget)
