"""A canary's judge: quick with what is bad, deaf to luck."""

import random
from bisect import bisect_left

import pytest

from dayfly.decide.canary import Tally, Trial, judge
from dayfly.model.rollout import Canary
from dayfly.model.table import CANARY_BUCKETS_S, RevisionLoad

POLICY = Canary(weight=10)


def load(calls: int, failed: int = 0, latencies: tuple[float, ...] = ()) -> RevisionLoad:
    buckets = [0] * (len(CANARY_BUCKETS_S) + 1)
    for latency in latencies or (0.01,) * calls:
        buckets[bisect_left(CANARY_BUCKETS_S, latency)] += 1
    return RevisionLoad(1, calls, failed, tuple(buckets))


def trial(ours: RevisionLoad, theirs: RevisionLoad) -> Trial:
    made = Trial(0.0)
    made.candidate.add(ours)
    made.serving.add(theirs)
    return made


def verdict(ours: RevisionLoad, theirs: RevisionLoad, policy: Canary = POLICY, now: float = 1.0) -> str:
    return judge(policy, trial(ours, theirs), now).verdict


def test_calls_that_all_fail_are_noticed_with_the_first_that_count() -> None:
    assert verdict(load(49, 49), load(450)) == "watch"
    assert verdict(load(50, 50), load(450)) == "return"
    assert verdict(load(50, 50), load(49)) == "watch", "there is nothing to compare with yet"


def test_as_many_failures_on_both_sides_are_not_the_candidates() -> None:
    assert verdict(load(1000, 200), load(1000, 200)) == "watch"
    assert verdict(load(1000, 200), load(1000, 200), now=300) == "promote"
    assert verdict(load(1000, 0), load(1000, 500), now=300) == "promote"


def test_more_failures_than_the_policy_bears() -> None:
    patient = Canary(weight=10, errors=20)
    assert verdict(load(1000, 150), load(1000)) == "return"
    assert verdict(load(1000, 150), load(1000), patient) == "watch"
    assert verdict(load(1000, 150), load(1000), patient, now=300) == "promote"


def test_what_looks_worse_but_may_be_luck_is_watched_beyond_the_window() -> None:
    assert verdict(load(50, 2), load(450), now=1000) == "watch"
    assert verdict(load(500, 20), load(4500), now=1000) == "return"
    assert verdict(load(500, 2), load(4500), now=1000) == "promote"


def test_slower_calls() -> None:
    assert verdict(load(100, latencies=(0.1,) * 100), load(100)) == "return"
    assert verdict(load(100, latencies=(0.012,) * 100), load(100)) == "watch", "less than half as long again"
    off = Canary(weight=10, p95=0)
    assert verdict(load(100, latencies=(0.1,) * 100), load(100), off, now=300) == "promote"


def test_less_than_a_millisecond_is_not_slower() -> None:
    assert verdict(load(1000, latencies=(0.0009,) * 1000), load(1000, latencies=(0.0002,) * 1000), now=300) == "promote"


def test_few_slow_calls_are_within_the_percentile() -> None:
    slow = load(1000, latencies=(1.0,) * 40 + (0.01,) * 960)
    assert verdict(slow, load(1000), now=300) == "promote"


def test_a_judgement_tells_the_figures() -> None:
    reason = judge(POLICY, trial(load(100, 50), load(900)), 1).reason
    assert reason.startswith("its calls failed more often: 50 % of 100 calls failed, p95")
    assert "against 0 % of 900 calls failed" in reason
    assert "no call" in judge(POLICY, Trial(0.0), 1).reason


def test_without_promotion_it_is_watched_for_ever() -> None:
    assert verdict(load(100), load(100), Canary(weight=10, promote=False), now=1e6) == "watch"


@pytest.mark.parametrize("share", [0.0, 0.5, 0.9, 0.95, 0.99, 1.0])
def test_quantiles_are_within_a_bucket_of_the_truth(share: float) -> None:
    chance = random.Random(7)  # noqa: S311 - chance, not a secret
    latencies = sorted(chance.lognormvariate(-4, 1) for _ in range(2000))
    tally = Tally()
    tally.add(load(2000, latencies=tuple(latencies)))
    truth = latencies[min(1999, int(share * 2000))]
    assert truth / 1.25 <= tally.quantile(share) <= truth * 1.25


def test_a_quantile_of_nothing_and_of_what_is_off_the_scale() -> None:
    tally = Tally()
    assert tally.quantile(0.95) == 0
    tally.add(load(10, latencies=(1e6,) * 10))
    assert tally.quantile(0.95) == pytest.approx(CANARY_BUCKETS_S[-1])


LATENCIES = [0.001 * 1.05**step for step in range(100)]


def looks(chance: random.Random, ours: float, theirs: float, slower: float = 1.0) -> str:
    """Play a canary of 150 looks, with ten calls of its own at each; return how it ended."""
    made = Trial(0.0)
    for second in range(150):
        for tally, calls, share, factor in ((made.candidate, 10, ours, slower), (made.serving, 90, theirs, 1.0)):
            failed = sum(chance.random() < share for _ in range(calls))
            tally.add(load(calls, failed, tuple(factor * chance.choice(LATENCIES) for _ in range(calls))))
        judgement = judge(POLICY, made, float(second))
        if judgement.verdict != "watch":
            return judgement.verdict
    return judge(POLICY, made, 300.0).verdict


@pytest.mark.parametrize("share", [0.0, 0.002, 0.02, 0.2])
def test_luck_returns_no_good_revision(share: float) -> None:
    chance = random.Random(11)  # noqa: S311 - chance, not a secret
    assert [looks(chance, share, share) for _ in range(8)].count("return") == 0


def test_what_is_really_worse_is_returned() -> None:
    chance = random.Random(13)  # noqa: S311 - chance, not a secret
    assert [looks(chance, 0.1, 0.0) for _ in range(10)] == ["return"] * 10
    assert [looks(chance, 0.0, 0.0, slower=2.0) for _ in range(10)] == ["return"] * 10
