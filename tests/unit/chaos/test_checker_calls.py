"""Doctored calls: the checker must find what nothing excuses, and nothing else."""

import msgspec
import pytest
from chaos.checker import Excuse, told, unexcused, versions_fell, worked_twice
from chaos.ledger import NEVER, Answered, Call, Sent, calls_in
from tests.unit.chaos.conftest import Write

KILLED = Excuse(why="replica", from_s=10.0, until_s=10.5, reasons=("502 replica_lost",), functions=("victim",))


def call(sent_s: float = 9.9, ended_s: float = 10.1, reason: str = "502 replica_lost", **more: object) -> Call:
    about = {"id": "a-1", "function": "victim", "connection": 1, "fresh": False, **more}
    return msgspec.convert({**about, "sent_s": sent_s, "ended_s": ended_s, "reason": reason}, Call)


def test_a_call_under_way_to_what_was_killed_is_excused() -> None:
    assert unexcused([call(), call(10.4, 10.6)], [KILLED]) == []


@pytest.mark.parametrize(
    "guilty",
    [
        call(function="bystander"),
        call(reason="503 function_failing"),
        call(reason="timeout"),
        call(reason="wrong body"),
        call(10.6, 10.7),
        call(9.0, 9.9),
        call(ended_s=float("inf"), reason=NEVER),
    ],
    ids=["another function", "refused", "timed out", "wrong body", "sent later", "ended before", "never ended"],
)
def test_no_other_failure_is(guilty: Call) -> None:
    assert unexcused([call(reason="ok"), guilty, call()], [KILLED]) == [guilty]


def test_without_an_excuse_every_failure_counts() -> None:
    assert unexcused([call(), call(reason="ok")], []) == [call()]


def test_reasons_may_be_meant_by_their_beginning() -> None:
    refused = Excuse(why="full", from_s=0.0, until_s=99.0, reasons=("503*",))
    assert unexcused([call(reason="503 anything"), call(reason="500 x")], [refused]) == [call(reason="500 x")]


def test_a_sentence_says_which_call_it_was() -> None:
    assert told([call(detail="gone")], 9.0) == [
        "a-1 of victim, sent at 0.900, ended 1.100 on a kept connection: 502 replica_lost gone"
    ]


def test_work_that_was_done_twice_is_found() -> None:
    assert worked_twice({"a-1": 1, "a-2": 2, "a-3": 1}) == ["a-2"]


def test_a_revision_that_falls_on_one_connection_is_found() -> None:
    def seen(revision: int, connection: int = 1, function: str = "f") -> Call:
        return call(reason="ok", revision=revision, connection=connection, function=function)

    assert versions_fell([seen(1), seen(2), seen(2), seen(3)]) == []
    assert versions_fell([seen(2), seen(1, connection=2), seen(1, function="g")]) == []
    assert versions_fell([seen(1), seen(3), seen(2)]) == ["a-1: revision 2 after 3 on connection 1"]


def test_a_call_without_an_end_never_ended(write: Write) -> None:
    path = write(
        Sent("a-2", "f", 2.0, 1, fresh=True), Sent("a-1", "f", 1.0, 1, fresh=True), Answered("a-1", 1.5, "ok", 200)
    )
    first, second = calls_in(path)
    assert (first.id, first.reason, first.took_s) == ("a-1", "ok", 0.5)
    assert (second.id, second.reason, second.ok) == ("a-2", NEVER, False)


def test_a_line_that_was_cut_off_is_left_out(write: Write) -> None:
    path = write(Sent("a-1", "f", 1.0, 1, fresh=True), Answered("a-1", 1.5, "ok", 200))
    path.write_bytes(path.read_bytes()[:-3])
    assert [each.reason for each in calls_in(path)] == [NEVER]
