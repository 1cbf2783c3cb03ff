"""The schedule: due times, priorities, turns and limits."""

from hypothesis import given, settings
from hypothesis import strategies as st

from dayfly.model.queued import PRIORITIES
from dayfly.queue.schedule import Schedule


def taken(schedule: Schedule, now: float, count: int = 100) -> list[str]:
    """Return the calls that would run now, none of which ends."""
    found = (schedule.take(now) for _ in range(count))
    return [turn[0] for turn in found if turn is not None]


def test_nothing_runs_before_it_is_due() -> None:
    schedule = Schedule(10)
    schedule.add("later", "f", "normal", 5.0)
    schedule.add("now", "f", "normal", 1.0)
    assert schedule.next_due() == 1.0
    assert taken(schedule, 1.0) == ["now"]
    assert schedule.next_due() == 5.0
    assert taken(schedule, 4.9) == []
    assert taken(schedule, 5.0) == ["later"]
    assert schedule.next_due() is None


def test_higher_priorities_come_first_and_equal_ones_in_order() -> None:
    schedule = Schedule(10)
    for number, priority in enumerate(("low", "normal", "high", "normal", "high")):
        schedule.add(f"{priority}{number}", "f", priority, 0.0)  # type: ignore[arg-type] # they are priorities
    assert taken(schedule, 0.0) == ["high2", "high4", "normal1", "normal3", "low0"]


def test_functions_take_turns() -> None:
    schedule = Schedule(100)
    for number in range(5):
        schedule.add(f"busy{number}", "busy", "normal", 0.0)
    schedule.add("rare", "rare", "normal", 0.0)
    assert "rare" in taken(schedule, 0.0, count=2)


def test_no_function_has_more_running_than_its_limit() -> None:
    schedule = Schedule(2)
    for number in range(4):
        schedule.add(f"a{number}", "a", "normal", 0.0)
        schedule.add(f"b{number}", "b", "normal", 0.0, limit=1)
    assert sorted(taken(schedule, 0.0)) == ["a0", "a1", "b0"]
    schedule.done("b")
    assert taken(schedule, 0.0) == ["b1"]
    schedule.done("a")
    schedule.done("a")
    assert taken(schedule, 0.0) == ["a2", "a3"]


def test_what_is_added_anew_counts_once_and_at_its_new_time() -> None:
    schedule = Schedule(10)
    schedule.add("x", "f", "normal", 1.0)
    schedule.add("x", "f", "normal", 3.0)
    assert schedule.next_due() == 3.0
    assert taken(schedule, 2.0) == []
    assert taken(schedule, 3.0) == ["x"]
    assert taken(schedule, 9.0) == []


def test_what_is_discarded_does_not_run() -> None:
    schedule = Schedule(10)
    for name in ("x", "y", "z"):
        schedule.add(name, "f", "normal", 0.0)
    schedule.discard("x")
    assert taken(schedule, 0.0, count=1) == ["y"]
    schedule.discard("z")
    schedule.discard("z")
    assert taken(schedule, 0.0) == []
    assert schedule.next_due() is None


@settings(max_examples=60)
@given(
    st.lists(
        st.tuples(
            st.sampled_from("abc"), st.sampled_from(PRIORITIES), st.floats(0, 10), st.booleans(), st.integers(1, 3)
        ),
        max_size=40,
    )
)
def test_every_call_runs_exactly_once_and_no_limit_is_passed(story: list[tuple[str, str, float, bool, int]]) -> None:
    schedule, limits = Schedule(2), {"a": 1, "b": 3, "c": 2}
    wanted = set()
    for number, (function, priority, due, discarded, _) in enumerate(story):
        limit = limits[function] if function != "c" else 0
        schedule.add(f"{number}", function, priority, due, limit)  # type: ignore[arg-type] # they are priorities
        if discarded:
            schedule.discard(f"{number}")
        else:
            wanted.add(f"{number}")
    ran: list[str] = []
    running: list[str] = []
    now = 0.0
    while now <= 10 or running:
        turn = schedule.take(now)
        if turn is not None:
            assert turn[0] not in ran
            ran.append(turn[0])
            running.append(turn[1])
            assert running.count(turn[1]) <= limits[turn[1]]
        elif running:
            schedule.done(running.pop(0))
        else:
            now += 0.5
    assert set(ran) == wanted


def test_a_function_that_is_held_lets_the_others_pass() -> None:
    schedule = Schedule(10)
    for number in range(3):
        schedule.add(f"held{number}", "held", "normal", 0.0)
        schedule.add(f"free{number}", "free", "normal", 0.0)
    assert taken(schedule, 0.0, count=1) == ["held0"]
    schedule.hold("held", 5.0)
    schedule.add("held3", "held", "high", 1.0)
    assert taken(schedule, 4.0) == ["free0", "free1", "free2"]
    schedule.done("held")
    assert taken(schedule, 4.0) == []
    assert schedule.next_due() == 5.0
    assert taken(schedule, 5.0) == ["held3", "held1", "held2"]
    assert schedule.next_due() is None
