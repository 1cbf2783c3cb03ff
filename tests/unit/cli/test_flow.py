"""`dayfly flow`: what is asked, what is printed, and how a run is drawn."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import msgspec
import pytest

from dayfly.cli.flow_graph import flow_text, run_text
from dayfly.cli.rollouts import time_text
from dayfly.decide.flow import decide
from dayfly.decide.flow_records import Records
from dayfly.decide.flow_view import view
from dayfly.model.flow import FlowSpec
from dayfly.model.flow_run import Cancelled, Ended, Entry, Failed, FlowError, FlowRun, Judged
from dayfly.model.flow_status import FlowStatus, RunReport, RunSummary

Run = Callable[..., Any]
START = 1_764_446_000_000
FILE = """
name: bill
timeout: 3600
steps:
  - name: load
    do: call
    function: load
    retry: {attempts: 2, wait: 1s}
  - name: each
    do: map
    over: load.lines
    concurrency: 2
    steps: [{name: price, do: call, function: price}]
  - name: big
    do: choice
    branches:
      - when: input.big
        steps: [{name: ok, do: approval, prompt: "Sure?"}]
    otherwise: [{name: pause, do: delay, for: 1h}]
  - {name: end, do: set, value: each}
"""
STEPS = [{"do": "call", "name": "a", "function": "f"}]


def spec_of(text: str = FILE) -> FlowSpec:
    from dayfly.client.yaml_text import load

    return msgspec.convert(load(text), FlowSpec, strict=False)


class Tale:
    """A run that a test tells, as the platform would report it."""

    def __init__(self, spec: FlowSpec, given: Any = None) -> None:
        self.run = FlowRun(
            id="4f0k2m9x1c7b8a3d", namespace="openfaas-fn", flow="bill", spec=spec, input=given,
            started_unix_ms=START, started_by="ada",
        )  # fmt: skip
        self.records = Records()
        self.now = START
        self.go()

    def go(self, *entries: Entry, seconds: float = 0.0) -> None:
        self.now += round(seconds * 1000)
        for entry in entries:
            self.records.take(entry, self.now)
        decide(self.run, self.records, self.now)

    def report(self) -> RunReport:
        run, end = self.run, self.records.finished
        if end is not None:
            run = msgspec.structs.replace(
                run, state=end.state, result=end.result, error=end.error, finished_unix_ms=self.now
            )
        return RunReport(run=run, steps=view(run.spec, self.records))


class FakeFlows:
    """Answers as the gateway does, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.requests: list[httpx2.Request] = []
        self.reports = [Tale(spec_of()).report()]
        self.flow: FlowStatus | None = FlowStatus(spec=spec_of(), created_unix_ms=START, updated_unix_ms=START)

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        self.asked.append(f"{request.method} {request.url.raw_path.decode().removeprefix('/v1/namespaces/')}")
        self.requests.append(request)
        path = request.url.path
        if path.endswith("/flow-runs"):
            return httpx2.Response(200, content=msgspec.json.encode([RunSummary.of(self.reports[0].run)]))
        if path.endswith("/flows"):
            return httpx2.Response(200, content=msgspec.json.encode([self.flow] if self.flow else []))
        if "/flow-runs/bill" in path or (request.method == "GET" and self.flow is None):
            return httpx2.Response(404, json={"code": "not_found", "detail": "there is no run of this id"})
        if request.method == "POST" and ("/approvals/" in path or "/events/" in path):
            return httpx2.Response(204)
        if "/flow-runs" in path or path.endswith("/runs"):
            report = self.reports.pop(0) if len(self.reports) > 1 else self.reports[0]
            return httpx2.Response(202 if request.method == "POST" else 200, content=msgspec.json.encode(report))
        if request.method == "DELETE":
            return httpx2.Response(204)
        return httpx2.Response(200, content=msgspec.json.encode(self.flow))


@pytest.fixture
def flows(platform: Any) -> FakeFlows:
    """The platform's flows."""
    platform.flows = FakeFlows()
    return platform.flows  # type: ignore[no-any-return] # it was made in the line above


def done_report(result: Any) -> RunReport:
    tale = Tale(msgspec.convert({"name": "bill", "steps": STEPS}, FlowSpec))
    tale.go(Ended(path="a", result=result))
    return tale.report()


