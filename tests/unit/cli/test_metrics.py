"""`dayfly metrics` and `dayfly machine`, before a platform that answers as Prometheus does."""

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs

import httpx2
import msgspec
import pytest
from click.testing import CliRunner, Result

from dayfly.cli.main import cli
from dayfly.cli.metrics import bars
from dayfly.cli.session import Session
from dayfly.model.machine import CpuUsage, Machine, MachineUsage, MemoryUsage, NetworkUsage, Node, PartLine, Process

Run = Callable[..., Result]
LABELS = {"__name__": "calls", "code": "200"}


def vector(*values: str) -> dict[str, Any]:
    return {"resultType": "vector", "result": [{"metric": LABELS, "value": [1.5, value]} for value in values]}


@pytest.fixture
def heard() -> list[dict[str, str]]:
    """What was asked."""
    return []


@pytest.fixture
def run(heard: list[dict[str, str]]) -> Callable[[int, object], Run]:
    """Make the command line before a platform that answers this."""

    def make(status: int, told: object) -> Run:
        def answer(request: httpx2.Request) -> httpx2.Response:
            heard.append({"path": request.url.path} | {k: v[0] for k, v in parse_qs(request.content.decode()).items()})
            return httpx2.Response(status, json=told)

        def go(*args: str) -> Result:
            return CliRunner().invoke(cli, list[str](args), obj=Session(httpx2.MockTransport(answer)))

        return go

    return make


def test_a_query_at_a_moment_is_a_table(run: Callable[[int, object], Run], heard: list[dict[str, str]]) -> None:
    outcome = run(200, {"status": "success", "data": vector("3")})("metrics", "query", "calls", "--at", "5")
    assert outcome.exit_code == 0
    assert outcome.stdout.splitlines()[1].split() == ['calls{code="200"}', "3"]
    assert heard == [{"path": "/api/v1/query", "query": "calls", "time": "5"}]
    outcome = run(200, {"status": "success", "data": vector("3")})("metrics", "query", "calls", "-o", "json")
    assert json.loads(outcome.stdout)["series"][0]["value"] == [1.5, "3"]
    single = {"resultType": "scalar", "result": [1.5, "NaN"]}
    assert run(200, {"status": "success", "data": single})("metrics", "query", "1").stdout == "NaN\n"
    assert "Nothing was found" in run(200, {"status": "success", "data": vector()})("metrics", "query", "x").stdout


def test_a_query_over_a_span_is_lines_of_bars(run: Callable[[int, object], Run], heard: list[dict[str, str]]) -> None:
    data = {"resultType": "matrix", "result": [{"metric": LABELS, "values": [[1, "0"], [2, "NaN"], [3, "7"]]}]}
    outcome = run(200, {"status": "success", "data": data})("metrics", "query", "calls", "--since", "1h")
    assert outcome.stdout.splitlines()[1].split("\t")[1:] == ["▁ █      ", "0    ", "7   ", "7"]
    (asked,) = heard
    assert asked["path"] == "/api/v1/query_range"
    assert asked["step"] == "60"
    assert float(asked["end"]) - float(asked["start"]) == pytest.approx(3600)


@pytest.mark.parametrize(
    ("status", "why", "code"),
    [(400, "1:5: parse error", 64), (422, "more than 3,000,000 samples", 64), (429, "stand in line", 75),
     (501, "keeps no history", 69), (503, "does not answer", 69)],
)  # fmt: skip
def test_a_refusal_is_told_in_its_words(run: Callable[[int, object], Run], status: int, why: str, code: int) -> None:
    told = {"status": "error", "errorType": "bad_data", "error": why}
    outcome = run(status, told)("metrics", "query", "sum(")
    assert outcome.exit_code == code
    assert why in outcome.stderr


@pytest.mark.parametrize("options", [("--at", "1", "--since", "1h"), ("--step", "1m")])
def test_options_that_mean_nothing_together_are_refused(run: Callable[[int, object], Run], options: tuple[str]) -> None:
    outcome = run(200, {})("metrics", "query", "x", *options)
    assert outcome.exit_code == 64
    assert options[0] in outcome.stderr


def test_metrics_are_listed_with_what_they_are(run: Callable[[int, object], Run]) -> None:
    told = {"status": "success", "data": {"b": [{"type": "gauge", "help": "B.", "unit": ""}], "a": []}}
    assert run(200, told)("metrics", "list", "-o", "name").stdout == "b\n"


def test_bars_are_as_many_as_fit_and_blank_where_there_is_no_number() -> None:
    assert len(bars([1.0] * 600)) == 60
    assert bars([float("nan"), float("inf")]) == "  "
    assert bars([2.0, 2.0]) == "▁▁"
    assert bars([0.0, 4.0, 8.0]) == "▁▅█"


def test_the_machine_is_shown_with_whose_processes_there_are(run: Callable[[int, object], Run]) -> None:
    usage = MachineUsage(
        at_unix_ms=1000, boot="b", cpu=CpuUsage(cores=2, seconds={"idle": 1.0}),
        memory=MemoryUsage(total=2**30, used=2**29, available=2**29), disk=None,
        network=NetworkUsage(received=1, sent=1),
    )  # fmt: skip
    process = Process(
        pid=7, parent=1, role="function", name="python3", function="hello.openfaas-fn", cpu_s=1.5, memory_bytes=2**20,
        started_unix_ms=0, log="x",
    )  # fmt: skip
    found = Machine(kind="machine", usage=usage, nodes=(Node(name="here"),), processes=(process,), notes=("no engine",))
    outcome = run(200, msgspec.to_builtins(found))("machine")
    assert "512Mi of 1Gi" in outcome.stdout
    assert "no engine" in outcome.stdout
    line = next(line for line in outcome.stdout.splitlines() if "hello" in line)
    assert line.split()[:5] == ["7", "function", "x", "hello.openfaas-fn", "1.50"]


def test_what_a_part_says_is_printed(run: Callable[[int, object], Run]) -> None:
    said = PartLine(unix_ns=1_700_000_000_250_000_000, part="gw0", level="warning", text="full", call_id="c")
    told = msgspec.to_builtins(said)
    assert run(200, told)("machine", "logs", "gw0", "--tail", "5").stdout == (
        "2023-11-14T22:13:20.250Z warning gw0 full\n"
    )
    assert json.loads(run(200, told)("machine", "logs", "gw0", "-o", "json").stdout) == told
    assert run(404, {"type": "x", "title": "x", "status": 404, "detail": "no gw9"})("machine", "logs", "gw9").exit_code
