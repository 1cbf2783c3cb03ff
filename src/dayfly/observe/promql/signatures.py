"""What functions and aggregations take and give, and what of Prometheus' there is not."""

from dayfly.observe.promql.nodes import Kind

_V: tuple[Kind, ...] = ("vector",)
_M: tuple[Kind, ...] = ("matrix",)
_MATH = (
    "abs", "acos", "acosh", "asin", "asinh", "atan", "atanh", "ceil", "cos", "cosh", "deg", "exp", "floor", "ln",
    "log10", "log2", "rad", "sgn", "sin", "sinh", "sqrt", "tan", "tanh", "timestamp",
)  # fmt: skip
_RANGES = (
    "avg_over_time", "changes", "count_over_time", "delta", "deriv", "idelta", "increase", "irate", "last_over_time",
    "max_over_time", "min_over_time", "present_over_time", "rate", "resets", "stddev_over_time", "stdvar_over_time",
    "sum_over_time",
)  # fmt: skip
DATES = ("day_of_month", "day_of_week", "day_of_year", "days_in_month", "hour", "minute", "month", "year")


class Signature:
    """The kinds of a function's arguments; the last `optional` of them may be missing, the last may come again."""

    def __init__(
        self, takes: tuple[Kind, ...], gives: Kind = "vector", *, optional: int = 0, again: bool = False
    ) -> None:
        self.takes = takes
        self.gives = gives
        self.optional = optional
        self.again = again


FUNCTIONS: dict[str, Signature] = {
    **{name: Signature(_V) for name in (*_MATH, "absent", "sort", "sort_desc")},
    **{name: Signature(_M) for name in (*_RANGES, "absent_over_time")},
    **{name: Signature(_V, optional=1) for name in DATES},
    "clamp": Signature(("vector", "scalar", "scalar")),
    "clamp_max": Signature(("vector", "scalar")),
    "clamp_min": Signature(("vector", "scalar")),
    "histogram_quantile": Signature(("scalar", "vector")),
    "label_join": Signature(("vector", "string", "string", "string"), again=True, optional=1),
    "label_replace": Signature(("vector", "string", "string", "string", "string")),
    "pi": Signature((), "scalar"),
    "predict_linear": Signature(("matrix", "scalar")),
    "quantile_over_time": Signature(("scalar", "matrix")),
    "round": Signature(("vector", "scalar"), optional=1),
    "scalar": Signature(_V, "scalar"),
    "time": Signature((), "scalar"),
    "vector": Signature(("scalar",)),
}
AGGREGATIONS = (
    "avg", "bottomk", "count", "group", "max", "min", "quantile", "stddev", "stdvar", "sum", "topk",
)  # fmt: skip
WITH_PARAMETER = ("topk", "bottomk", "quantile")
MISSING = ("holt_winters", "count_values", "histogram_avg", "histogram_count", "histogram_fraction", "histogram_sum")
"""Those that Prometheus has and Dayfly has not."""