def failed_report() -> RunReport:
    tale = Tale(msgspec.convert({"name": "bill", "steps": STEPS}, FlowSpec))
    tale.go(Failed(path="a", error=FlowError(code="function_failed", message="f answered 500.", step="a", status=500)))
    return tale.report()


def test_a_sequence_is_made(dayfly: Run, flows: FakeFlows) -> None:
    outcome = dayfly("flow", "create", "bill", "--step", "load", "--step", "send", "-n", "team")
    assert outcome.stdout == "Flow created: bill, 2 steps\n"
    assert outcome.stderr == "load, send are no functions of the namespace team yet: runs fail there until deployed.\n"
    assert flows.asked == ["PUT team/flows/bill?mode=create"]
    sent = json.loads(flows.requests[0].content)
    assert [(step["name"], step["function"]) for step in sent["steps"]] == [("load", "load"), ("send", "send")]
    assert dayfly("flow", "create", "Bad Name", "--step", "x").exit_code == 64
    assert dayfly("flow", "create", "bill").exit_code == 64
    assert dayfly("flow", "create", "bill", "--code", "order", "--replace").exit_code == 0
    assert flows.asked[1:] == ["PUT openfaas-fn/flows/bill?mode=upsert"]


@pytest.mark.usefixtures("flows")
def test_functions_that_are_not_there_are_told_of(dayfly: Run, platform: Any, home: Path) -> None:
    for name in ("load", "price"):
        platform.add(name)
    (home / "flow.yaml").write_text(FILE.replace("function: price", "function: cost"))
    outcome = dayfly("flow", "deploy", "-f", str(home / "flow.yaml"))
    assert (outcome.exit_code, outcome.stdout) == (0, "Flow deployed: bill, 4 steps\n")
    assert outcome.stderr == "cost is no function of the namespace openfaas-fn yet: runs fail there until deployed.\n"
    assert dayfly("flow", "create", "bill", "--step", "load").stderr == ""


def test_a_file_is_deployed(dayfly: Run, flows: FakeFlows, home: Path) -> None:
    (home / "bill.yaml").write_text(FILE)
    assert dayfly("flow", "deploy", "-f", "bill.yaml").stdout == "Flow deployed: bill, 4 steps\n"
    assert flows.asked == ["PUT openfaas-fn/flows/bill?mode=upsert"]
    assert msgspec.json.decode(flows.requests[0].content, type=FlowSpec) == spec_of()
    (home / "bill.json").write_text(json.dumps({"name": "bill", "namespace": "team", "steps": STEPS}))
    assert dayfly("flow", "deploy", "-f", "bill.json").exit_code == 0
    assert flows.asked[1] == "PUT team/flows/bill?mode=upsert"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("- a", "a flow file has a name and steps"),
        ("name: x\nsteps: [{do: call, name: a, fonction: f}]", "$.steps[0]"),
        ("name: x\nsteps: []", "one at least"),
        ("name: x\nname: y", "twice"),
        ("name: x\nsteps: [{do: jump, name: a}]", "jump"),
        ("name: x\nsteps: [{do: jump, name: a}]", "`do` is call, code, set, "),
    ],
)
def test_a_file_that_is_no_flow_says_where(dayfly: Run, flows: FakeFlows, home: Path, text: str, said: str) -> None:
    (home / "bad.yaml").write_text(text)
    outcome = dayfly("flow", "deploy", "-f", "bad.yaml")
    assert outcome.exit_code == 64
    assert said in outcome.stderr
    assert flows.asked == []
    assert dayfly("flow", "deploy", "-f", "missing.yaml").exit_code == 64


def test_flows_are_listed_described_and_removed(dayfly: Run, flows: FakeFlows) -> None:
    assert "bill" in dayfly("flow", "list").stdout
    assert dayfly("flow", "ls", "--output", "name").stdout == "bill\n"
    assert "├─ load         call load" in dayfly("flow", "describe", "bill").stdout
    assert json.loads(dayfly("flow", "describe", "bill", "-o", "json").stdout)["spec"]["name"] == "bill"
    assert dayfly("flow", "rm", "bill").stdout == "Flow removed: bill\n"
    flows.flow = None
    assert dayfly("flow", "list").stdout == "No flows found.\n"
    outcome = dayfly("flow", "describe", "bill")
    assert (outcome.exit_code, "there is no run" in outcome.stderr) == (66, True)
    assert "dayfly flow list" in outcome.stderr


