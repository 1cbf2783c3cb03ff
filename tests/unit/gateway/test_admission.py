"""Seats and waiting, without a socket or a clock."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dayfly.gateway.admission import SUSPECT_S, Lane, Seat
from dayfly.gateway.metering import Meters
from dayfly.http1.pool import Pool
from dayfly.http1.sieve import Sieve
from dayfly.model.table import Allowed, Endpoint, Entry


class Call:
    def __init__(self) -> None:
        self.seat: Seat | None = None
        self.turned = 0
        self.turned_from: Lane | None = None

    def seated(self, seat: Seat) -> None:
        self.seat = seat

    def turned_away(self, lane: Lane) -> None:
        self.turned += 1
        self.turned_from = lane


def entry(*replicas: str, limit: int = 0, queue: int = 10, failing: str = "", address: str = "unix:/{}") -> Entry:
    endpoints = tuple(Endpoint(replica, address.format(replica), 1) for replica in replicas)
    return Entry(name="a", namespace="ns", max_inflight=limit, queue_limit=queue, endpoints=endpoints, failing=failing)


def lane(given: Entry) -> Lane:
    return Lane(given, lambda address: Pool(address, Sieve(lambda _: False)), Meters())


def picked(of: Lane) -> str:
    seat = of.pick()
    return seat.endpoint.replica if seat else ""


def test_the_seat_with_the_fewest_calls_is_taken() -> None:
    of = lane(entry("r1", "r2", "r3"))
    for seat, outstanding in zip(of.seats, (2, 1, 3), strict=True):
        seat.outstanding = outstanding
    assert picked(of) == "r2"
    assert sorted(picked(of) for _ in range(2)) == ["r1", "r2"]


def test_equal_seats_take_turns() -> None:
    of = lane(entry("r1", "r2", "r3"))
    taken = []
    for _ in range(6):
        seat = of.pick()
        assert seat is not None
        taken.append(seat.endpoint.replica)
        of.leave(seat)
    assert sorted(taken) == ["r1", "r1", "r2", "r2", "r3", "r3"]


def test_max_inflight_bounds_each_seat() -> None:
    for replicas in (("r1",), ("r1", "r2")):
        of = lane(entry(*replicas, limit=2))
        taken = [picked(of) for _ in range(2 * len(replicas))]
        assert sorted(taken) == sorted(replicas * 2)
        assert of.pick() is None


def test_the_longest_waiting_is_seated_first() -> None:
    of = lane(entry("r1", limit=1))
    seat = of.pick()
    assert seat is not None
    first, second = Call(), Call()
    assert of.wait(first)
    assert of.wait(second)
    assert of.meter.waiting == 2
    of.leave(seat)
    assert (first.seat, second.seat) == (seat, None)
    assert (seat.outstanding, of.meter.waiting) == (1, 1)


def test_the_queue_is_bounded_and_who_gives_up_makes_room() -> None:
    of = lane(entry(queue=2))
    calls = [Call() for _ in range(3)]
    assert [of.wait(call) for call in calls] == [True, True, False]
    of.give_up(calls[0])
    of.give_up(calls[0])
    assert of.meter.waiting == 1
    assert of.wait(calls[2])


def test_an_endpoint_releases_what_waits() -> None:
    of = lane(entry())
    calls = [Call() for _ in range(3)]
    for call in calls:
        of.wait(call)
    assert of.starving
    of.update(entry("r1", limit=2))
    assert [call.seat is not None for call in calls] == [True, True, False]
    assert not of.starving


def test_what_cannot_start_is_turned_away() -> None:
    of = lane(entry())
    call = Call()
    of.wait(call)
    of.update(entry(failing="it does not import"))
    assert call.turned == 1
    assert not of.waiting
    assert of.meter.waiting == 0


def test_a_failing_start_does_not_turn_away_while_a_replica_serves() -> None:
    of = lane(entry("r1", limit=1))
    of.pick()
    call = Call()
    of.wait(call)
    of.update(entry("r1", limit=1, failing="the second does not start"))
    assert call.turned == 0
    assert call in of.waiting


def test_a_seat_survives_an_update_and_goes_with_its_endpoint() -> None:
    of = lane(entry("r1", "r2"))
    kept, gone = of.seats
    kept.outstanding = 4
    of.update(entry("r1", "r3"))
    assert [seat.endpoint.replica for seat in of.seats] == ["r1", "r3"]
    assert of.seats[0] is kept
    assert gone.pool.closed
    assert not kept.pool.closed


def test_a_new_replica_at_an_old_address_gets_a_new_pool() -> None:
    of = lane(entry("r1", address="unix:/same"))
    old = of.seats[0]
    of.update(entry("r2", address="unix:/same"))
    assert of.seats[0] is not old
    assert old.pool.closed


def test_a_suspect_is_left_out_until_its_time_or_an_update() -> None:
    of = lane(entry("r1", "r2"))
    suspect = of.seats[0]
    of.suspect(suspect, 100)
    assert [picked(of) for _ in range(2)] == ["r2", "r2"]
    of.reconsider(100 + SUSPECT_S - 0.1)
    assert suspect not in of.seats
    of.reconsider(100 + SUSPECT_S)
    assert suspect in of.seats
    of.suspect(suspect, 200)
    of.update(entry("r1", "r2"))
    assert suspect in of.seats
    of.reconsider(300)
    assert len(of.seats) == 2


@pytest.mark.parametrize("canary", [0, 1])
def test_a_suspect_whose_machine_is_silent_is_left_out_until_it_is_heard(canary: int) -> None:
    said = msgspec.structs.replace(entry("r1", "r2", "r3"), canary=canary, canary_percent=100)
    of = lane(said)
    taken = [of.pick() for _ in range(3)]
    suspect = next(seat for seat in taken if seat is not None and seat.endpoint.replica == "r1")
    suspect.pool.silent = True
    of.suspect(suspect, 100)
    of.reconsider(1000)
    of.update(said)
    assert "r1" not in {picked(of) for _ in range(6)}
    suspect.pool.silent = False
    of.trust(suspect)
    of.trust(suspect)
    suspect.outstanding = -10
    assert [picked(of) for _ in range(6)] == ["r1"] * 6
    suspect.pool.silent = True
    of.suspect(suspect, 2000)
    of.update(msgspec.structs.replace(entry("r2"), canary=canary, canary_percent=100))
    of.trust(suspect)
    assert "r1" not in {picked(of) for _ in range(6)}, "it is of the function no more"


def test_a_suspect_that_comes_back_releases_what_waits() -> None:
    of = lane(entry("r1"))
    of.suspect(of.seats[0], 100)
    call = Call()
    of.wait(call)
    assert of.starving
    of.reconsider(101)
    assert call.seat is not None


def test_removal_turns_everything_away() -> None:
    of = lane(entry("r1", limit=1))
    seat = of.pick()
    assert seat is not None
    call = Call()
    of.wait(call)
    of.remove()
    assert (call.turned, of.removed, seat.pool.closed) == (1, True, True)
    of.leave(seat)


@given(st.lists(st.integers(0, 5), max_size=60), st.integers(0, 3), st.integers(0, 3))
def test_no_seat_is_overbooked_and_nobody_waits_beside_a_free_seat(steps: list[int], limit: int, count: int) -> None:
    replicas = [f"r{n}" for n in range(count)]
    of = lane(entry(*replicas, limit=limit, queue=3))
    working: list[Seat] = []
    waiting: list[Call] = []
    for step in steps:
        if step <= 2:
            seat = of.pick()
            if seat is not None:
                working.append(seat)
            else:
                call = Call()
                if of.wait(call):
                    waiting.append(call)
        elif step == 3 and working:
            of.leave(working.pop(0))
        elif step == 4 and waiting:
            of.give_up(waiting.pop())
        elif step == 5 and of.seats:
            of.suspect(of.seats[0], 0)
            of.reconsider(SUSPECT_S)
        for call in [call for call in waiting if call.seat is not None]:
            waiting.remove(call)
            assert call.seat is not None
            working.append(call.seat)
        assert list(of.waiting) == waiting
        assert of.meter.waiting == len(waiting)
        assert sum(seat.outstanding for seat in of.seats) == len(working)
        if limit:
            assert all(seat.outstanding <= limit for seat in of.seats)
        if waiting:
            assert all(limit and seat.outstanding >= limit for seat in of.seats)


def test_a_budget_bounds_the_calls_that_may_begin() -> None:
    def left(calls: int, turn: int = 1, *, is_open: bool = True) -> Entry:
        return Entry(name="a", namespace="ns", allowed=Allowed(is_open, calls, turn, 0, "", ""))

    of = lane(left(5))
    assert of.last == 5
    of.meter.started = 3
    of.update(left(5))
    assert of.last == 5, "what the control plane has not heard of yet still counts"
    of.update(left(1))
    assert of.last == 4
    of.update(left(9, turn=2))
    assert of.last == 12, "it was raised, or another day has begun"
    of.update(left(-1, turn=2, is_open=False))
    assert of.last == 0
    of.update(left(-1, turn=3))
    assert of.last > 1 << 60
    of.update(left(0, turn=3))
    assert of.last == 3
    of.update(Entry(name="a", namespace="ns"))
    assert of.last > 1 << 60


def test_a_function_s_owner_cannot_begin_the_namespace_s_count_anew() -> None:
    def told(turn: int, *, shared_turn: int = 1, is_open: bool = True) -> Entry:
        """What a control plane says that has heard of no call yet: of eight in the namespace's budget all are left."""
        left = 0 if not is_open else 8
        return Entry(name="a", namespace="ns", allowed=Allowed(is_open, left, turn, 0, "", "", left, shared_turn))

    of = lane(told(1))
    of.meter.started = 8
    for turn in range(2, 12):
        of.update(told(turn))
        assert of.last == 8, "another budget of the function's own leaves the namespace's as it is"
    of.update(told(12, is_open=False))
    assert of.last == 0
    of.update(told(13))
    assert of.last == 8
    of.update(told(14, shared_turn=2))
    assert of.last == 16, "the namespace's budget was raised, or its next period has begun"


def test_a_word_that_shuts_is_no_count() -> None:
    def told(calls: int, *, is_open: bool) -> Entry:
        return Entry(name="a", namespace="ns", allowed=Allowed(is_open, calls, 1, 0, "", ""))

    of = lane(told(9, is_open=True))
    of.update(told(9, is_open=False))
    assert of.last == 0
    of.update(told(9, is_open=True))
    assert of.last == 9, "a control plane that lost sight of processor time opens again"
