"""The same queries of the same samples, asked of Debian's Prometheus and of ours."""

import contextlib
import json
import math
import re
import shutil
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.observe.promql.samples import BEGIN_MS, END_MS, answer, made, openmetrics, ranges

from dayfly.model.errors import InvalidRequest
from dayfly.observe.promql.series import Column, Samples

pytestmark = pytest.mark.skipif(
    not (shutil.which("prometheus") and shutil.which("promtool")), reason="Debian's prometheus is not installed"
)
RANGE = list(range(BEGIN_MS - 60_000, END_MS + 400_000, 95_000))
QUERIES = (
    "calls_total",
    'calls_total{code="200"}',
    'calls_total{code!="200",function_name=~"hello\\\\..*"}',
    'calls_total{code!~"2..|404"}',
    '{__name__=~"calls_.+|replicas",function_name="hello.acme"}',
    'calls_total{nothing=""}',
    "calls_total offset 5m",
    "calls_total offset -90s",
    "rate(calls_total[5m])",
    "rate(calls_total[25s])",
    "increase(calls_total[10m])",
    "increase(calls_total[40m] offset 3m)",
    "irate(calls_total[1m])",
    "delta(memory_bytes[5m])",
    "idelta(memory_bytes[1m])",
    "deriv(memory_bytes[5m])",
    "predict_linear(memory_bytes[10m], 600)",
    "resets(calls_total[30m])",
    "changes(replicas[10m])",
    *(
        f"{name}_over_time(memory_bytes[7m])"
        for name in ("avg", "min", "max", "sum", "count", "stddev", "stdvar", "last", "present")
    ),
    *(f"{name}_over_time(odd[2m])" for name in ("min", "max", "count", "last", "present")),
    "quantile_over_time(0.9, replicas[10m])",
    "absent_over_time(memory_bytes[1m])",
    "absent(nothing)",
    'absent(nothing{a="b",c=~"d",a="e"})',
    "absent(calls_total)",
    "sum(calls_total)",
    "sum by (code) (rate(calls_total[5m]))",
    "sum(rate(calls_total[5m])) without (code)",
    "sum by (__name__) (replicas)",
    "avg by (function_name) (calls_total)",
    "min(memory_bytes)",
    "max without (kind) (memory_bytes)",
    "max(odd)",
    "count by (code) (calls_total > 20)",
    "group(replicas)",
    "stddev(memory_bytes)",
    "stdvar by (function_name) (calls_total)",
    "quantile(0.3, calls_total)",
    "quantile by (code) (0.9, calls_total)",
    "topk(2, memory_bytes)",
    "bottomk(1, memory_bytes)",
    "topk(0, memory_bytes)",
    "histogram_quantile(0.95, seconds_bucket)",
    "histogram_quantile(0.5, sum by (le) (rate(seconds_bucket[5m])))",
    "histogram_quantile(0, sum by (le, function_name) (increase(seconds_bucket[3m])))",
    "histogram_quantile(1.1, seconds_bucket)",
    "calls_total + 1",
    "2 ^ calls_total",
    "calls_total % 7 - 3",
    "-calls_total ^ 2",
    "1 / odd",
    "odd % 0",
    "odd ^ -1",
    "odd == odd",
    "odd > bool 0",
    "replicas > 2",
    "2 < replicas",
    "replicas >= bool 2",
    'calls_total{code="200"} / ignoring(code) calls_total{code="500"}',
    'calls_total{code="500"} / ignoring(code) group_left sum by (function_name) (calls_total)',
    "calls_total * on(function_name) group_left(kind) memory_bytes",
    "memory_bytes * on(function_name) group_right() calls_total",
    "calls_total / on(function_name) replicas",
    'calls_total{code="200"} > ignoring(code) calls_total{code="500"}',
    'calls_total{code="200"} > bool on(function_name) calls_total{code="500"}',
    "calls_total and on(function_name) replicas > 1",
    "calls_total unless on(function_name) replicas > 1",
    "replicas > 2 or memory_bytes",
    "replicas > 2 or on() vector(0)",
    "calls_total + calls_total",
    "rate({__name__=~\"calls_total|replicas\",code=~\"|200\"}[5m])",
    "abs(odd)", "ceil(memory_bytes / 3e6)", "floor(-memory_bytes / 3e6)", "round(memory_bytes, 1000)", "round(odd)",
    "clamp(replicas, 1, 2)", "clamp(replicas, 3, 2)", "clamp_min(odd, 1)", "clamp_max(replicas, 1)", "sgn(odd)",
    "exp(replicas)", "ln(odd)", "log2(odd)", "log10(replicas)", "sqrt(odd)", "atan(odd)", "atanh(replicas / 2)",
    "replicas atan2 calls_total", "deg(odd)", "sinh(replicas)", "pi()",
    "time()", "vector(time() % 60)", "scalar(sum(replicas)) + 1", "scalar(replicas)",
    "timestamp(replicas)", "timestamp(replicas + 0)",
    "hour()", "minute(vector(time()))", "day_of_week()", "day_of_month()", "days_in_month()", "day_of_year()",
    "month()", "year()",
    'label_replace(replicas, "ns", "$2", "function_name", "(.*)\\\\.(.*)")',
    'label_replace(replicas, "ns", "${1}x", "function_name", "hello.*")',
    'label_replace(replicas, "function_name", "", "function_name", ".*acme")',
    'label_replace(calls_total, "code", "x", "code", ".*")',
    'label_join(calls_total, "both", "-", "function_name", "code")',
    "sort(memory_bytes)", "sort_desc(memory_bytes)",
    "sum(rate(calls_total{code=~\"5..\"}[5m])) / sum(rate(calls_total[5m])) > 0.2",
    "max_over_time(rate(calls_total[5m])[20m:1m])",
    "min_over_time(calls_total[5m:])",
    "avg_over_time((memory_bytes / 3)[10m:45s] offset 2m)",
    "count_over_time(sum by (code) (calls_total)[7m:13s])",
    "count_over_time(replicas[30s:1m])",
    "rate(calls_total[10m:20s])",
    "increase(sum(calls_total)[10m:1m] offset -1m)",
    "last_over_time(calls_total[3m:1m])",
    "deriv(max_over_time(memory_bytes[2m])[9m:30s])",
    "predict_linear(memory_bytes[10m:1m] offset 1m, 600)",
    "quantile_over_time(0.7, (replicas * 2)[10m:1m])",
    "absent_over_time(replicas{function_name=\"none\"}[5m:1m])",
    "absent_over_time(memory_bytes[1m:10s])",
    "max_over_time(min_over_time(rate(calls_total[2m])[5m:30s])[20m:4m])",
    "stddev_over_time((calls_total offset 3m)[10m:1m] offset 2m)",
    "max_over_time((time() + 0 * sum(replicas))[5m:1m])",
    "avg_over_time((replicas > 1)[10m:])",
    "sum_over_time(count(odd == odd)[10m:1m])",
    f"calls_total @ {BEGIN_MS // 1000 + 1000}",
    f"calls_total @ {BEGIN_MS // 1000 + 1000}.5 offset 1m",
    f"calls_total offset -1m @ +{BEGIN_MS // 1000 + 1000}",
    "calls_total @ start()", "calls_total @ end()", "calls_total @ -1", "calls_total @ START() - calls_total",
    f"rate(calls_total[5m] @ {BEGIN_MS // 1000 + 1000})",
    "rate(calls_total[5m] @ end() offset 20m)",
    "sum by (code) (increase(calls_total[10m] @ start() offset -10m))",
    "topk(2, sum by (function_name) (rate(calls_total[30m] @ end() offset 10m)))",
    "calls_total and topk(2, rate(calls_total[50m] @ end() offset 10m))",
    f"timestamp(replicas @ {BEGIN_MS // 1000 + 1234})",
    "timestamp(sum(replicas @ end() offset 10m))",
    "minute(replicas @ end() offset 10m) + hour()",
    "quantile_over_time(0.4, replicas[10m] @ end() offset 10m)",
    "max_over_time(rate(calls_total[5m])[20m:1m] @ end() offset 10m)",
    "max_over_time(rate(calls_total[5m] @ start() offset -10m)[20m:1m])",
    f"avg_over_time(memory_bytes[10m:1m] @ {BEGIN_MS // 1000 + 1500})",
    "max_over_time((replicas @ end() offset 15m + replicas)[5m:30s])",
    "sum_over_time((calls_total @ start() offset -9m)[5m:1m] offset 1m)",
    "max_over_time(max_over_time(memory_bytes[2m:10s] @ start() offset -20m)[5m:1m])",
    "absent(nothing{a=\"b\"} @ end())",
    "absent_over_time(nothing{a=\"b\"}[5m] @ end())",
)  # fmt: skip
WRONG = (
    "", "sum(", "calls_total[5m] + 1", "rate(calls_total)", "1 > 2", "calls_total{", "calls_total{a=b}", "foo(1)",
    "calls_total[0s]", "sum(1)", "{}", '{a=~".*"}', "calls_total offset", 'calls_total{a=~"("}', "1 and 2",
    "calls_total + on(a) group_left(a) replicas", "bool 1", "a b", "topk(replicas)", "rate(replicas[5m], 1)", "(1",
    "calls_total[5m:", "calls_total[5m:1m", "calls_total[5m:0s]", "calls_total[:1m]", "calls_total[5m][5m:1m]",
    "1[5m:1m]", "max_over_time(calls_total[5m:1m][5m:1m])", "calls_total[5m:1m] + 1", "time()[5m:1m]",
    "calls_total[5m:x]", "calls_total @", "calls_total @ x", "calls_total @ 5m", "calls_total @ 1 @ 2",
    "sum(calls_total) @ 1", "1 @ 2", "calls_total @ 1 [5m]", "calls_total offset 1m [5m]", "calls_total @ Inf",
    "calls_total @ -Inf", "calls_total @ NaN", "calls_total @ start", "calls_total @ start(1)",
    "calls_total @ middle()", "calls_total @ --1", "calls_total @ 1e30", "(calls_total)[5m]",
    "(calls_total) offset 5m", "1 + (calls_total) @ 5", "sum(calls_total) offset 5m",
    "calls_total offset 1m offset 2m", "rate(calls_total[5m] offset 1m offset 2m)", "-calls_total[5m:1m]",
    "(calls_total[5m:1m] offset 1m) offset 2m", "(calls_total + 1)[5m:1m] @ 1 @ 2",
    "'a", "calls_total and on(a) group_left() replicas", "1 + bool 2", "abs()", "label_replace(replicas, 1, 2, 3, 4)",
)  # fmt: skip
EXACTER = ("regexp", "set operator", "binary expression must", "no grouping", "timestamp out of bounds")
"""Of what ours says more exactly where it is."""


