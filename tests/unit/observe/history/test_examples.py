"""The queries of docs/history.md, each asked of a store that has what they are about."""

import re
from pathlib import Path

from tests.unit.observe.history.figures import calls, kept, memory, played, scrape
from tests.unit.observe.history.test_store import at

from dayfly.observe.family import Family
from dayfly.observe.history.store import HistoryStore
from dayfly.observe.promql.signatures import AGGREGATIONS, FUNCTIONS

PAGE = Path(__file__).resolve().parents[4] / "docs" / "history.md"
HELLO = "hello.openfaas-fn"


def gauge(name: str, **labels: float) -> Family:
    """One of a function, or by `kind` or `mode`."""
    return Family(name, "gauge", "", tuple(("", {"kind": kind}, value) for kind, value in labels.items()))


def figures(step: int) -> tuple[Family, ...]:
    """What a platform has that is called."""
    about = {"function_name": HELLO}
    buckets = [("_bucket", {**about, "code": "200", "le": le}, step * part) for le, part in (("0.1", 1), ("+Inf", 2))]
    return (
        calls(HELLO, 3.0 * step), calls(HELLO, float(step), code="500"), memory(HELLO, 1e6),
        Family("gateway_functions_seconds", "histogram", "", tuple(buckets)),
        *(
            Family(f"dayfly_function_{name}", "gauge", "", (("", about, 1.0),))
            for name in ("inflight", "waiting", "replicas_ready")
        ),
        Family("dayfly_machine_cpu_seconds_total", "counter", "", (("", {"mode": "idle"}, step * 7.0),)),
        Family("dayfly_machine_cpu_cores", "gauge", "", (("", {}, 2.0),)),
        gauge("dayfly_machine_disk_bytes", total=100, used=step, available=100 - step),
    )  # fmt: skip


def test_every_query_of_the_page_has_an_answer(tmp_path: Path) -> None:
    (block,) = re.findall(r"```promql\n(.*?)```", PAGE.read_text(), re.DOTALL)

    async def story(store: HistoryStore) -> None:
        await kept(store, *(scrape(step * 10, *figures(step)) for step in range(1, 13)))
        silent = [
            query for query in block.splitlines()
            if not any(line.points for line in (await store.at_moment(query, at(120))).lines)
        ]  # fmt: skip
        assert silent == []

    assert len(block.splitlines()) > 10
    played(tmp_path / "h.db", story)


def test_the_page_names_every_function_and_aggregation() -> None:
    page = PAGE.read_text().partition("## PromQL")[2].partition("Answers are those")[0]
    words = set(re.findall(r"\w+", page))
    over_time = {name.removesuffix("_over_time") for name in FUNCTIONS if name.endswith("_over_time")}
    trigonometry = {"acos", "acosh", "asin", "asinh", "atan", "atanh", "cos", "cosh", "sin", "sinh", "tan", "tanh"}
    plain = {name for name in FUNCTIONS if not name.endswith("_over_time")} - trigonometry
    assert plain | over_time | set(AGGREGATIONS) <= words
