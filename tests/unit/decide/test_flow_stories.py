"""Every story that a run can have: whatever order answers come in and wherever it is killed, it comes to the same."""

import importlib.util
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from dayfly.decide import flow
from dayfly.decide.flow_plan import Order, Plan
from dayfly.decide.flow_records import Records
from dayfly.decide.flow_rerun import kept
from dayfly.decide.flow_view import view
from dayfly.model.flow import FlowSpec
from dayfly.model.flow_run import Begun, Ended, Entry, Failed, Finished, FlowError, FlowRun, Judged, Logged, Signalled
from dayfly.model.flow_step import Approval, Step, Wait, every, inner

START = 1_000_000
FUNCTIONS = ("echo", "count", "list", "flaky", "broken")
RETRY = {"attempts": 2, "wait": "1s"}


@st.composite
def sequences(draw: st.DrawFn, depth: int = 0) -> list[dict[str, Any]]:
    """Steps without names; `named` gives each one of its own."""
    return [draw(steps(depth)) for _ in range(draw(st.integers(1, 3)))]


@st.composite
def steps(draw: st.DrawFn, depth: int) -> dict[str, Any]:
    plain = ["call", "call", "call", "set", "filter", "split", "delay", "wait", "approval", "fail"]
    around = ["choice", "parallel", "map", "group"]
    kind = draw(st.sampled_from(plain if depth >= 2 else plain + around * 2))
    step: dict[str, Any] = {"do": kind}
    deeper = sequences(depth + 1)
    match kind:
        case "call":
            step["function"] = draw(st.sampled_from(FUNCTIONS))
        case "set":
            step["value"] = draw(st.sampled_from(["last", "`[1, 2, 3]`", "length(to_string(last))", "[last, input]"]))
        case "filter":
            step |= {"over": "`[1, 2, 3]`", "keep": draw(st.sampled_from(["item > `1`", "index == `0`"]))}
        case "split":
            step |= {"over": "`[1, 2, 3]`", "size": 2}
        case "delay":
            step["for"] = "10s"
        case "wait":
            step["event"] = draw(st.sampled_from(["e1", "e2"]))
        case "choice":
            step["branches"] = [{"when": draw(st.sampled_from(["last", "!last"])), "steps": draw(deeper)}]
            step["otherwise"] = draw(st.one_of(st.just([]), deeper))
        case "parallel":
            step |= {"branches": {"l": draw(deeper), "r": draw(deeper)}, "concurrency": draw(st.integers(1, 2))}
        case "map":
            step |= {"over": "`[1, 2, 3]`", "steps": draw(deeper), "concurrency": draw(st.integers(1, 3))}
        case "group":
            step["steps"] = draw(deeper)
    if draw(st.booleans()) and kind not in ("delay", "fail"):
        step["retry"] = RETRY
    if draw(st.integers(0, 3)) == 0:
        step["catch"] = {"steps": draw(deeper) if depth < 2 else [{"do": "set", "value": "error.code"}]}
    return step


def named(given_steps: list[dict[str, Any]]) -> FlowSpec:
    numbers = iter(range(1000))

    def name(value: Any) -> Any:
        if isinstance(value, list):
            return [name(each) for each in value]
        if isinstance(value, dict):
            own = {"name": f"s{next(numbers)}"} if "do" in value else {}
            return own | {key: name(each) for key, each in value.items()}
        return value

    spec = msgspec.convert({"name": "test", "steps": name(given_steps)}, FlowSpec)
    spec.check()
    return spec


def answered(order: Order) -> Entry:
    """Return what the function comes to, which follows from the order alone."""
    match order.function:
        case "echo":
            result = order.body
        case "count":
            result = len(str(order.body))
        case "list":
            result = [order.body]
        case "flaky" if order.attempt > 1:
            result = "at last"
        case _:
            error = FlowError(code=order.function, message="No.", step=order.path)
            return Failed(path=order.path, attempt=order.attempt, error=error)
    return Ended(path=order.path, attempt=order.attempt, result=result)