class Server:
    """Debian's Prometheus over the samples."""

    def __init__(self, url: str) -> None:
        self.url = url

    def ask(self, way: str, **asked: object) -> tuple[Any, str]:
        """Return its answer, or why there is none."""
        content = urllib.parse.urlencode(asked).encode()
        try:
            with urllib.request.urlopen(f"{self.url}/api/v1/{way}", content, timeout=60) as reply:
                return json.load(reply)["data"], ""
        except urllib.error.HTTPError as error:
            with error:
                return None, json.load(error)["error"]


@pytest.fixture(scope="module")
def series() -> list[Samples]:
    """The samples."""
    return made()


@pytest.fixture(scope="module")
def server(series: list[Samples], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A Prometheus that has them."""
    folder = tmp_path_factory.mktemp("prometheus")
    (folder / "samples.txt").write_text("".join(openmetrics(series)))
    (folder / "prometheus.yml").touch()
    argv = ("promtool", "tsdb", "create-blocks-from", "openmetrics", folder / "samples.txt", folder / "tsdb")
    subprocess.run(argv, check=True, capture_output=True)
    with _running(folder) as url:
        yield Server(url)


@contextlib.contextmanager
def _running(folder: Path) -> Iterator[str]:
    argv = (
        "prometheus", f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/tsdb",
        "--storage.tsdb.retention.time=100y", "--web.listen-address=127.0.0.1:0", "--log.level=info",
    )  # fmt: skip
    process = subprocess.Popen(argv, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    try:
        assert process.stderr is not None
        url, said = "", []
        for line in process.stderr:
            said.append(line)
            if found := re.search(r'msg="Listening on" address=(\S+)', line):
                url = f"http://{found[1]}"
            if "Server is ready" in line:
                break
        assert url, "".join(said)
        (folder / "rest.log").touch()
        yield url
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("query", QUERIES)
def test_a_query_comes_to_what_prometheus_says(query: str, server: Server, series: list[Samples]) -> None:
    """At one moment, and over an hour whose beginning and end have no samples."""
    _compare(server, series, query, RANGE)
    _compare(server, series, query, [BEGIN_MS + 1_234_567])


@pytest.mark.parametrize(
    "query",
    ["calls_total[5m]", "calls_total[5m] offset 2m", "calls_total[5m:1m]", "sum(calls_total)[5m:] offset 90s",
     f"calls_total[2m] @ {BEGIN_MS // 1000 + 700}", "rate(calls_total[5m])[10m:17s] @ end() offset 1m"],
)  # fmt: skip
def test_a_range_is_what_prometheus_says(query: str, server: Server, series: list[Samples]) -> None:
    at_ms = BEGIN_MS + 1_234_567
    theirs, why = server.ask("query", query=query, time=at_ms / 1000)
    assert not why
    wanted = {
        tuple(sorted(one["metric"].items())): [(round(moment * 1000), float(value)) for moment, value in one["values"]]
        for one in theirs["result"]
    }
    found = ranges(query, at_ms, series)
    assert found.keys() == wanted.keys()
    for labels, points in found.items():
        assert [moment for moment, _ in points] == [moment for moment, _ in wanted[labels]]
        assert all(_is_near(mine[1], other[1]) for mine, other in zip(points, wanted[labels], strict=True))


@pytest.mark.parametrize("query", WRONG)
def test_what_prometheus_refuses_is_refused_with_its_place(query: str, server: Server, series: list[Samples]) -> None:
    """Line and column stand before what is wrong."""
    _, why = server.ask("query", query=query, time=BEGIN_MS / 1000)
    assert why
    with pytest.raises(InvalidRequest, match=r"^\d+:\d+: parse error: ") as refusal:
        answer(query, [BEGIN_MS], series)
    found = re.match(r"invalid parameter \"query\": (\d+:\d+): ", why)
    if found and not any(words in why for words in EXACTER):
        assert refusal.value.message.startswith(f"{found[1]}:"), (why, refusal.value.message)


_names = st.sampled_from(
    ("calls_total", "replicas", "memory_bytes", 'calls_total{code="200"}', 'calls_total{function_name=~"hello.*"}',
     'seconds_bucket{le=~"1|10"}', 'memory_bytes{function_name!="hello.acme"}')
)  # fmt: skip
_spans = st.sampled_from(("20s", "1m", "95s", "5m", "11m", "1h"))
_offsets = st.sampled_from(
    ("", "", " offset 30s", " offset 7m", " offset -1m", f" @ {BEGIN_MS // 1000 + 777}", " @ start()",
     " @ end() offset 40s", " offset -90s @ start()")
)  # fmt: skip
_numbers = st.sampled_from(("0", "1", "2", "0.5", "-3", "1e7"))
_groups = st.sampled_from(("", " by (code)", " by (function_name)", " without (function_name)", " without (code, le)"))
_functions = st.sampled_from(
    ("rate", "increase", "irate", "delta", "deriv", "resets", "changes", "max_over_time", "avg_over_time",
     "count_over_time", "last_over_time", "stddev_over_time")
)  # fmt: skip
_steady = st.sampled_from(
    ("delta", "deriv", "max_over_time", "avg_over_time", "count_over_time", "last_over_time", "stddev_over_time")
)
"""Those to which a last digit that is reckoned otherwise is neither a change nor a counter that fell."""
_windowed = st.builds("{}({}[{}]{})".format, _functions, _names, _spans, _offsets)
_subqueries = st.sampled_from(("[5m:]", "[95s:10s]", "[11m:35s]", "[1h:5m]", "[70s:65s]"))
_earlier = st.sampled_from(("", "", " offset 30s", " offset 7m"))
"""For what has an @ within: where a subquery's first moment is the query's own, this Prometheus misreads that."""
_vectors = st.recursive(
    st.one_of(
        st.builds("{}{}".format, _names, _offsets), _windowed,
        st.builds("{}(({}{}){}{})".format, _functions, _names, _earlier, _subqueries, _offsets),
    ),
    lambda inner: st.one_of(
        st.builds("{}{} ({})".format, st.sampled_from(("sum", "avg", "min", "max", "count", "group", "stdvar")),
                  _groups, inner),
        st.builds("{}({})".format, st.sampled_from(("abs", "ceil", "floor", "sgn", "sqrt", "sort", "round")), inner),
        st.builds("({}) {} {}".format, inner, st.sampled_from(("+", "-", "*", "/", "%", ">", "<=", "== bool")),
                  _numbers),
        st.builds("{} {} ({})".format, _numbers, st.sampled_from(("+", "-", "*", "<", ">= bool")), inner),
        st.builds("({}) {}{} ({})".format, inner,
                  st.sampled_from(("+", "-", "/", ">", "!= bool", "and", "or", "unless")),
                  st.sampled_from((" ", " on(function_name)", " ignoring(code)", " on(code, function_name)")), inner),
        st.builds("-({})".format, inner),
        st.builds("histogram_quantile(0.9, {})".format, inner),
        st.builds("{}(({}){}{})".format, _steady, inner, _subqueries, _earlier),
    ),
    max_leaves=4,
)  # fmt: skip


@settings(max_examples=250)
@given(query=_vectors, start=st.integers(-20, 380), step=st.sampled_from((7, 60, 333)), count=st.integers(1, 8))
def test_any_query_comes_to_what_prometheus_says(
    query: str, start: int, step: int, count: int, server: Server, series: list[Samples]
) -> None:
    """Also those that fail while they are reckoned: they fail here too."""
    first = BEGIN_MS + start * 10_000
    _compare(server, series, query, [first + at * step * 1000 for at in range(count)])


def _compare(server: Server, series: list[Samples], query: str, steps: list[int]) -> None:
    asked = {
        "start": steps[0] / 1000,
        "end": steps[-1] / 1000,
        "step": (steps[1] - steps[0]) / 1000 if steps[1:] else 1,
    }
    theirs, why = server.ask("query_range", query=query, **asked)
    ours, refusal = _ours(query, steps, series)
    if refusal:
        assert why, f"{query}: refused here alone: {refusal}"
        return
    if why:
        # Two series of one name that are never there at the same moment are one to us; Prometheus minds them.
        assert "same labelset" in why, f"{query}: refused there alone: {why}"
        return
    wanted = {
        tuple(sorted(one["metric"].items())): {round(moment * 1000): float(value) for moment, value in one["values"]}
        for one in theirs["result"]
    }
    found = {
        column.labels: {step: value for step, value in zip(steps, column.values, strict=True) if value is not None}
        for column in ours
    }
    assert found.keys() == wanted.keys(), query
    for labels, values in wanted.items():
        assert found[labels].keys() == values.keys(), (query, labels)
        for moment, value in values.items():
            assert _is_near(found[labels][moment], value), (query, labels, moment, found[labels][moment], value)


def _ours(query: str, steps: list[int], series: list[Samples]) -> tuple[list[Column], str]:
    try:
        return answer(query, steps, series), ""
    except InvalidRequest as refusal:
        return [], refusal.message


def _is_near(one: float, other: float) -> bool:
    return (math.isnan(one) and math.isnan(other)) or math.isclose(one, other, rel_tol=1e-8, abs_tol=1e-6)
