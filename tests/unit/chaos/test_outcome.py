"""Outcomes: when a scenario counts as broken, how that is printed, and what the run then returns."""

import random

import msgspec
import pytest
from chaos.__main__ import play
from chaos.nemesis import KINDS, SLACK_S, Strike, rounds
from chaos.outcome import Outcome, Promise, counted, percentile
from chaos.scenarios import Scenario, find, names
from chaos.stage import Stage
from chaos.table import markdown_report, text_report

GOOD = Outcome(scenario="good", calls=10, promises=(Promise("it holds", True),))


def test_an_outcome_is_kept_when_nothing_is_broken() -> None:
    assert GOOD.kept
    assert msgspec.structs.replace(GOOD, failed={"502 replica_lost": 3}).kept, "an excused failure breaks nothing"


@pytest.mark.parametrize(
    "worse",
    [{"forbidden": 1}, {"state_lost": 1}, {"orphans": 1}, {"promises": (Promise("it holds", False, "it did not"),)}],
)
def test_each_of_the_standing_promises_can_break_it(worse: dict[str, object]) -> None:
    broken = msgspec.structs.replace(GOOD, **worse)
    assert not broken.kept
    text = text_report([GOOD, broken])
    assert text.count("BROKEN") == 3, "in its row, in the sum, and by name"


def test_the_documentation_has_the_same_rows() -> None:
    text = markdown_report([GOOD])
    assert "| good | 10 | 0 | 0 | 0 | 0 | 0 | kept |" in text.splitlines()
    assert "- kept: it holds" in text.splitlines()


def test_a_scenario_that_breaks_off_is_broken() -> None:
    def run(_stage: Stage) -> Outcome:
        raise RuntimeError("no platform")

    scenario = Scenario(name="x", about="", run=run, seconds=1.0, short_seconds=0.0)
    outcome = play(scenario, seed=1, seconds=1.0, short=True)
    assert [promise.detail for promise in outcome.broken] == ["RuntimeError: no platform"]


def test_every_scenario_can_be_found_and_says_what_it_is() -> None:
    assert {"crash", "drain", "planned"} <= set(names())
    for name in names():
        assert find(name).about.endswith((".", ":")), name


def test_figures_of_no_calls_are_none() -> None:
    assert percentile([], 99) == 0.0
    assert percentile([3.0, 1.0, 2.0], 50) == 2.0
    assert counted(["a", "b", "a"]) == {"a": 2, "b": 1}


def strike(kind: str) -> Strike:
    return Strike(kind=kind, function="f", began_s=1.0, dead_s=1.1, restored_s=1.6)


def test_each_kind_of_strike_excuses_what_it_must_and_no_more() -> None:
    assert strike("control").excuse is None
    for kind in set(KINDS) - {"control"}:
        excuse = strike(kind).excuse
        assert excuse is not None
        whole = kind in ("supervisor", "everything")
        assert excuse.until_s == pytest.approx((1.6 if whole else 1.1) + SLACK_S)
        assert (excuse.reasons == ("*",)) == whole
        assert excuse.functions == (("f",) if kind in ("replica", "template") else ())


def test_every_kind_has_its_turn_before_any_has_a_second() -> None:
    following = rounds(random.Random(1), KINDS)  # noqa: S311 - chance, not a secret
    for _ in range(3):
        assert sorted(following() for _ in KINDS) == sorted(KINDS)


def test_the_same_seed_chooses_the_same() -> None:
    first, second = (rounds(random.Random(7), KINDS) for _ in range(2))  # noqa: S311 - chance, not a secret
    assert [first() for _ in range(20)] == [second() for _ in range(20)]
