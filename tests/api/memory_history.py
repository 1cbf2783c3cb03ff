"""A history in which every function that is deployed has one series, whose value is 1."""

from collections.abc import Callable, Iterable

from dayfly.model.names import FunctionKey
from dayfly.observe.history.queries import Answer, Extent, Line
from dayfly.observe.history.remote import Prometheus
from dayfly.observe.history.shelf import Family
from dayfly.observe.promql.nodes import NAME
from dayfly.observe.promql.parser import parse, parse_selector
from dayfly.observe.promql.series import Labels


class MemoryHistory:
    """Knows which functions there are; queries are read as they are everywhere, and each means all that may be seen."""

    prometheus: Prometheus | None = None

    def __init__(self, functions: Callable[[], Iterable[FunctionKey]]) -> None:
        self._functions = functions

    async def at_moment(self, query: str, namespace: str | None, at_ms: int | None) -> Answer:
        parse(query)
        return Answer("vector", tuple(Line(labels, ((at_ms or 0, 1.0),)) for labels in self._seen(namespace)))

    async def over_span(self, query: str, extent: Extent, step_ms: int) -> Answer:
        del step_ms
        parse(query)
        lines = tuple(Line(labels, ((extent.from_ms, 1.0),)) for labels in self._seen(extent.namespace))
        return Answer("matrix", lines)

    async def series(self, selectors: list[str], extent: Extent) -> list[Labels]:
        for each in selectors:
            parse_selector(each)
        return self._seen(extent.namespace)

    async def families(self) -> list[Family]:
        return [Family("up", "gauge", "Whether it is there.")]

    def _seen(self, namespace: str | None) -> list[Labels]:
        return [
            ((NAME, "up"), ("function_name", str(key)))
            for key in sorted(self._functions(), key=str)
            if namespace in (None, key.namespace)
        ]
