"""The history as rules of PromQL ask it: a namespace's of its own series alone, the installation's of all.

Where the operator has a Prometheus, the installation's rules are answered by that; it knows no namespaces of ours, so a
namespace's rules never are.
"""

import msgspec

from dayfly.model.errors import InvalidRequest, Unavailable
from dayfly.observe.alerts.readings import Element
from dayfly.observe.history.past import Past
from dayfly.observe.history.remote import Prometheus
from dayfly.observe.promql.nodes import Text
from dayfly.observe.promql.parser import parse


class _Theirs(msgspec.Struct, frozen=True):
    metric: dict[str, str] = {}
    value: tuple[float, str] = (0.0, "NaN")


class _Data(msgspec.Struct, frozen=True, rename="camel"):
    result_type: str = ""
    result: msgspec.Raw = msgspec.Raw(b"[]")


class _Reply(msgspec.Struct, frozen=True):
    status: str
    data: _Data = _Data()
    error: str = ""


class PastHistory:
    """Answers expressions of PromQL."""

    def __init__(self, past: Past) -> None:
        self._past = past

    def check(self, expr: str, namespace: str = "") -> None:
        """Refuse an expression that cannot be read, or is no vector. Raises InvalidRequest."""
        if self._past.prometheus is not None and not namespace:
            return  # It may know more of the language than we do.
        tree = parse(expr)
        if isinstance(tree, Text) or tree.kind not in ("vector", "scalar"):
            raise InvalidRequest("expr: the expression must come to a vector, as most do without a range at their end")

    async def instant(self, expr: str, namespace: str = "") -> list[Element]:
        """Return what an expression comes to now. Raises InvalidRequest, LimitExceeded, NotSupported, Unavailable."""
        if self._past.prometheus is not None and not namespace:
            return await _ask(self._past.prometheus, expr)
        answer = await self._past.at_moment(expr, namespace or None, None)
        if answer.kind not in ("vector", "scalar"):
            raise InvalidRequest(f"The expression comes to a {answer.kind}, and not to a vector")
        return [Element(dict(line.labels), line.points[-1][1]) for line in answer.lines if line.points]


async def _ask(prometheus: Prometheus, expr: str) -> list[Element]:
    reply = await prometheus.ask("/api/v1/query", [("query", expr)])
    try:
        read = msgspec.json.decode(reply.body, type=_Reply)
        if read.status != "success":
            raise InvalidRequest(f"Prometheus says: {read.error[:300]}")
        if read.data.result_type == "scalar":
            _, number = msgspec.json.decode(read.data.result, type=tuple[float, str])
            return [Element({}, float(number))]
        if read.data.result_type != "vector":
            raise InvalidRequest(f"The expression comes to a {read.data.result_type[:20]}, and not to a vector")
        found = msgspec.json.decode(read.data.result, type=list[_Theirs])
        return [Element(each.metric, float(each.value[1])) for each in found]
    except (msgspec.MsgspecError, ValueError) as error:
        raise Unavailable(f"what the Prometheus answered cannot be read: {error}") from error