@pytest.mark.parametrize(
    ("arguments", "stdin", "body", "kind"),
    [
        (("-d", '{"a": 1}'), b"", b'{"a": 1}', "application/json"),
        ((), b"[1]", b"[1]", "application/json"),
        (("-d", "{no"), b"", b"{no", "text/plain; charset=utf-8"),
        ((), b"\x89PNG", b"\x89PNG", "application/octet-stream"),
        ((), b"{\xff", b"{\xff", "application/octet-stream"),
        (("--content-type", "image/png"), b"\x89PNG", b"\x89PNG", "image/png"),
        (("-d", "@in.json"), b"", b'{"b": 2}', "application/json"),
        ((), b"", b"", "text/plain; charset=utf-8"),
    ],
)  # fmt: skip
def test_a_run_begins_with_what_it_is_given(
    dayfly: Run, flows: FakeFlows, home: Path, arguments: tuple[str, ...], stdin: bytes, body: bytes, kind: str
) -> None:
    (home / "in.json").write_text('{"b": 2}')
    assert dayfly("flow", "run", "bill", *arguments, stdin=stdin).stdout == "4f0k2m9x1c7b8a3d\n"
    assert flows.asked == ["POST openfaas-fn/flows/bill/runs"]
    assert (flows.requests[0].content, flows.requests[0].headers["content-type"]) == (body, kind)
    assert "idempotency-key" not in flows.requests[0].headers


def test_a_run_may_have_a_key_and_a_file_must_be_there(dayfly: Run, flows: FakeFlows) -> None:
    dayfly("flow", "run", "bill", "--key", "once")
    assert flows.requests[0].headers["idempotency-key"] == "once"
    assert dayfly("flow", "run", "bill", "-d", "@none").exit_code == 64


@pytest.mark.parametrize(
    ("result", "printed"),
    [({"a": 1}, b'{"a":1}\n'), ("text", b"text"), (None, b""),
     ({"content_type": "image/png", "base64": "iVBORw=="}, b"\x89PNG")],
)  # fmt: skip
def test_waiting_prints_the_result(dayfly: Run, flows: FakeFlows, result: Any, printed: bytes) -> None:
    flows.reports = [Tale(spec_of()).report(), Tale(spec_of()).report(), done_report(result)]
    outcome = dayfly("flow", "run", "bill", "--wait")
    assert (outcome.exit_code, outcome.stdout_bytes) == (0, printed)
    assert flows.asked[1:] == ["GET openfaas-fn/flow-runs/4f0k2m9x1c7b8a3d?wait=30s"] * 2


def test_waiting_for_what_fails_fails(dayfly: Run, flows: FakeFlows) -> None:
    flows.reports = [failed_report()]
    outcome = dayfly("flow", "run", "bill", "--wait")
    assert outcome.exit_code == 1
    assert "failed: a: f answered 500." in outcome.stderr
    assert "dayfly flow describe 4f0k2m9x1c7b8a3d" in outcome.stderr


def test_waiting_for_what_was_cancelled_fails(dayfly: Run, flows: FakeFlows) -> None:
    tale = Tale(spec_of())
    tale.go(Cancelled(by="bob"))
    flows.reports = [tale.report()]
    outcome = dayfly("flow", "run", "bill", "--wait")
    assert (outcome.exit_code, "was cancelled: bob cancelled it." in outcome.stderr) == (1, True)


def test_runs_are_listed(dayfly: Run, flows: FakeFlows) -> None:
    flows.reports = [failed_report()]
    outcome = dayfly("flow", "runs", "bill", "--state", "failed", "--limit", "5")
    assert "4f0k2m9x1c7b8a3d" in outcome.stdout
    assert "f answered 500." in outcome.stdout
    assert flows.asked == ["GET openfaas-fn/flow-runs?limit=5&flow=bill&state=failed"]
    assert dayfly("flow", "runs", "--state", "odd").exit_code == 2


