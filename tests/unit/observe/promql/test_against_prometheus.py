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
from tests.unit.observe.promql.samples import BEGIN_MS, END_MS, answer, made, openmetrics

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
)  # fmt: skip
WRONG = (
    "", "sum(", "calls_total[5m] + 1", "rate(calls_total)", "1 > 2", "calls_total{", "calls_total{a=b}", "foo(1)",
    "calls_total[0s]", "sum(1)", "{}", '{a=~".*"}', "calls_total offset", 'calls_total{a=~"("}', "1 and 2",
    "calls_total + on(a) group_left(a) replicas", "bool 1", "a b", "topk(replicas)", "rate(replicas[5m], 1)", "(1",
    "'a", "calls_total and on(a) group_left() replicas", "1 + bool 2", "abs()", "label_replace(replicas, 1, 2, 3, 4)",
)  # fmt: skip


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


@pytest.mark.parametrize("query", WRONG)
def test_what_prometheus_refuses_is_refused_with_its_place(query: str, server: Server, series: list[Samples]) -> None:
    """Line and column stand before what is wrong."""
    _, why = server.ask("query", query=query, time=BEGIN_MS / 1000)
    assert why
    with pytest.raises(InvalidRequest, match=r"^\d+:\d+: parse error: ") as refusal:
        answer(query, [BEGIN_MS], series)
    found = re.match(r"invalid parameter \"query\": (\d+:\d+): ", why)
    if found and "regexp" not in why and "set operator" not in why:  # ours says more exactly where
        assert refusal.value.message.startswith(found[1]), (why, refusal.value.message)


_names = st.sampled_from(
    ("calls_total", "replicas", "memory_bytes", 'calls_total{code="200"}', 'calls_total{function_name=~"hello.*"}',
     'seconds_bucket{le=~"1|10"}', 'memory_bytes{function_name!="hello.acme"}')
)  # fmt: skip
_spans = st.sampled_from(("20s", "1m", "95s", "5m", "11m", "1h"))
_offsets = st.sampled_from(("", "", " offset 30s", " offset 7m", " offset -1m"))
_numbers = st.sampled_from(("0", "1", "2", "0.5", "-3", "1e7"))
_groups = st.sampled_from(("", " by (code)", " by (function_name)", " without (function_name)", " without (code, le)"))
_windowed = st.builds(
    "{}({}[{}]{})".format,
    st.sampled_from(("rate", "increase", "irate", "delta", "deriv", "resets", "changes", "max_over_time",
                     "avg_over_time", "count_over_time", "last_over_time", "stddev_over_time")),
    _names, _spans, _offsets,
)  # fmt: skip
_vectors = st.recursive(
    st.one_of(st.builds("{}{}".format, _names, _offsets), _windowed),
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
