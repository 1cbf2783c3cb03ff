"""A coarse tier says what the fine one said, in fewer samples."""

import math
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from dayfly.observe.history.reading import Unfolding
from dayfly.observe.history.rolling import Moment, Point, changed, rolled

VALUES = st.lists(st.one_of(st.none(), st.integers(0, 5).map(float)), min_size=1, max_size=24)


def changes_of(values: list[float | None]) -> list[Point]:
    found, before = [], None
    for at, value in enumerate(values):
        if value != before:
            found.append(Point(at, value))
        before = value
    return found


@given(values=VALUES, sizes=st.lists(st.integers(1, 5), min_size=24, max_size=24))
def test_nothing_is_lost_but_the_order_within_a_span(values: list[float | None], sizes: list[int]) -> None:
    """Lowest, highest, sum and number over everything are as before, as is the last value of each span."""
    points, ends = changes_of(values), [0]
    for size in sizes:
        ends.append(min(len(values), ends[-1] + size))
    unfolding, before, carried = Unfolding(()), None, None
    lasts = []
    for begin, end in pairwise(ends):
        if begin == end:
            continue
        span = [Moment(at, 1) for at in range(begin, end)]
        coarse = rolled(span, before, [point for point in points if begin <= point.at_ms < end])
        before = values[end - 1]
        lasts.append(next((value for value in reversed(values[begin:end]) if value is not None), None))
        unfolding.add([Moment(end - 1, end - begin)], [end - 1], carried, changed(coarse, carried))
        carried = coarse[-1].value if coarse else carried
    samples, there = unfolding.samples().living(), [value for value in values if value is not None]
    counts = samples.counts or [1] * len(samples.times)
    totals = samples.totals or samples.values
    assert sum(counts) == len(there)
    assert math.isclose(sum(value for value in totals if value is not None), sum(there))
    if there:
        assert min(value for value in samples.lows or samples.values if value is not None) == min(there)
        assert max(value for value in samples.highs or samples.values if value is not None) == max(there)
    assert [value for value in samples.values if value is not None] == [value for value in lasts if value is not None]


@settings(max_examples=40)
@given(values=VALUES)
def test_what_is_kept_of_a_series_is_enough_to_have_it_back(values: list[float | None]) -> None:
    """Every moment, with the value that held then."""
    unfolding = Unfolding(())
    unfolding.add([Moment(at, 1) for at in range(len(values))], list(range(len(values))), None, changes_of(values))
    found = unfolding.samples().living()
    assert dict(zip(found.times, found.values, strict=True)) == {
        at: value for at, value in enumerate(values) if value is not None
    }
