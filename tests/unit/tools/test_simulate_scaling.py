"""The simulator counts right, on days small enough to count by hand."""

import xml.etree.ElementTree as Xml
from pathlib import Path

import pytest
from tools.simulate_scaling import __main__ as program
from tools.simulate_scaling.figures import measure, needed, table
from tools.simulate_scaling.plot import Panel, draw
from tools.simulate_scaling.policies import AlertStep, Plain, Policy, Windows
from tools.simulate_scaling.trace import Shape, Trace, concurrency, day
from tools.simulate_scaling.world import Service, World

from dayfly.decide import events as ev
from dayfly.model.scaling import PREFIX, ScalingPolicy

POLICY = ScalingPolicy(target=2, proportion=1.0, idle_s=60.0)
LABELS = {PREFIX + "target": "2", PREFIX + "target-proportion": "1", PREFIX + "zero-duration": "60s"}
SERVICE = Service(cold_start_s=0.5, per_replica=2, labels=LABELS)


def steady(calls_s: int, service_s: float, seconds: int) -> Trace:
    arrivals = [second + number / calls_s for second in range(1, seconds) for number in range(calls_s)]
    return Trace(arrivals, [service_s] * len(arrivals))


def test_a_seed_is_a_day() -> None:
    shape = Shape(seed=5, peak_rate=1, burst_rate=(1, 2))
    assert day(shape) == day(shape)
    assert day(shape) != day(Shape(seed=6, peak_rate=1, burst_rate=(1, 2)))
    arrivals = day(shape).arrivals
    assert arrivals == sorted(arrivals)
    assert 0 <= arrivals[0] <= arrivals[-1] < 86_400


def test_needed_is_what_would_carry_the_calls() -> None:
    trace = Trace([0.0, 0.5, 3.25], [1.5, 1.5, 0.5])
    assert concurrency(trace, 5) == [1.5, 1.5, 0, 0.5, 0]
    assert needed(trace, Service(per_replica=1), 5) == [2, 2, 0, 1, 0]


def test_a_call_at_night_waits_for_one_start_and_others_queue_in_order() -> None:
    trace = Trace([300.0, 300.1, 300.2, 300.3], [2.0, 2.0, 2.0, 2.0])
    outcome = World(trace, SERVICE, Windows(), 600).play()
    assert outcome.cold_starts == 4
    assert outcome.queue_s[:2] == pytest.approx([0.5, 0.4])
    assert 0.4 < outcome.queue_s[2] <= 2.3
    assert outcome.alive[200] == 0, "idle for a minute, it had gone"
    assert outcome.alive[301] >= 1
    assert outcome.replica_s == pytest.approx(sum(outcome.alive), abs=8)


@pytest.mark.parametrize("policy", [Windows(), Plain(POLICY, 2), AlertStep(POLICY)])
def test_every_call_is_served_and_steady_load_ends_without_waiting(policy: Policy) -> None:
    outcome = World(steady(16, 0.25, 600), SERVICE, policy, 620).play()
    assert max(outcome.queue_s[-1600:]) == 0
    assert outcome.alive[500] >= 2


def test_an_alert_on_calls_that_ended_is_blind_to_a_function_that_cannot_keep_up() -> None:
    outcome = World(steady(8, 0.5, 600), SERVICE, AlertStep(POLICY), 620).play()
    assert max(outcome.alive) == 1, "one replica ends four calls a second, and five are what is waited for"
    assert max(outcome.queue_s) > 100


def test_calls_that_are_never_served_have_waited_to_the_end() -> None:
    outcome = World(steady(1, 1e6, 100), SERVICE, Fixed(1), 100).play()
    assert sorted(outcome.queue_s)[-1] == pytest.approx(100 - 3, abs=1)


class Fixed:
    """A number that never changes."""

    title = "fixed"

    def __init__(self, number: int) -> None:
        self.number = number

    def report(self, _seen: ev.LoadObserved, _wanted: int, _now: float, /) -> int | None:
        return self.number


def test_a_fixed_number_costs_what_it_must() -> None:
    outcome = World(steady(2, 0.5, 100), SERVICE, Fixed(3), 100).play()
    figures = measure("fixed", outcome, sum(needed(steady(2, 0.5, 100), SERVICE, 100)))
    assert outcome.starts == 3
    assert figures.over == pytest.approx(3, abs=0.1)
    assert figures.waited == pytest.approx(0, abs=0.01)


def test_the_alert_climbs_step_by_step_and_falls_at_once() -> None:
    policy = AlertStep(ScalingPolicy(minimum=1, maximum=20, factor=20))
    wanted, path = 1, [1]
    for second in range(1, 400):
        finished = min(second, 200) * 6
        number = policy.report(ev.LoadObserved(3, 0, finished, finished), wanted, float(second))
        if number is not None and number != wanted:
            wanted = number
            path.append(number)
    assert path == [1, 5, 9, 13, 17, 20, 1]


def test_the_table_has_a_row_a_policy_and_the_picture_is_well_formed() -> None:
    trace = steady(2, 0.5, 100)
    outcome = World(trace, SERVICE, Windows(), 100).play()
    need = needed(trace, SERVICE, 100)
    assert len(table([measure("a", outcome, sum(need)), measure("b", outcome, sum(need))]).splitlines()) == 4
    picture = Xml.fromstring(draw([Panel("a < b", need, outcome.alive, 0, 100)]))  # noqa: S314 - our own
    assert len(picture.findall("{http://www.w3.org/2000/svg}path")) == 2


def test_the_program_plays_every_policy(tmp_path: Path) -> None:
    picture = tmp_path / "day.svg"
    rows = program.play(day(Shape(peak_rate=0.2, burst_rate=(1, 2), bursts=2)), Service(), 86_400, picture)
    assert [row.title for row in rows] == [Windows.title, Plain.title, AlertStep.title]
    assert picture.read_text().startswith("<svg")


def test_a_label_that_cannot_be_is_told(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program, "day", lambda _shape: Trace([0.0], [1.0]))
    assert program.main(["--label", "type=moon"]) == 2
    assert "scale.type" in capsys.readouterr().err
