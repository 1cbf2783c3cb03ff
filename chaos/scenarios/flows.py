"""SIGKILL at random while flows run: whatever dies, every run that was begun comes to its end, and to the right one.

Runs of one flow are begun all the time, each under a key of its own until somebody says that it has begun. The flow
calls, in sequence, side by side and for each item of a list, waits for a time, tries a step again that fails at first,
and waits for somebody's approval. The control plane, a gateway, nats-server, the queue, a replica, the zygote or
everything is killed meanwhile. What was in a log after a kill must be there in the end; each run must have come to what
only its functions can have made of its input; no step may have two results, nor be called once it had one.
"""

import itertools
import time
from collections import Counter
from typing import Any, ClassVar

import msgspec

from chaos.background import Background
from chaos.box import Box, BoxBroken
from chaos.judgement import judge
from chaos.nemesis import Nemesis, rounds
from chaos.outcome import Outcome, Promise
from chaos.processes import eventually
from chaos.stage import Stage
from dayfly.model.errors import Conflict, DayflyError
from dayfly.model.flow import FlowSpec
from dayfly.model.flow_run import OVER

SECONDS = 180.0
SHORT_SECONDS = 4.0
_KINDS = ("control", "gateway", "nats", "queue", "replica", "zygote", "everything")
_SHORT_KINDS = ("control", "gateway", "nats", "replica")
_PAUSE_S = 0.4
"""Between two runs that are begun."""
_OVER_S = 180.0
_CALL: dict[str, Any] = {"do": "call", "function": "step"}
_FLOW = {
    "name": "all",
    "steps": [
        {**_CALL, "name": "first"},
        {"name": "sides", "do": "parallel", "branches": {
            "left": [{**_CALL, "name": "one", "body": "first"}],
            "right": [{**_CALL, "name": "two", "body": "input"}],
        }},
        {"name": "each", "do": "map", "over": "input.items", "concurrency": 2, "steps": [
            {**_CALL, "name": "double", "body": "{n: item}"},
        ]},
        {"name": "pause", "do": "delay", "for": "300ms"},
        {**_CALL, "name": "again", "body": "sides.left", "retry": {"attempts": 2, "wait": "100ms"}},
        {"name": "ok", "do": "approval"},
        {**_CALL, "name": "end", "body": "again"},
    ],
    "output": "{last: end.n, right: sides.right.n, each: each[].n}",
}  # fmt: skip
_ENTRIES = "SELECT run, number, unix_ms, entry FROM entries"


class Entry(msgspec.Struct, frozen=True):
    """An entry of a run's log as it is on the disk."""

    unix_ms: int
    told: dict[str, Any]


class Beginner(Background):
    """Begins one run after another, each until it is told which."""

    def __init__(self, box: Box) -> None:
        super().__init__("beginner", _PAUSE_S)
        self.begun: dict[str, int] = {}
        """The number that each run was given."""
        self.twice: list[str] = []
        """Keys that came to two runs."""
        self._box = box
        self._numbers = itertools.count(1)
        self._number = next(self._numbers)

    def step(self) -> None:
        """Begin the run that is next, or ask for it once more."""
        number = self._number
        try:
            ids = {self._begin(number) for _ in range(2)}
        except (DayflyError, BoxBroken, RuntimeError):  # the last from a client that a restart has closed
            return
        if len(ids) > 1:
            self.twice.append(f"{number}: {sorted(ids)}")
        self.begun |= dict.fromkeys(ids, number)
        self._number = next(self._numbers)

    def _begin(self, number: int) -> str:
        body = msgspec.json.encode({"n": number, "items": [number, number + 1, number + 2]})
        report = self._box.client.start_run(
            "all", body, content_type="application/json", key=f"run-{number}"
        )  # fmt: skip
        return report.run.id


class Approver(Background):
    """Says yes to each run that waits for it."""

    refusals: ClassVar[tuple[type[Exception], ...]] = (DayflyError, BoxBroken, RuntimeError)

    def __init__(self, box: Box, beginner: Beginner) -> None:
        super().__init__("approver", 0.2)
        self.approved: set[str] = set()
        self._box = box
        self._beginner = beginner

    def step(self) -> None:
        """Approve what can be."""
        for run in sorted(set(self._beginner.begun) - self.approved):
            try:
                self._box.client.judge_step(run, "ok", approve=True)
            except Conflict:
                continue  # it does not wait yet, or an approval whose answer was lost was the first
            except self.refusals:
                return
            self.approved.add(run)


