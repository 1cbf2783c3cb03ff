"""A canary gets exactly its part of the calls, never more, and keeps nobody waiting; without a socket or a clock."""

from hypothesis import given
from hypothesis import strategies as st

from dayfly.gateway.admission import SUSPECT_S, Lane, Seat
from dayfly.gateway.metering import Meters
from dayfly.http1.pool import Pool
from dayfly.http1.sieve import Sieve
from dayfly.model.table import CANARY_BUCKETS_S, Endpoint, Entry, RevisionLoad

STABLE, CANARY = 4, 7


class Call:
    def __init__(self) -> None:
        self.seat: Seat | None = None

    def seated(self, seat: Seat) -> None:
        self.seat = seat

    def turned_away(self, lane: Lane) -> None:
        raise AssertionError(lane)


def entry(stable: int, canary: int, percent: int, *, limit: int = 0, revision: int = CANARY) -> Entry:
    numbers = [(STABLE, at) for at in range(stable)] + [(revision, at) for at in range(canary)]
    endpoints = tuple(Endpoint(f"{number}-{at}", f"unix:/{number}-{at}", number) for number, at in numbers)
    return Entry(
        name="a", namespace="ns", max_inflight=limit, endpoints=endpoints,
        canary=revision if percent else 0, canary_percent=percent,
    )  # fmt: skip


def lane(given: Entry, meters: Meters | None = None) -> Lane:
    return Lane(given, lambda address: Pool(address, Sieve(lambda _: False)), meters or Meters())


def revisions(of: Lane, calls: int) -> list[int]:
    """Whose seats calls get that end before the next begins."""
    found = []
    for _ in range(calls):
        seat = of.pick()
        assert seat is not None
        found.append(seat.endpoint.revision)
        of.leave(seat)
    return found


@given(st.integers(1, 99), st.integers(1, 3), st.integers(1, 3), st.integers(0, 250))
def test_any_hundred_calls_in_a_row_have_exactly_the_part(percent: int, stable: int, canary: int, at: int) -> None:
    taken = revisions(lane(entry(stable, canary, percent)), at + 100)
    assert taken[at:].count(CANARY) == percent


def test_the_part_is_spread_and_not_sent_in_one_go() -> None:
    taken = revisions(lane(entry(1, 1, 25)), 40)
    assert taken == [STABLE, STABLE, STABLE, CANARY] * 10


def test_without_a_canary_all_endpoints_are_equal() -> None:
    taken = revisions(lane(entry(1, 1, 0)), 10)
    assert sorted(taken) == [STABLE] * 5 + [CANARY] * 5


def test_on_either_side_the_emptiest_seat_is_taken_and_equal_ones_take_turns() -> None:
    of = lane(entry(2, 2, 50))
    taken = []
    for _ in range(8):
        seat = of.pick()
        assert seat is not None
        taken.append(seat)
    assert sorted(seat.endpoint.replica for seat in taken) == ["4-0", "4-0", "4-1", "4-1", "7-0", "7-0", "7-1", "7-1"]
    for seat in taken:
        of.leave(seat)
    replicas = []
    for _ in range(8):
        seat = of.pick()
        assert seat is not None
        replicas.append(seat.endpoint.replica)
        of.leave(seat)
    assert sorted(replicas) == ["4-0", "4-0", "4-1", "4-1", "7-0", "7-0", "7-1", "7-1"]


def test_a_call_that_finds_the_canary_full_goes_to_the_others() -> None:
    of = lane(entry(3, 1, 50, limit=1))
    seats = [of.pick() for _ in range(4)]
    assert [seat.endpoint.revision for seat in seats if seat] == [STABLE, CANARY, STABLE, STABLE]


def test_a_call_of_the_others_waits_for_them_and_never_falls_onto_the_canary() -> None:
    of = lane(entry(1, 1, 10, limit=1))
    busy = of.pick()
    assert busy is not None
    assert busy.endpoint.revision == STABLE
    waiting = [Call() for _ in range(20)]
    for call in waiting:
        assert of.pick() is None
        of.wait(call)
    served = [busy.endpoint.revision]
    while busy is not None:
        of.leave(busy)
        seated = [call for call in waiting if call.seat is not None]
        served += [call.seat.endpoint.revision for call in seated if call.seat]
        waiting = [call for call in waiting if call.seat is None]
        for call in seated:
            if call.seat is not None and call.seat.endpoint.revision == CANARY:
                of.leave(call.seat)
        busy = next((call.seat for call in seated if call.seat and call.seat.endpoint.revision == STABLE), None)
    assert not waiting
    assert served == ([STABLE] * 9 + [CANARY]) * 2 + [STABLE]


def test_without_the_others_calls_starve_and_are_told_so_although_the_canary_is_free() -> None:
    of = lane(entry(0, 1, 10))
    call = Call()
    assert of.pick() is None
    of.wait(call)
    assert of.starving
    of.update(entry(1, 1, 10))
    assert call.seat is not None
    assert call.seat.endpoint.revision == STABLE


