"""A query's tree and the series that it asks for, made an answer.

All moments are reckoned together, a series after the other: labels are looked at once and not at each moment. The time,
the series and the bounds are arguments, and nothing here waits for anything.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence

from dayfly.observe.promql import arithmetic, joining, labelling, windows
from dayfly.observe.promql.aggregation import aggregated
from dayfly.observe.promql.faults import QueryFailed
from dayfly.observe.promql.histograms import bucket_quantile
from dayfly.observe.promql.leaves import Leaves, Loaded
from dayfly.observe.promql.nodes import Aggregate, Binary, Call, Negated, Node, Number, Selector, Text
from dayfly.observe.promql.series import Column, Labels, Tick, Value, excluding, without_name

_LE = frozenset(("le",))


def evaluate(node: Node, steps: Sequence[int], loaded: Mapping[Selector, Loaded], tick: Tick) -> list[Column]:
    """Return the series of a query that is a vector or a scalar, which has one without labels.

    `steps` are the moments in milliseconds since 1970. Raises QueryFailed, and what `tick` raises.
    """
    reckoner = _Reckoner(list(steps), loaded, tick)
    if node.kind == "scalar":
        return [Column((), list(reckoner.scalar(node)))]
    return [column for column in reckoner.vector(node) if any(value is not None for value in column.values)]


def spans(
    node: Node, at_ms: int, loaded: Mapping[Selector, Loaded], tick: Tick
) -> list[tuple[Labels, list[tuple[int, float]]]]:
    """Return the samples of a query that is a range, as it is at a moment; raises as `evaluate`."""
    return list(_Reckoner([at_ms], loaded, tick).leaves.spans(node))


class _Reckoner:
    def __init__(self, steps: list[int], loaded: Mapping[Selector, Loaded], tick: Tick) -> None:
        self._steps = steps
        self._tick = tick
        self.leaves = Leaves(steps, loaded, tick, lambda node, moments: _Reckoner(moments, loaded, tick).vector(node))

    def scalar(self, node: Node) -> list[float]:
        self._tick(len(self._steps))
        match node:
            case Number():
                return [node.value] * len(self._steps)
            case Negated():
                return [-value for value in self.scalar(node.operand)]
            case Binary():
                reckon = arithmetic.binary(node.word)
                return [reckon(*both) for both in zip(self.scalar(node.left), self.scalar(node.right), strict=True)]
            case Call(name="time"):
                return [step / 1000 for step in self._steps]
            case Call(name="pi"):
                return [3.141592653589793] * len(self._steps)
            case Call(name="scalar"):
                return self._lone(self.vector(node.arguments[0]))
        raise AssertionError(node)

    def vector(self, node: Node) -> list[Column]:
        match node:
            case Selector():
                return self.leaves.last(node, lambda samples, at: samples.values[at])
            case Negated():
                return self._each(self.vector(node.operand), lambda value: -value)
            case Aggregate():
                parameter = self.scalar(node.parameter) if node.parameter is not None else ()
                return aggregated(node, self.vector(node.operand), parameter, self._tick)
            case Binary():
                return self._binary(node)
            case Call():
                return self._call(node)
        raise AssertionError(node)

    def _binary(self, node: Binary) -> list[Column]:
        if node.left.kind == "scalar":
            found = joining.with_number(
                node, self.vector(node.right), self.scalar(node.left), swapped=True, tick=self._tick
            )
        elif node.right.kind == "scalar":
            found = joining.with_number(
                node, self.vector(node.left), self.scalar(node.right), swapped=False, tick=self._tick
            )
        else:
            found = joining.joined(node, self.vector(node.left), self.vector(node.right), self._tick)
        return _merged(found)

    def _call(self, node: Call) -> list[Column]:
        name, arguments = node.name, node.arguments
        if name in windows.FUNCTIONS:
            columns = self.leaves.over_time(arguments[0], windows.FUNCTIONS[name])
            return columns if name == "last_over_time" else _nameless(columns)
        match name:
            case "quantile_over_time" | "predict_linear":
                return _nameless(self._with_parameter(node))
            case "vector":
                return [Column((), list(self.scalar(arguments[0])))]
            case "absent" | "absent_over_time":
                return self._absent(node)
            case "histogram_quantile":
                return self._quantile(self.scalar(arguments[0]), self.vector(arguments[1]))
            case "label_replace":
                words = [_text(each) for each in arguments[1:]]
                return _merged(
                    labelling.replaced(self.vector(arguments[0]), words[0], words[1], words[2], words[3], self._tick)
                )
            case "label_join":
                words = [_text(each) for each in arguments[1:]]
                return _merged(labelling.connected(self.vector(arguments[0]), words[0], words[1], words[2:]))
            case "sort" | "sort_desc":
                return _sorted(self.vector(arguments[0]), 1 if name == "sort" else -1)
            case "timestamp":
                return _nameless(self._timestamps(arguments[0]))
            case "round" | "clamp" | "clamp_min" | "clamp_max":
                return self._bounded(node)
        columns = self.vector(arguments[0]) if arguments else [Column((), [step / 1000 for step in self._steps])]
        return self._each(columns, arithmetic.unary(name))

    def _with_parameter(self, node: Call) -> list[Column]:
        """A function of a span and of a number, which may be another at each moment."""
        forecast = node.name == "predict_linear"
        numbers = self.scalar(node.arguments[1 if forecast else 0])
        by_moment = dict(zip(self._steps, numbers, strict=True))

        def foreseen(span: windows.Span) -> Value:
            found = windows.line(span, span.asked_ms)
            return None if found is None else found[1] + found[0] * by_moment[span.asked_ms]

        def ranked(span: windows.Span) -> Value:
            return windows.quantile_over_time(by_moment[span.asked_ms])(span)

        function, ranged = (foreseen, node.arguments[0]) if forecast else (ranked, node.arguments[1])
        return self.leaves.over_time(ranged, function, alike=False)

    def _bounded(self, node: Call) -> list[Column]:
        columns, numbers = self.vector(node.arguments[0]), [self.scalar(each) for each in node.arguments[1:]]
        if node.name == "round":
            to = numbers[0] if numbers else [1.0] * len(self._steps)
            return self._with(columns, lambda value, at: arithmetic.rounded(value, to[at]))
        least = numbers[0] if node.name != "clamp_max" else [-float("inf")] * len(self._steps)
        most = numbers[-1] if node.name != "clamp_min" else [float("inf")] * len(self._steps)

        def clamped(value: float, at: int) -> Value:
            return None if most[at] < least[at] else arithmetic.clamped(value, least[at], most[at])

        return self._with(columns, clamped)

    def _with(self, columns: Sequence[Column], reckon: Callable[[float, int], Value]) -> list[Column]:
        self._tick(len(columns) * len(self._steps))
        return _nameless(
            Column(
                column.labels,
                [None if value is None else reckon(value, at) for at, value in enumerate(column.values)],
            )
            for column in columns
        )

    def _each(self, columns: Sequence[Column], reckon: Callable[[float], float]) -> list[Column]:
        return self._with(columns, lambda value, _at: reckon(value))

    def _lone(self, columns: Sequence[Column]) -> list[float]:
        found = []
        for at in range(len(self._steps)):
            there = [value for column in columns if (value := column.values[at]) is not None]
            found.append(there[0] if len(there) == 1 else float("nan"))
        return found

    def _timestamps(self, node: Node) -> list[Column]:
        if isinstance(node, Selector):
            return self.leaves.last(node, lambda samples, at: samples.times[at] / 1000)
        moments = [step / 1000 for step in self._steps]
        return self._with(self.vector(node), lambda _value, at: moments[at])

    def _absent(self, node: Call) -> list[Column]:
        argument = node.arguments[0]
        columns = (
            self.vector(argument) if node.name == "absent"
            else self.leaves.over_time(argument, windows.FUNCTIONS["present_over_time"])
        )  # fmt: skip
        is_there = [any(column.values[at] is not None for column in columns) for at in range(len(self._steps))]
        return [Column(labelling.of_absent(argument), [None if there else 1.0 for there in is_there])]

    def _quantile(self, at: Sequence[float], columns: Sequence[Column]) -> list[Column]:
        groups: dict[Labels, list[tuple[float, Column]]] = {}
        for column in columns:
            bound = _bound(dict(column.labels).get("le", ""))
            if bound is not None:
                groups.setdefault(excluding(column.labels, _LE), []).append((bound, column))
        found = []
        for labels, group in groups.items():
            self._tick(len(group) * len(self._steps))
            values: list[Value] = []
            for step, wanted in enumerate(at):
                buckets = [(bound, value) for bound, each in group if (value := each.values[step]) is not None]
                values.append(bucket_quantile(wanted, buckets) if buckets else None)
            found.append(Column(labels, values))
        return found


def _merged(columns: Sequence[Column]) -> list[Column]:
    """Make one of columns of the same labels. Raises QueryFailed where two have a value at one moment."""
    found: dict[Labels, Column] = {}
    for column in columns:
        known = found.get(column.labels)
        if known is None:
            found[column.labels] = column
            continue
        both = list(zip(known.values, column.values, strict=True))
        if any(one is not None and other is not None for one, other in both):
            raise QueryFailed("vector cannot contain metrics with the same labelset")
        found[column.labels] = Column(column.labels, [one if other is None else other for one, other in both])
    return list(found.values())


def _nameless(columns: Iterable[Column]) -> list[Column]:
    return _merged([Column(without_name(column.labels), column.values) for column in columns])


def _sorted(columns: list[Column], sign: int) -> list[Column]:
    if any(len(column.values) != 1 for column in columns):
        return columns  # over several moments there is no order

    def order(column: Column) -> tuple[bool, float]:
        value = column.values[0] if column.values[0] is not None else float("nan")
        return value != value, sign * value

    return sorted(columns, key=order)


def _bound(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _text(node: Node) -> str:
    assert isinstance(node, Text)
    return node.value