class World:
    """A run with everything around it, which can be killed."""

    def __init__(self, spec: FlowSpec, decide: "Decide", log: Sequence[Logged] = ()) -> None:
        self._decide = decide
        self.run = FlowRun(id="r", namespace="n", flow="test", spec=spec, input={"n": 1}, started_unix_ms=START)
        self.steps = {step.name: step for step in every(spec.steps)}
        self.now = START
        self.log = list(log)
        self.records = Records(log)
        self.plan = Plan()
        self.signals = 0
        self.decide()

    @property
    def end(self) -> Finished | None:
        return self.records.finished

    def kill(self) -> None:
        self.records = Records(self.log)
        self.decide()

    def decide(self) -> None:
        for _ in range(1000):
            self.plan = self._decide(self.run, self.records, self.now)
            for entry in self.plan.entries:
                self.log.append(Logged(len(self.log) + 1, self.now, entry))
            if not 0 < self.plan.wake_unix_ms <= self.now:
                return
        raise AssertionError("it never comes to rest")

    def write(self, entry: Entry) -> None:
        self.log.append(Logged(len(self.log) + 1, self.now, entry))
        self.records.take(entry, self.now)
        self.decide()

    def moves(self) -> list[Any]:
        """Return what may happen next."""
        if self.end is not None:
            return []
        moves: list[Any] = [("answer", at) for at in range(len(self.plan.orders))]
        for path, record in self.records.places.items():
            step = self.steps[path.rpartition(".")[2]]
            if isinstance(step, Wait | Approval) and record.is_open and record.judged is None and self.is_live(path):
                moves.append(("tell", path))
        if self.plan.wake_unix_ms < START + self.run.spec.timeout_ms:
            moves.append(("wake", 0))
        return moves

    def is_live(self, path: str) -> bool:
        """Whether the attempts and catches around the place are those under way."""
        while "." in path:
            path, _, _ = path.rpartition(".")
            before, dot, name = path.rpartition(".")
            name, _, within = name.partition("~")
            record = self.records.places.get(before + dot + name)
            if record is None:  # a branch
                continue
            if record.settled if within == "catch" else not record.is_open or record.attempt != int(within or 1):
                return False
        return True

    def move(self, move: Any) -> None:
        kind, what = move
        if kind == "answer":
            self.write(answered(self.plan.orders[what]))
        elif kind == "wake":
            self.now = max(self.now, self.plan.wake_unix_ms)
            self.decide()
        else:
            step = self.steps[what.rpartition(".")[2]]
            if isinstance(step, Wait):
                self.signals += 1
                self.write(Signalled(id=str(self.signals), event=step.event, payload=step.event))
            else:
                attempt = self.records.places[what].attempt
                self.write(Judged(path=what, attempt=attempt, approved=len(what) % 2 == 0, by="ada"))


def faults(spec: FlowSpec, log: list[Logged]) -> list[str]:
    """Return what is wrong with a log; nothing, ever."""
    before = dict(predecessors(spec.steps))
    wrong, attempts, settled, under_way, over = [], dict[str, int](), set[str](), set[str](), False
    for logged in log:
        entry = logged.entry
        if over:
            wrong.append(f"{entry} after the end")
        if isinstance(entry, Begun):
            if entry.attempt != attempts.get(entry.path, 0) + 1 or entry.path in settled | under_way:
                wrong.append(f"{entry.path} begins attempt {entry.attempt} after {attempts.get(entry.path)}")
            attempts[entry.path] = entry.attempt
            under_way.add(entry.path)
            prefix, _, name = entry.path.rpartition(".")
            earlier = before[name]
            if earlier and f"{prefix}.{earlier}".lstrip(".") not in settled:
                wrong.append(f"{entry.path} begins before {earlier} is settled")
        elif isinstance(entry, Ended | Failed):
            # What failed may still be mended by its catch.
            if entry.path not in attempts or entry.path in settled:
                wrong.append(f"{entry.path} ends, and was not begun or is settled")
            under_way.discard(entry.path)
            settled |= {entry.path} if isinstance(entry, Ended) else set()
        over = isinstance(entry, Finished)
    return wrong


def predecessors(steps: tuple[Step, ...]) -> list[tuple[str, str]]:
    pairs, last = [], ""
    for step in steps:
        pairs.append((step.name, last))
        last = step.name
        for _, within in inner(step):
            pairs += predecessors(within)
    return pairs


Decide = Callable[[FlowRun, Records, int], Plan]


def play(spec: FlowSpec, choose: Callable[[int], int], kills: Callable[[], bool], decide: Decide) -> World:
    world = World(spec, decide)
    for _ in range(5000):
        moves = world.moves()
        if not moves:
            break
        world.move(moves[choose(len(moves))])
        if kills():
            world.kill()
    assert world.end is not None, f"it is stuck: {spec}"
    return world


def check_story(steps: list[dict[str, Any]], data: st.DataObject, decide: Decide) -> None:
    spec = named(steps)
    calm = play(spec, lambda _: 0, lambda: False, decide)
    random = data.draw(st.randoms(use_true_random=False))
    wild = play(spec, random.randrange, lambda: random.random() < 0.3, decide)
    assert faults(spec, calm.log) == []
    assert faults(spec, wild.log) == []
    assert wild.end == calm.end


