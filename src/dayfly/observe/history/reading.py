"""Samples made of what is kept: at every moment that there was, the value that held then."""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence

from dayfly.observe.history.rolling import Moment, Point
from dayfly.observe.promql.series import Labels, Samples, Value


class Unfolding:
    """The samples of one series, put together segment by segment, the oldest first."""

    def __init__(self, labels: Labels) -> None:
        self._labels = labels
        self._times: list[int] = []
        self._values: list[Value] = []
        self._lows: list[float] = []
        self._highs: list[float] = []
        self._totals: list[float] = []
        self._counts: list[int] = []
        self._is_rolled = False

    def add(self, moments: Sequence[Moment], times: Sequence[int], before: Value, points: Sequence[Point]) -> None:
        """Add a segment: its moments, and their times alone; the value when it begins; the changes within."""
        value, place = before, 0
        for point in points:
            upto = bisect_left(times, point.at_ms, place)
            self._carry(moments[place:upto], times[place:upto], value)
            place = bisect_right(times, point.at_ms, upto)
            if point.value is not None or value is not None:
                number = moments[upto].number if upto < place else 1
                self._put(point, number if point.number is None else point.number)
            value = point.value
        self._carry(moments[place:], times[place:], value)

    def samples(self) -> Samples:
        """Return them."""
        if not self._is_rolled:
            return Samples(self._labels, self._times, self._values)
        return Samples(
            self._labels,
            self._times,
            self._values,
            lows=self._lows,
            highs=self._highs,
            totals=self._totals,
            counts=self._counts,
        )

    def _carry(self, moments: Sequence[Moment], times: Sequence[int], value: Value) -> None:
        if value is None:
            return
        self._times.extend(times)
        self._values.extend([value] * len(times))
        self._lows.extend([value] * len(times))
        self._highs.extend([value] * len(times))
        self._totals.extend([value * moment.number for moment in moments])
        self._counts.extend([moment.number for moment in moments])
        self._is_rolled = self._is_rolled or any(moment.number > 1 for moment in moments)

    def _put(self, point: Point, number: int) -> None:
        value = point.value if point.value is not None else 0.0
        self._times.append(point.at_ms)
        self._values.append(point.value)
        self._lows.append(value if point.low is None else point.low)
        self._highs.append(value if point.high is None else point.high)
        self._totals.append(value * number if point.total is None else point.total)
        self._counts.append(number)
        self._is_rolled = self._is_rolled or number > 1
