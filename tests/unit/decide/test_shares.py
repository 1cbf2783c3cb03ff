"""Shares of calls by weight."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from dayfly.decide.shares import Shares

WEIGHTS = st.lists(st.integers(0, 1000), min_size=1, max_size=20).filter(any)


@given(WEIGHTS, st.integers(0, 2**64))
def test_a_seed_always_falls_to_the_same_one_and_never_to_one_without_weight(weights: list[int], seed: int) -> None:
    picked = Shares(weights).pick(seed)
    assert Shares(weights).pick(seed) == picked
    assert weights[picked] > 0


@given(WEIGHTS)
def test_of_all_seeds_each_gets_exactly_its_share(weights: list[int]) -> None:
    shares = Shares(weights)
    counts = Counter(shares.pick(seed) for seed in range(sum(weights)))
    assert [counts[at] for at in range(len(weights))] == weights