@given(steps=sequences(), data=st.data())
@settings(max_examples=150, deadline=None)
def test_whatever_comes_first_and_wherever_it_is_killed_a_run_comes_to_the_same(
    steps: list[dict[str, Any]], data: st.DataObject
) -> None:
    check_story(steps, data, flow.decide)


@given(steps=sequences(), data=st.data())
@settings(max_examples=75, deadline=None)
def test_what_was_decided_and_not_written_is_decided_again(steps: list[dict[str, Any]], data: st.DataObject) -> None:
    world = World(named(steps), flow.decide)
    random = data.draw(st.randoms(use_true_random=False))
    for _ in range(20):
        cut = random.randrange(len(world.log) + 1)
        plans = [flow.decide(world.run, Records(world.log[:cut]), world.now) for _ in range(2)]
        assert plans[0] == plans[1]
        moves = world.moves()
        if not moves:
            break
        world.move(moves[random.randrange(len(moves))])
    assert flow.decide(world.run, Records(world.log), world.now).orders == world.plan.orders


GUARDS = {
    "an attempt under way is not begun again": (
        "if record.attempt and not record.ended_unix_ms:", "if record.attempt > 1 and not record.ended_unix_ms:",
    ),
    "what is settled stays": (
        "            if record.settled:\n                return Done(record.result)\n", "",
    ),
    "a step waits for those before it": (
        "            if not isinstance(outcome, Done):\n                return outcome\n            scope[step.name]",
        "            if isinstance(outcome, FlowError):\n                return outcome\n"
        "            if outcome is None:\n                continue\n            scope[step.name]",
    ),
    "an earlier one under way may still decide": (
        "return None if busy else failed", "return failed if failed else None if busy else None",
    ),
    "attempts are counted": ("attempt, meter = record.attempt + 1,", "attempt, meter = 1,"),
    "what was chosen stays chosen": ("at = record.input\n", "at = 0 if len(self._entries) % 2 else None\n"),
}  # fmt: skip


@pytest.mark.parametrize("guard", GUARDS)
def test_each_guard_is_needed(guard: str, tmp_path: Path) -> None:
    source, (there, instead) = Path(flow.__file__).read_text(), GUARDS[guard]
    assert source.count(there) == 1
    path = tmp_path / "unguarded.py"
    path.write_text(source.replace(there, instead))
    spec = importlib.util.spec_from_file_location("unguarded", path)
    assert spec is not None
    assert spec.loader is not None
    unguarded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(unguarded)

    @given(steps=sequences(), data=st.data())
    @settings(max_examples=2000, deadline=None, phases=[Phase.generate], derandomize=True)
    def story(steps: list[dict[str, Any]], data: st.DataObject) -> None:
        check_story(steps, data, unguarded.decide)

    with pytest.raises((AssertionError, LookupError, RecursionError, ExceptionGroup)):
        story()


@given(steps=sequences(), data=st.data())
@settings(max_examples=150, deadline=None)
def test_a_run_that_goes_on_from_any_step_of_another_comes_to_the_same(
    steps: list[dict[str, Any]], data: st.DataObject
) -> None:
    spec = named(steps)
    random = data.draw(st.randoms(use_true_random=False))
    first = play(spec, random.randrange, lambda: False, flow.decide)
    place = random.choice(list(first.records.places))
    log = kept(spec, first.log, place, START)
    again = World(spec, flow.decide, log)
    for _ in range(5000):
        moves = again.moves()
        if not moves:
            break
        again.move(moves[0])
    assert faults(spec, again.log) == []
    assert again.end == first.end


@given(steps=sequences(), data=st.data())
@settings(max_examples=75, deadline=None)
def test_a_view_says_of_each_place_what_is_true(steps: list[dict[str, Any]], data: st.DataObject) -> None:
    world = World(named(steps), flow.decide)
    random = data.draw(st.randoms(use_true_random=False))
    for _ in range(random.randrange(1, 30)):
        seen = {each.path: each for each in view(world.run.spec, world.records)}
        assert list(seen) == list(world.records.places)
        for order in world.plan.orders:
            assert seen[order.path].state == "running"
        for each in seen.values():
            assert (each.state == "done") is world.records.places[each.path].settled
            assert each.state != "stopped" or world.end is not None or "." in each.path
        moves = world.moves()
        if not moves:
            assert not {"running", "waiting", "retrying"} & {each.state for each in seen.values()}
            break
        world.move(moves[random.randrange(len(moves))])
