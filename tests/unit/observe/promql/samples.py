"""Samples with what makes answers differ: counters that fall, gaps, series that begin late, histograms, odd values."""

import random
from collections.abc import Iterator

from dayfly.observe.promql.evaluate import evaluate, spans
from dayfly.observe.promql.leaves import LOOKBACK_MS, Loaded
from dayfly.observe.promql.nodes import NAME, Node, Selector
from dayfly.observe.promql.parser import parse
from dayfly.observe.promql.pattern import Pattern
from dayfly.observe.promql.reach import Reach, reaches
from dayfly.observe.promql.series import Column, Labels, Samples

BEGIN_MS = 1_700_000_000_000
END_MS = BEGIN_MS + 3_600_000
_CODES = ("200", "404", "500")
_BOUNDS = ("0.005", "0.1", "1", "10", "+Inf")


def labels_of(name: str, **labels: str) -> Labels:
    """Return labels as series have them."""
    return tuple(sorted({NAME: name, **labels}.items()))


def made() -> list[Samples]:
    """Return the series, the same each time."""
    chance = random.Random(7)  # noqa: S311 - the same numbers each time
    found = []
    for function in ("hello.default", "resize.default", "hello.acme"):
        for code in _CODES:
            values, value = [], float(chance.randrange(40))
            for _ in range(361):
                value = value + chance.choice((0, 0, 1, 2, 7)) if chance.random() > 0.02 else float(chance.randrange(3))
                values.append(value)
            found.append(_kept("calls_total", values, chance, function_name=function, code=code))
        found.append(
            _kept("replicas", [float(chance.randrange(4)) for _ in range(361)], chance, function_name=function)
        )
        level, memory = 1e8, []
        for _ in range(361):
            level += chance.uniform(-4e6, 5e6)
            memory.append(level)
        found.append(_kept("memory_bytes", memory, chance, function_name=function, kind="used"))
        counts = [0.0] * len(_BOUNDS)
        histories: list[list[float]] = [[] for _ in _BOUNDS]
        for _ in range(361):
            for at in range(chance.randrange(len(_BOUNDS)), len(_BOUNDS)):
                counts[at] += 1
            for history, count in zip(histories, counts, strict=True):
                history.append(count)
        for bound, history in zip(_BOUNDS, histories, strict=True):
            times = [BEGIN_MS + at * 10_000 for at in range(361)]
            found.append(Samples(labels_of("seconds_bucket", function_name=function, le=bound), times, list(history)))
    odd = [float("nan"), float("inf"), -1.5, 0.0, -0.0, 3.0]
    found.append(_kept("odd", [chance.choice(odd) for _ in range(361)], chance))
    return found


def _kept(name: str, values: list[float], chance: random.Random, **labels: str) -> Samples:
    """Take some of them out: one now and then, and once a good while."""
    gap, begin = chance.randrange(361), chance.choice((0, 0, 60))
    kept = [
        at for at in range(begin, 361)
        if chance.random() > 0.05 and not (gap <= at < gap + 45)
    ]  # fmt: skip
    return Samples(labels_of(name, **labels), [BEGIN_MS + at * 10_000 for at in kept], [values[at] for at in kept])


def openmetrics(series: list[Samples]) -> Iterator[str]:
    """The samples as promtool reads them."""
    for name in sorted({dict(one.labels)[NAME] for one in series}):
        yield f"# TYPE {name} unknown\n"
        for one in series:
            if dict(one.labels)[NAME] == name:
                inner = ",".join(f'{label}="{value}"' for label, value in one.labels if label != NAME)
                for moment, value in zip(one.times, one.values, strict=True):
                    yield f"{name}{{{inner}}} {value!r} {moment / 1000}\n".replace("nan", "NaN").replace("inf ", "Inf ")
    yield "# EOF\n"


def fitting(selector: Selector, series: list[Samples]) -> list[Samples]:
    """Return the series that a selector means."""
    found = series
    for matcher in selector.matchers:
        wanted = Pattern(matcher.value) if matcher.word in ("=~", "!~") else None
        found = [
            one
            for one in found
            for text in (dict(one.labels).get(matcher.label, ""),)
            if (text == matcher.value if wanted is None else wanted.matches(text)) == (matcher.word in ("=", "=~"))
        ]
    return found


def answer(query: str, steps: list[int], series: list[Samples]) -> list[Column]:
    """Return what the series come to."""
    tree = parse(query, steps[0], steps[-1])
    return evaluate(tree, steps, loaded(tree, steps, series), lambda _amount: None)


def ranges(query: str, at_ms: int, series: list[Samples]) -> dict[Labels, list[tuple[int, float]]]:
    """Return the samples that a query of a range means."""
    tree = parse(query, at_ms, at_ms)
    return dict(spans(tree, at_ms, loaded(tree, [at_ms], series), lambda _amount: None))


def loaded(tree: Node, steps: list[int], series: list[Samples]) -> dict[Selector, Loaded]:
    """Return what each selector needs and nothing else."""
    step_ms = steps[1] - steps[0] if steps[1:] else 0
    found = {}
    for selector, reach in reaches(tree, Reach(steps[0], steps[-1], step_ms)).items():
        back_ms = selector.range_ms or LOOKBACK_MS
        fits = [_cut(one, reach.first_ms - back_ms, reach.last_ms) for one in fitting(selector, series)]
        found[selector] = Loaded(fits)
    return found


def _cut(one: Samples, from_ms: int, to_ms: int) -> Samples:
    low, high = one.within(from_ms, to_ms)
    return Samples(one.labels, one.times[low:high], one.values[low:high])