def run(stage: Stage) -> Outcome:
    """Strike until the time is over, every kind at least once, then wait for all runs and look."""
    box = stage.box(gateways=2)
    box.deploy("step", "step", replicas=2)
    box.client.put_flow(msgspec.convert(_FLOW, FlowSpec))
    kinds = _SHORT_KINDS if stage.short else _KINDS
    nemesis, following = Nemesis(box, stage.random, {"step": 2}), rounds(stage.random, kinds)
    seen: dict[tuple[str, int], Entry] = {}
    beginner = Beginner(box)
    with Approver(box, beginner):
        with beginner:
            until_s = time.monotonic() + stage.seconds
            while time.monotonic() < until_s or len(nemesis.strikes) < len(kinds):
                time.sleep(stage.random.uniform(0.5, 1.5))
                strike = nemesis.strike(following())
                seen |= _entries(box)
                stage.say(f"{strike.kind} killed, missed for {strike.missed_s:.2f} s; {len(beginner.begun)} runs")
        began = beginner.begun
        all_over = eventually(lambda: _over(box) >= set(began), _OVER_S, 0.3)
    found = _entries(box)
    promises = [
        Promise("every run comes to its end", all_over, f"under way: {sorted(set(began) - _over(box))[:5]}"),
        *_judged(box, began, beginner.twice, found),
        _kept("nothing goes from a log", [f"{key}" for key, entry in seen.items() if found.get(key) != entry]),
    ]
    ran = _runs(box)
    struck = Counter(strike.kind for strike in nemesis.strikes)
    figures = {
        "runs begun, and steps that ended": f"{len(began)}, {sum(e.told['type'] == 'ended' for e in found.values())}",
        "calls of steps, and those made more than once": f"{len(ran)}, {sum(len(at) > 1 for at in ran.values())}",
        "kills": ", ".join(f"{kind} {count}" for kind, count in sorted(struck.items())),
    }
    outcome = judge(stage, box, [], figures=figures, promises=promises)
    return msgspec.structs.replace(outcome, calls=len(began), figures=figures)


def _judged(box: Box, began: dict[str, int], twice: list[str], found: dict[tuple[str, int], Entry]) -> list[Promise]:
    """Return what is to be said of the runs that were begun, by what is in the file of runs."""
    rows = box.query("SELECT id, state, finish FROM runs", file="flows/flows.db")
    ends = {run: (state, msgspec.json.decode(finish or "{}")) for run, state, finish in rows}
    right = {run: ("done", _result(number)) for run, number in began.items()}
    came = {run: ends.get(run, ("lost", {})) for run in began}
    wrong = [f"{run}: {came[run]}" for run, end in right.items() if (came[run][0], came[run][1].get("result")) != end]
    results = Counter((run, e.told["path"]) for (run, _), e in found.items() if e.told["type"] == "ended")
    ended = {(run, e.told["path"]): e.unix_ms for (run, _), e in found.items() if e.told["type"] == "ended"}
    late = [
        f"{run} {path}, {at - ended[run, path]} ms after"
        for (run, path, _), times in _runs(box).items()
        for at in times
        if (run, path) in ended and at > ended[run, path]
    ]
    return [
        _kept("every run comes to what its functions made of its input", wrong),
        _kept("one key is one run", twice),
        _kept("no step has two results", [f"{each}" for each, count in results.items() if count > 1]),
        _kept("no step is called that has its result", late),
    ]


def _result(number: int) -> dict[str, Any]:
    return {"last": 16 * number, "right": 2 * number, "each": [2 * number, 2 * number + 2, 2 * number + 4]}


def _kept(what: str, wrong: list[str]) -> Promise:
    return Promise(what, not wrong, f"{len(wrong)}: {', '.join(wrong[:5])}")


def _entries(box: Box) -> dict[tuple[str, int], Entry]:
    rows = box.query(_ENTRIES, file="flows/flows.db")
    return {(run, number): Entry(at, msgspec.json.decode(text)) for run, number, at, text in rows}


def _over(box: Box) -> set[str]:
    rows = box.query("SELECT id, state FROM runs", file="flows/flows.db")
    return {run for run, state in rows if state in OVER}


def _runs(box: Box) -> dict[tuple[str, str, str], list[int]]:
    """Return when each attempt of a step was run; the last lines of a replica that was killed may be missing."""
    rows = box.query("SELECT text FROM lines WHERE text LIKE 'step %'", file="records/logs.db")
    found: dict[tuple[str, str, str], list[int]] = {}
    for (text,) in rows:
        _, run, path, attempt, at = str(text).split(" ")
        found.setdefault((run, path, attempt), []).append(int(at))
    return found
