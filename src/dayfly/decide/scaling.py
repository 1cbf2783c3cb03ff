"""How many replicas a function should have, from the calls it has.

Load is calls worked on plus calls waiting, and a replica is meant to carry `target` of them. More replicas are wanted
the moment the load asks for them; fewer only after the load has asked for fewer during the whole of DOWN_WINDOW_S, and
then as many as its highest moment in that window needed, so that a load that swings does not start and stop replicas
all the time. A function without a call for `idle_s` goes to zero when its policy allows that, and comes back on demand
with `max(min, 1)` replicas: one burst of waiting calls says nothing yet about how long they take, and the first replica
is there in milliseconds; the next load report says whether it is enough.

A number set by hand stands until a deployment or until it is given back, but a call to a function set to zero still
wakes one replica, which goes again after `idle_s`.
"""

import msgspec

from dayfly.model.scaling import ScalingPolicy

DOWN_WINDOW_S = 60.0
"""How long the load must ask for fewer replicas before there are fewer. A replica too many costs a few MiB, one too
few costs callers; a minute outlasts the pauses between the polls and batches that make load swing."""


class Scaling(msgspec.Struct, gc=False):
    """What the scaler remembers of one function."""

    wanted: int = 0
    """Replicas wanted now."""
    load: int = 0
    finished: int = 0
    """Calls ever finished, as last seen."""
    busy_at: float = 0.0
    """When a call was last seen to run, wait or have finished."""
    low_since: float | None = None
    """Since when the load asks for fewer than `wanted`."""
    low_peak: int = 0
    """The most it asked for since then."""


def awake(policy: ScalingPolicy) -> int:
    """Return the replicas of a function that is awake and has nothing to do."""
    return max(policy.minimum, 1)


def needed(policy: ScalingPolicy, load: int) -> int:
    """Return the replicas that carry `load` calls, within the policy's bounds."""
    return min(max(-(-load // policy.target), awake(policy)), policy.maximum)


def deploy(state: Scaling, policy: ScalingPolicy, now: float) -> None:
    """A new revision serves: begin with the policy's number, or with what the present load needs."""
    _set(state, needed(policy, state.load))
    state.busy_at = now


def resume(state: Scaling, policy: ScalingPolicy, asked: int | None, running: int, now: float) -> None:
    """The control plane is back and found `running` replicas: keep them; start none that may be at zero."""
    state.busy_at = now
    if asked is not None:
        _set(state, asked or min(running, 1))
    elif running or not policy.to_zero:
        _set(state, min(max(running, awake(policy)), policy.maximum))


def by_hand(state: Scaling, policy: ScalingPolicy, asked: int | None, now: float) -> None:
    """Somebody asked for a number of replicas, or gave it back (None), from which moment the load decides."""
    state.busy_at = now
    if asked is not None:
        _set(state, asked)
    elif state.wanted or not policy.to_zero or state.load:
        _set(state, max(state.wanted, needed(policy, state.load)))


def demand(state: Scaling, policy: ScalingPolicy, asked: int | None, now: float) -> None:
    """Calls wait: a function at zero wakes."""
    state.busy_at = now
    if state.wanted == 0:
        _set(state, 1 if asked is not None else awake(policy))


def observe(state: Scaling, load: int, finished: int, now: float) -> None:
    """Take in what the gateways count; `settle` draws the conclusion."""
    if load or state.load or finished != state.finished:
        state.busy_at = now
    state.load = load
    state.finished = finished


def settle(state: Scaling, policy: ScalingPolicy, asked: int | None, now: float) -> None:
    """Bring `wanted` up to date."""
    if asked:
        _set(state, asked)
    elif state.wanted == 0:
        return
    elif _may_rest(policy, asked) and state.load == 0 and now >= state.busy_at + policy.idle_s:
        _set(state, 0)
    elif asked is None:
        _follow_load(state, policy, now)


def next_change(state: Scaling, policy: ScalingPolicy, asked: int | None) -> float | None:
    """Return when `settle` would change `wanted` if nothing else happened; None for never."""
    times = []
    if state.wanted and state.load == 0 and _may_rest(policy, asked):
        times.append(state.busy_at + policy.idle_s)
    if state.low_since is not None:
        times.append(state.low_since + DOWN_WINDOW_S)
    return min(times, default=None)


def _may_rest(policy: ScalingPolicy, asked: int | None) -> bool:
    return asked == 0 if asked is not None else policy.to_zero


def _follow_load(state: Scaling, policy: ScalingPolicy, now: float) -> None:
    number = needed(policy, state.load)
    if number >= state.wanted:
        _set(state, number)
    elif state.low_since is None:
        state.low_since, state.low_peak = now, number
    elif now >= state.low_since + DOWN_WINDOW_S:
        _set(state, max(state.low_peak, number))
        settle(state, policy, None, now)
    else:
        state.low_peak = max(state.low_peak, number)


def _set(state: Scaling, wanted: int) -> None:
    state.wanted = wanted
    state.low_since = None
