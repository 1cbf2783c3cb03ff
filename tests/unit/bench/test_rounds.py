"""Rounds: every side gets its turn in every round, and one that fails is out with its reason."""

from bench.loads import LoadFailed, Sample
from bench.rounds import Series, Side, alternate, paired


def test_sides_alternate_after_a_warm_up_of_each() -> None:
    order: list[tuple[str, float]] = []

    def side(name: str) -> Side:
        def load(seconds: float) -> Sample:
            order.append((name, seconds))
            return Sample(float(len(order)))

        return load

    series = _run({"a": side("a"), "b": side("b")}, rounds=2)
    assert order == [("a", 1), ("b", 1), ("a", 3), ("b", 3), ("a", 3), ("b", 3)]
    assert series.rates("a").values == (3, 5)
    assert series.rates("b").values == (4, 6)


def test_side_that_fails_in_a_later_round_leaves_no_figure_but_its_reason() -> None:
    calls = 0

    def failing(_: float) -> Sample:
        nonlocal calls
        calls += 1
        if calls == 3:
            raise LoadFailed("refused")
        return Sample(1)

    series = _run({"good": lambda _: Sample(2), "bad": failing}, rounds=3)
    assert "bad" not in series
    assert series.failures == {"bad": "refused"}
    assert calls == 3
    assert series.rates("good").values == (2, 2, 2)
    assert paired(series, ["good"])
    assert not paired(series, ["good", "bad"])


def _run(sides: dict[str, Side], rounds: int) -> Series:
    return alternate(sides, rounds=rounds, seconds=3, warm_up_s=1, say=lambda _: None)
