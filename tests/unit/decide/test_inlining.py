"""The decision inline or thread: quick handlers stay inline, slow ones leave, nobody moves to and fro."""

from hypothesis import given
from hypothesis import strategies as st

from dayfly.decide.inlining import (
    DEBT_S,
    FORGIVEN,
    MAX_STAY_S,
    QUICK_S,
    STAY_S,
    TRIAL_CALLS,
    Inlining,
    after_inline,
    after_thread,
)


def run(state: Inlining, now: float, calls: list[float], pause_s: float = 0.0) -> tuple[Inlining, float, int]:
    """Make calls one after another; return the state, the time and the moves to threads."""
    moves = 0
    for took in calls:
        now += pause_s + took
        before = state.inline
        state = after_inline(state, took, now) if before else after_thread(state, took, now)
        moves += before and not state.inline
    return state, now, moves


INLINE = run(Inlining(), 100.0, [0.0001] * TRIAL_CALLS)[0]

quick = st.floats(0, QUICK_S)
slow = st.floats(DEBT_S * 1.01, 100)
times = st.floats(0, 10)


def test_a_handler_begins_on_threads_and_moves_inline_after_its_trial() -> None:
    assert not Inlining().inline
    assert not run(Inlining(), 0.0, [0.0001] * (TRIAL_CALLS - 1))[0].inline
    assert INLINE.inline


@given(st.lists(quick, max_size=200), st.floats(0, 5))
def test_quick_calls_stay_inline(calls: list[float], pause_s: float) -> None:
    state, _, moves = run(INLINE, 100.0, calls, pause_s)
    assert state.inline
    assert moves == 0


@given(st.lists(quick, max_size=50), slow)
def test_one_long_call_moves_the_handler_at_once(before: list[float], took: float) -> None:
    state, now, _ = run(INLINE, 100.0, before)
    assert not run(state, now, [took])[0].inline


@given(st.floats(QUICK_S * 1.5, 1.0))
def test_calls_that_are_slow_steadily_are_moved(took: float) -> None:
    calls = int(DEBT_S / (took * (1 - FORGIVEN))) + 1
    assert not run(INLINE, 100.0, [took] * calls)[0].inline


@given(st.integers(1, 500))
def test_a_rare_hiccup_is_forgiven(count: int) -> None:
    hiccup = DEBT_S / 4
    pause_s = hiccup / FORGIVEN
    assert run(INLINE, 100.0, [hiccup] * count, pause_s)[0].inline


@given(st.lists(st.floats(QUICK_S * 1.01, 10), max_size=50), st.lists(quick, max_size=TRIAL_CALLS - 1))
def test_a_slow_handler_is_never_tried_inline(slow_calls: list[float], quick_calls: list[float]) -> None:
    assert not run(Inlining(), 0.0, slow_calls + quick_calls)[0].inline


@given(st.lists(st.one_of(quick, slow, times), min_size=1, max_size=300))
def test_moves_become_ever_rarer(calls: list[float]) -> None:
    state, now, moves = run(Inlining(), 0.0, calls)
    # Between the n-th move and the next lie at least STAY_S doubled n times, up to the longest stay.
    least = sum(min(MAX_STAY_S, STAY_S * 2.0**n) for n in range(moves - 1))
    assert now >= least
    assert state.moves == moves or now > MAX_STAY_S


@given(slow, st.integers(1, 30))
def test_a_handler_that_alternates_ends_on_threads(took: float, rounds: int) -> None:
    state, now = Inlining(), 0.0
    for _ in range(rounds * 50):
        state, now, _ = run(state, now, [0.0001] * TRIAL_CALLS + [took])
    assert state.moves <= 12 + now / MAX_STAY_S


def test_after_a_long_time_inline_the_past_is_forgotten() -> None:
    state, now, _ = run(INLINE, 100.0, [1.0])
    state, now, _ = run(state, now + 2 * STAY_S, [0.0001] * TRIAL_CALLS)
    state = after_inline(state, 1.0, now + 2 * MAX_STAY_S)
    assert (state.inline, state.moves) == (False, 1)


@given(st.booleans(), times, times, times)
def test_a_call_begun_before_a_move_changes_nothing(inline: bool, took: float, at: float, x: float) -> None:
    state = Inlining(inline=inline, since=x)
    assert (after_thread if inline else after_inline)(state, took, at) == state
