"""How many replicas a function should have, from the calls it has.

While it is awake a function has the replicas its load asks for (see `pressure`), within the policy's bounds. Between
what the load asks for and what it would ask for with a little more there is room in which the number stays as it is, so
that a load near a threshold does not start and stop a replica all the time. A function without a call for `idle_s`
goes to zero when its policy allows that, and comes back on demand with `max(min, 1)` replicas: one burst of waiting
calls says nothing yet about how long they take, and the first replica is there in milliseconds; the next load report
says whether it is enough.

A number set by hand stands until a deployment or until it is given back, but a call to a function set to zero still
wakes one replica, which goes again after `idle_s`.
"""

import msgspec

from dayfly.decide.events import LoadObserved
from dayfly.decide.pressure import REPORT_S, SLACK, Pressure, whole
from dayfly.model.scaling import ScalingPolicy


class Scaling(msgspec.Struct, gc=False):
    """What the scaler remembers of one function."""

    wanted: int = 0
    """Replicas wanted now."""
    load: int = 0
    """Calls worked on and waiting, as last seen."""
    started: int = 0
    finished: int = 0
    """Calls ever begun and ever finished, as last seen."""
    cpu_s: float = 0.0
    """Processor time ever used, as last seen."""
    read_at: float | None = None
    """When the counter that is the signal was last read; None for never."""
    busy_at: float = 0.0
    """When a call was last seen to run, wait or have finished."""
    pressure: Pressure | None = None
    """None while there is no load to remember."""


def awake(policy: ScalingPolicy) -> int:
    """Return the replicas of a function that is awake and has nothing to do."""
    return max(policy.minimum, 1)


def needed(policy: ScalingPolicy, load: float) -> int:
    """Return the replicas that carry `load` of the policy's signal, within its bounds."""
    return _within(policy, whole(load / policy.share))


def deploy(state: Scaling, policy: ScalingPolicy, now: float) -> None:
    """A new revision serves: begin with the policy's number, or with what the present load needs."""
    state.busy_at = now
    present = needed(policy, state.load) if policy.signal == "capacity" else awake(policy)
    if state.pressure is not None and state.pressure.signal == policy.signal:
        state.pressure.under(policy, now)
        present = max(present, _asked_for(state, policy, now)[0])
    elif state.pressure is not None:
        # What was seen of another signal says nothing of this one, so that the number stays until this one is known.
        present, state.pressure = max(present, state.wanted), None
        if policy.signal == "capacity" and state.load:
            _pressure(state, policy, now).level(state.load, 0, now)
    _keep(state, policy, present, now)


def resume(state: Scaling, policy: ScalingPolicy, asked: int | None, running: int, now: float) -> None:
    """The control plane is back and found `running` replicas: keep them; start none that may be at zero."""
    state.busy_at = now
    if asked is not None:
        state.wanted = asked or min(running, 1)
    elif running or not policy.to_zero:
        _keep(state, policy, running, now)


def by_hand(state: Scaling, policy: ScalingPolicy, asked: int | None, now: float) -> None:
    """Somebody asked for a number of replicas, or gave it back (None), from which moment the load decides."""
    state.busy_at = now
    if asked is not None:
        state.wanted = asked
    elif state.wanted or not policy.to_zero or state.load:
        _keep(state, policy, state.wanted, now)


def demand(state: Scaling, policy: ScalingPolicy, asked: int | None, now: float) -> None:
    """Calls wait: a function at zero wakes."""
    state.busy_at = now
    if state.wanted == 0:
        state.wanted = 1 if asked is not None else awake(policy)


def observe(state: Scaling, policy: ScalingPolicy, seen: LoadObserved, now: float) -> None:
    """Take in what the gateways count; `settle` draws the conclusion."""
    load = seen.inflight + seen.waiting
    if load or state.load or seen.finished != state.finished or seen.started != state.started:
        state.busy_at = now
    # A counter that fell has begun anew, and says nothing of what was before.
    begun = max(0, seen.started - state.started)
    state.load, state.started, state.finished = load, seen.started, seen.finished
    if policy.signal == "capacity" and (load or state.pressure is not None):
        _pressure(state, policy, now).level(seen.inflight, seen.waiting, now)
    elif policy.signal == "rps" and begun:
        # Gateways report every second if anything changed, so that calls are never older than that.
        since = now - REPORT_S if state.read_at is None else max(state.read_at, now - REPORT_S)
        _pressure(state, policy, now).count(begun, since, now)
    if policy.signal == "rps":
        state.read_at = now


def observe_cpu(state: Scaling, policy: ScalingPolicy, cpu_s: float, now: float) -> None:
    """Take in the processor time ever used by the function's replicas, in seconds."""
    used_s = cpu_s - state.cpu_s
    if policy.signal == "cpu" and used_s > 0 and state.read_at is not None:
        _pressure(state, policy, now).count(used_s * 1000, state.read_at, now)
    state.cpu_s, state.read_at = cpu_s, now


def settle(state: Scaling, policy: ScalingPolicy, asked: int | None, now: float) -> None:
    """Bring `wanted` up to date."""
    if asked:
        state.wanted = asked
    elif state.wanted and _may_rest(policy, asked) and state.load == 0 and now >= state.busy_at + policy.idle_s:
        state.wanted = 0
    elif state.wanted and asked is None:
        least, most = _asked_for(state, policy, now)
        state.wanted = min(max(state.wanted, least), most)
    if state.pressure is not None and state.pressure.is_spent(now):
        state.pressure = None


def next_changes(state: Scaling, policy: ScalingPolicy, asked: int | None) -> list[float]:
    """Return when `settle` could change `wanted` if nothing else happened; empty for never."""
    times = []
    if state.wanted and state.load == 0 and _may_rest(policy, asked):
        times.append(state.busy_at + policy.idle_s)
    if asked is None and state.wanted and state.pressure is not None:
        look = state.pressure.next_change()
        rises = _within(policy, whole(state.pressure.bound(policy) * (1 + SLACK))) > state.wanted
        if look is not None and (rises or state.wanted > awake(policy)):
            times.append(look)
    return times


def _may_rest(policy: ScalingPolicy, asked: int | None) -> bool:
    return asked == 0 if asked is not None else policy.to_zero


def _asked_for(state: Scaling, policy: ScalingPolicy, now: float) -> tuple[int, int]:
    """Return the fewest replicas that are enough for the load, and the most that may stay for it."""
    if state.pressure is None:
        return awake(policy), awake(policy)
    replicas = state.pressure.settle(policy, now)
    return _within(policy, whole(replicas)), _within(policy, whole(replicas * (1 + SLACK)))


def _keep(state: Scaling, policy: ScalingPolicy, replicas: int, now: float) -> None:
    """Have this many replicas, within bounds, for a down window at least."""
    state.wanted = _within(policy, replicas)
    if state.wanted > awake(policy):
        _pressure(state, policy, now).hold(state.wanted, policy, now)


def _pressure(state: Scaling, policy: ScalingPolicy, now: float) -> Pressure:
    if state.pressure is None:
        state.pressure = Pressure(policy, now)
    return state.pressure


def _within(policy: ScalingPolicy, replicas: int) -> int:
    return min(max(replicas, awake(policy)), policy.maximum)