def test_a_run_is_told_cancelled_and_rerun(dayfly: Run, flows: FakeFlows) -> None:
    run = "4f0k2m9x1c7b8a3d"
    assert dayfly("flow", "approve", run, "each.3.ok", "--comment", "fine").stdout == "Approved: each.3.ok\n"
    assert dayfly("flow", "approve", run, "ok", "--reject").stdout == "Rejected: ok\n"
    assert dayfly("flow", "send", run, "paid", "-d", '{"n": 1}').stdout == "Sent: paid\n"
    assert dayfly("flow", "cancel", run).stdout == f"Run cancelled: {run}\n"
    assert dayfly("flow", "rerun", run, "--from", "load", "--current").stdout == f"{run}\n"
    base = f"openfaas-fn/flow-runs/{run}"
    assert flows.asked == [
        f"POST {base}/approvals/each.3.ok", f"POST {base}/approvals/ok", f"POST {base}/events/paid", f"DELETE {base}",
        f"POST {base}/rerun",
    ]  # fmt: skip
    said = [json.loads(request.content) for request in flows.requests if request.content]
    assert said == [
        {"approve": True, "comment": "fine"}, {"approve": False, "comment": ""}, {"n": 1},
        {"from": "load", "current": True},
    ]  # fmt: skip
    for words in (("approve", run, "a/b"), ("send", run, "a b"), ("cancel", "a/b"), ("describe", "a/b")):
        assert dayfly("flow", *words).exit_code == 64
    assert len(flows.asked) == 5


def test_a_run_is_drawn_as_it_stands() -> None:
    tale = Tale(spec_of(), {"big": True})
    tale.go(Failed(path="load", error=FlowError(code="function_failed", message="load answered 503.")), seconds=0.5)
    tale.go(seconds=1)
    tale.go(Ended(path="load", attempt=2, result={"lines": [1, 2, 3]}), seconds=0.25)
    tale.go(Ended(path="each.0.price", result=5), seconds=61)
    assert (
        run_text(tale.report())
        == f"""\
Run:     4f0k2m9x1c7b8a3d
Flow:    bill.openfaas-fn
State:   running
Started: {time_text(START)} by ada
Input:   {{"big":true}}

├─ ✓ load         call load, attempt 2     +0.00s  1.75s
│     → {{"big":true}}
│     ! function_failed: load answered 503.
│     ← {{"lines":[1,2,3]}}
├─ ▶ each         map load.lines, 3 items  +1.75s  running
│  ├─ item 0
│  │  └─ ✓ price  call price               +1.75s  1m01s
│  │        → 1
│  │        ← 5
│  ├─ item 1
│  │  └─ ▶ price  call price               +1.75s  running
│  │        → 2
│  └─ item 2
│     └─ ▶ price  call price               +1m03s  running
│           → 3
├─ · big          choice
│  ├─ when input.big
│  │  └─ · ok     approval 'Sure?'
│  └─ otherwise
│     └─ · pause  delay 1h
└─ · end          set each"""
    )


def test_a_run_says_what_it_waits_for_and_how_it_ended() -> None:
    tale = Tale(spec_of(), {"big": True})
    tale.go(Ended(path="load", result={"lines": []}))
    drawn = run_text(tale.report())
    assert "◷ ok  approval 'Sure?'" in drawn
    assert "`dayfly flow approve 4f0k2m9x1c7b8a3d big.0.ok` lets it go on, with --reject it fails" in drawn
    assert "pause" not in drawn, "the branch that was not taken is left out"
    tale.go(Judged(path="big.0.ok", approved=True, by="ada", comment="yes"), seconds=2)
    drawn = run_text(tale.report())
    assert "by ada: yes" in drawn
    assert "State:   done" in drawn
    assert "Took:    2.00s" in drawn
    other = Tale(spec_of())
    other.go(Cancelled(by="bob"))
    drawn = run_text(other.report())
    assert "■ load" in drawn
    assert "Reason:  cancelled: bob cancelled it." in drawn


def test_a_long_map_shows_what_is_not_done_first() -> None:
    tale = Tale(spec_of(), {})
    tale.go(Ended(path="load", result={"lines": list(range(40))}))
    for at in range(30):
        tale.go(Ended(path=f"each.{at}.price", result=at))
    drawn = run_text(tale.report())
    assert "item 30" in drawn
    assert "item 31" in drawn
    assert "… 35 more of 40, 27 of them begun" in drawn


def test_it_is_drawn_in_plain_signs_where_there_are_no_others(monkeypatch: pytest.MonkeyPatch) -> None:
    class Ascii:
        encoding = "ascii"

    monkeypatch.setattr("dayfly.cli.flow_graph.sys.stdout", Ascii())
    status = FlowStatus(spec=spec_of(), created_unix_ms=START, updated_unix_ms=START)
    assert flow_text(status).isascii()
    assert run_text(Tale(spec_of()).report()).isascii()
    assert "|- > load" in run_text(Tale(spec_of()).report())