def test_a_canary_without_a_seat_costs_nobody_a_call() -> None:
    assert revisions(lane(entry(1, 0, 99)), 100) == [STABLE] * 100


def test_the_part_may_change_under_way_and_end() -> None:
    of = lane(entry(1, 1, 1))
    assert revisions(of, 100).count(CANARY) == 1
    of.update(entry(1, 1, 99))
    assert revisions(of, 100).count(CANARY) == 99
    of.update(entry(0, 1, 0))
    assert revisions(of, 10) == [CANARY] * 10


def test_an_update_that_changes_nothing_does_not_begin_the_part_anew() -> None:
    of = lane(entry(1, 1, 10))
    taken = []
    for _ in range(100):
        taken += revisions(of, 1)
        of.update(entry(1, 1, 10))
    assert taken.count(CANARY) == 10


def test_suspects_of_either_side_come_back_to_their_own() -> None:
    of = lane(entry(1, 1, 10))
    sides = {}
    for _ in range(10):
        seat = of.pick()
        assert seat is not None
        of.leave(seat)
        sides[seat.endpoint.revision] = seat
    of.suspect(sides[CANARY], 100)
    assert revisions(of, 50) == [STABLE] * 50
    of.suspect(sides[STABLE], 100)
    assert of.pick() is None
    of.reconsider(100 + SUSPECT_S)
    assert revisions(of, 100).count(CANARY) == 10


def test_calls_are_counted_by_revision_while_a_canary_runs_and_only_then() -> None:
    meters = Meters()
    of = lane(entry(1, 1, 0), meters)
    assert all(seat.tally is None for seat in of.seats)
    of.update(entry(1, 1, 50))
    for status, seconds in ((200, 0.00005), (500, 0.2), (499, 1000.0), (404, 0.0001)):
        seat = of.pick()
        assert seat is not None
        assert seat.tally is not None
        seat.tally.count(status, seconds)
        of.leave(seat)
    of.meter.started = 4
    stable, canary = meters.all(1).functions[0].revisions
    assert (stable.revision, stable.calls, stable.failed) == (STABLE, 2, 0)
    assert (canary.revision, canary.calls, canary.failed) == (CANARY, 2, 1)
    assert stable.buckets[0] == 1
    assert stable.buckets[len(CANARY_BUCKETS_S)] == 1
    at = canary.buckets.index(1, 1)
    assert canary.buckets[0] == 1
    assert CANARY_BUCKETS_S[at - 1] < 0.2 <= CANARY_BUCKETS_S[at]
    of.update(entry(1, 1, 0))
    told = meters.changed()
    assert told is not None
    assert told.functions[0].revisions == ()
    assert all(seat.tally is None for seat in of.seats)


def test_another_canary_begins_at_zero_and_the_same_one_goes_on() -> None:
    meters = Meters()
    of = lane(entry(1, 1, 50), meters)
    of.meter.started = 1
    first = of.pick()
    assert first is not None
    assert first.tally is not None
    first.tally.count(200, 1.0)
    of.update(entry(1, 2, 60))
    assert [each.calls for each in meters.all(1).functions[0].revisions] == [1, 0]
    of.update(entry(1, 1, 60, revision=8))
    assert meters.all(2).functions[0].revisions == tuple(
        RevisionLoad(number, 0, 0, (0,) * (len(CANARY_BUCKETS_S) + 1)) for number in (STABLE, 8)
    )


def test_a_function_removed_with_a_canary_leaves_no_figures_of_it() -> None:
    meters = Meters()
    of = lane(entry(1, 1, 50), meters)
    of.meter.started = 1
    of.remove()
    assert meters.all(1).functions[0].revisions == ()


@given(
    st.lists(st.integers(0, 4), max_size=80),
    st.integers(1, 99),
    st.integers(0, 2),
    st.integers(0, 2),
    st.integers(0, 2),
)
def test_whatever_happens_the_canary_never_has_more_than_its_part(
    steps: list[int], percent: int, stable: int, canary: int, limit: int
) -> None:
    of = lane(entry(stable, canary, percent, limit=limit))
    working: list[Seat] = []
    waiting: list[Call] = []
    began = {STABLE: 0, CANARY: 0}
    for step in steps:
        if step <= 1:
            seat = of.pick()
            if seat is not None:
                working.append(seat)
                began[seat.endpoint.revision] += 1
            else:
                waiting.append(Call())
                of.wait(waiting[-1])
        elif step == 2 and working:
            of.leave(working.pop(0))
        elif step == 3 and waiting:
            of.give_up(waiting.pop())
        elif step == 4 and working:
            of.suspect(working[-1], 0)
            of.reconsider(SUSPECT_S)
        for call in [call for call in waiting if call.seat is not None]:
            waiting.remove(call)
            assert call.seat is not None
            working.append(call.seat)
            began[call.seat.endpoint.revision] += 1
        assert began[CANARY] * 100 <= sum(began.values()) * percent
        if limit:
            assert all(seat.outstanding <= limit for seat in of.seats)
        if waiting:
            assert all(limit and seat.outstanding >= limit for seat in of.seats)
