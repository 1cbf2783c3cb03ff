"""Where a plain function runs: on the replica's event loop, or on a thread.

A hop to a thread and back costs more than everything else a call does, so a handler that is quick runs inline. A
handler that waits or computes for long would hold up every other call, so it runs on threads. Nobody tells us which it
is; the time it takes does.

A handler begins on threads and moves inline once `TRIAL_CALLS` calls in a row were quick. Inline, each call that is not
quick adds the time it held the loop to a debt; the debt is forgiven at `FORGIVEN` seconds a second. Once it is more
than `DEBT_S` the handler moves to threads, and stays there for a time that doubles with every move, so that a handler
that is quick and slow by turns ends on threads instead of moving to and fro. A machine that is busy elsewhere makes a
quick call look slow now and then: that debt is forgiven before it matters.
"""

import msgspec

QUICK_S = 0.001
"""A call as short as this is better run inline, whatever it does: a hop costs a tenth of it."""
TRIAL_CALLS = 4
"""Quick calls in a row before a handler is run inline."""
DEBT_S = 0.05
"""Seconds that slow calls may hold the loop before the handler is moved."""
FORGIVEN = 0.02
"""Share of time that slow calls may hold the loop for ever."""
STAY_S = 1.0
"""How long a handler stays on threads after its first move, in seconds."""
MAX_STAY_S = 600.0
"""The longest it stays there; a handler inline for this long without a move begins anew."""


class Inlining(msgspec.Struct, frozen=True):
    """One handler's state. Times are seconds of one monotonic clock."""

    inline: bool = False
    streak: int = 0
    """Quick calls in a row on threads."""
    debt_s: float = 0.0
    since: float = 0.0
    """When the debt was last reckoned."""
    moves: int = 0
    """Moves to threads not yet forgotten."""
    until: float = 0.0
    """Not inline again before this time."""


def after_thread(state: Inlining, took_s: float, now: float) -> Inlining:
    """Return the state after a call on a thread that took `took_s` seconds and ended at `now`."""
    if state.inline:  # begun before the move
        return state
    if took_s > QUICK_S:
        return Inlining(moves=state.moves, until=state.until) if state.streak else state
    streak = min(state.streak + 1, TRIAL_CALLS)
    inline = streak >= TRIAL_CALLS and now >= state.until
    return Inlining(inline=inline, streak=streak, since=now, moves=state.moves, until=state.until)


def after_inline(state: Inlining, took_s: float, now: float) -> Inlining:
    """Return the state after a call on the loop; a quick one changes nothing and need not be told."""
    if not state.inline or took_s <= QUICK_S:
        return state
    debt = max(0.0, state.debt_s - FORGIVEN * (now - state.since)) + took_s
    moves = 0 if now - state.until > MAX_STAY_S else state.moves
    if debt <= DEBT_S:
        return Inlining(inline=True, debt_s=debt, since=now, moves=moves, until=state.until)
    stay = min(MAX_STAY_S, STAY_S * 2.0**moves)
    return Inlining(moves=moves + 1, until=now + stay)
