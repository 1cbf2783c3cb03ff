"""Numbers as Prometheus reckons with them: as Go does, where nothing raises and what has no value is NaN."""

import math
from collections.abc import Callable
from datetime import UTC, datetime

from dayfly.observe.promql.nodes import COMPARISONS


def binary(word: str) -> Callable[[float, float], float]:
    """Return what an operator between two numbers does; a comparison yields 1 or 0."""
    return _BINARY[word]


def unary(name: str) -> Callable[[float], float]:
    """Return what a function of one number does."""
    return _UNARY[name]


def rounded(value: float, to: float) -> float:
    """Round to a multiple, halves upwards."""
    inverse = _divided(1.0, to)
    return _divided(_floor(value * inverse + 0.5), inverse)


def clamped(value: float, least: float, most: float) -> float:
    """Return the value, or the bound that it is beyond; NaN with a bound that is NaN."""
    if math.isnan(least) or math.isnan(most):
        return math.nan
    return max(least, min(most, value)) if value == value else value


def _divided(one: float, other: float) -> float:
    if other == 0:
        return math.nan if one == 0 or math.isnan(one) else math.copysign(math.inf, one) * math.copysign(1, other)
    return one / other


def _modulo(one: float, other: float) -> float:
    try:
        return math.fmod(one, other)
    except ValueError:
        return math.nan


def _power(one: float, other: float) -> float:
    try:
        return math.pow(one, other)
    except OverflowError:
        return -math.inf if one < 0 and other % 2 == 1 else math.inf
    except ValueError:
        if one == 0:  # to a negative power
            return math.copysign(math.inf, one) if other % 2 == 1 else math.inf
        return math.nan


def _floor(value: float) -> float:
    return float(math.floor(value)) if math.isfinite(value) else value


def _ceil(value: float) -> float:
    return float(math.ceil(value)) if math.isfinite(value) else value


def _sign(value: float) -> float:
    return math.copysign(1.0, value) if value and value == value else value


def _safe(function: Callable[[float], float], at_zero: float = math.nan) -> Callable[[float], float]:
    def found(value: float) -> float:
        try:
            return function(value)
        except OverflowError:
            return math.copysign(math.inf, value) if function in (math.sinh,) else math.inf
        except ValueError:
            return at_zero if value == 0 else math.nan

    return found


def _arc_tangent(value: float) -> float:
    if abs(value) == 1:
        return math.copysign(math.inf, value)
    return _safe(math.atanh)(value)


def _date(value: float, of: Callable[[datetime], int]) -> float:
    try:
        return float(of(datetime.fromtimestamp(math.floor(value), UTC)))
    except (ValueError, OverflowError, OSError):
        return math.nan


def _days(at: datetime) -> int:
    following = at.replace(year=at.year + at.month // 12, month=at.month % 12 + 1, day=1)
    return (following.date() - at.replace(day=1).date()).days


_COMPARED: dict[str, Callable[[float, float], bool]] = {
    "==": lambda a, b: a == b, "!=": lambda a, b: a != b, ">": lambda a, b: a > b, "<": lambda a, b: a < b,
    ">=": lambda a, b: a >= b, "<=": lambda a, b: a <= b,
}  # fmt: skip
_BINARY: dict[str, Callable[[float, float], float]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": _divided,
    "%": _modulo,
    "^": _power,
    "atan2": math.atan2,
    **{word: (lambda a, b, word=word: float(_COMPARED[word](a, b))) for word in COMPARISONS},  # type: ignore[misc]  # a lambda's default has no type of its own
}
_UNARY: dict[str, Callable[[float], float]] = {
    "abs": abs, "ceil": _ceil, "floor": _floor, "sgn": _sign,
    "exp": _safe(math.exp), "ln": _safe(math.log, -math.inf), "log2": _safe(math.log2, -math.inf),
    "log10": _safe(math.log10, -math.inf), "sqrt": _safe(math.sqrt), "deg": math.degrees, "rad": math.radians,
    "sin": _safe(math.sin), "cos": _safe(math.cos), "tan": _safe(math.tan), "asin": _safe(math.asin),
    "acos": _safe(math.acos), "atan": math.atan, "sinh": _safe(math.sinh), "cosh": _safe(math.cosh),
    "tanh": math.tanh, "asinh": math.asinh, "acosh": _safe(math.acosh), "atanh": _arc_tangent,
    "day_of_month": lambda value: _date(value, lambda at: at.day),
    "day_of_week": lambda value: _date(value, lambda at: at.isoweekday() % 7),
    "day_of_year": lambda value: _date(value, lambda at: at.timetuple().tm_yday),
    "days_in_month": lambda value: _date(value, _days),
    "hour": lambda value: _date(value, lambda at: at.hour),
    "minute": lambda value: _date(value, lambda at: at.minute),
    "month": lambda value: _date(value, lambda at: at.month),
    "year": lambda value: _date(value, lambda at: at.year),
}  # fmt: skip
