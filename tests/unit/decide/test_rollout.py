"""How one revision takes over from another, told as events and what comes of them."""

import msgspec
import pytest
from tests.unit.decide.stage import Stage, found, function, kinds

from dayfly.decide import events as ev
from dayfly.decide.invariants import InvariantBroken, validate
from dayfly.decide.replicas import DRAIN_DELAY_S, DRAINING
from dayfly.decide.rollout import BY_HAND
from dayfly.decide.routing import entry
from dayfly.model.function import Candidate, Function
from dayfly.model.names import ReplicaId
from dayfly.model.replica import Prepared
from dayfly.model.rollout import Canary, Outcome
from dayfly.model.table import RevisionLoad

FOUR = {"com.openfaas.scale.min": "4", "com.openfaas.scale.zero": "false"}
EIGHT = {"com.openfaas.scale.min": "8", "com.openfaas.scale.zero": "false"}


def serving(replicas: dict[str, str] | None = None) -> Stage:
    """Revision 1 serves."""
    stage = Stage(function(labels=replicas or {}))
    stage.deploy()
    stage.all_ready()
    return stage


def outcome(stage: Stage) -> Outcome:
    assert stage.machine.function.outcome is not None
    return stage.machine.function.outcome


def test_replicas_change_one_by_one_and_are_never_fewer() -> None:
    stage = serving(FOUR)
    stage.deploy(function(2, labels=FOUR))
    seen: list[list[int]] = []
    while stage.machine.candidate is not None:
        assert len(stage.started) == 5 + len(seen), "they start one at a time"
        stage.ready()
        seen.append(stage.revisions())
    assert seen == [[1, 1, 1, 2], [1, 1, 2, 2], [1, 2, 2, 2], [2, 2, 2, 2]]
    assert stage.machine.function.revision.number == 2
    assert outcome(stage).verdict == "promoted"
    assert outcome(stage).reason == "its 4 replicas were ready"
    assert len(stage.started) == 8


def test_many_replicas_change_in_larger_steps() -> None:
    stage = serving(EIGHT)
    stage.deploy(function(2, labels=EIGHT))
    assert len(stage.started) == 10
    stage.ready(8)
    assert len(stage.started) == 11
    assert stage.revisions() == [1] * 7 + [2]


def test_a_candidate_that_never_gets_ready_changes_nothing() -> None:
    stage = serving(FOUR)
    stage.deploy(function(2, labels=FOUR))
    for wait in (1, 2, 4, 8):
        stage.exited(reason="import_failed", detail="no such module")
        assert stage.revisions() == [1, 1, 1, 1]
        assert entry(stage.machine).failing == ""
        stage.tick(wait)
    assert stage.machine.function.candidate is not None
    # The one that serves is restarted, scaled and woken as if there were no other.
    before = len(stage.started)
    stage.exited(0)
    stage.tick(1)
    assert stage.started[-1].revision == 1
    assert len(stage.started) == before + 1
    stage.tell(ev.LoadObserved(200, 0, 0, 200))
    assert stage.started[-1].revision == 1
    assert len(stage.started) > before + 1


def test_its_trouble_does_not_fail_calls_of_a_function_at_zero() -> None:
    stage = Stage().at_zero()
    stage.deploy(function(2))
    stage.exited(reason="import_failed")
    stage.tell(ev.Demanded(1))
    assert not stage.machine.failing
    assert entry(stage.machine).failing == ""
    stage.tell(ev.PrepareDone(1, Prepared("/code")))
    assert stage.started[-1].revision == 1


def test_a_candidate_of_a_function_at_zero_wakes_nothing_else() -> None:
    stage = Stage().at_zero()
    stage.deploy(function(2))
    assert [order.revision for order in stage.started] == [1, 2]
    stage.ready()
    assert stage.revisions() == [2]
    assert stage.machine.scale.wanted == 1


def test_a_failing_candidate_of_a_function_at_zero_rests_too() -> None:
    stage = Stage(function(labels={"com.openfaas.scale.zero-duration": "20s"})).at_zero()
    stage.deploy(function(2, labels={"com.openfaas.scale.zero-duration": "20s"}))
    for wait in (1, 2, 4, 8):
        stage.exited()
        stage.tick(wait)
    stage.exited()
    before = len(stage.started)
    stage.tick(16)
    stage.tick(600)
    assert len(stage.started) == before
    stage.tell(ev.Demanded(1))
    stage.tell(ev.PrepareDone(1, Prepared("/code")))
    assert sorted(order.revision for order in stage.started[before:]) == [1, 2]


def test_the_next_deployment_takes_the_place_of_a_candidate() -> None:
    stage = serving(FOUR)
    stage.deploy(function(2, labels=FOUR))
    stage.ready()
    stage.ready()
    assert stage.revisions() == [1, 1, 2, 2]
    stage.deploy(function(3, labels=FOUR))
    assert (outcome(stage).revision, outcome(stage).verdict) == (2, "replaced")
    assert len(stage.revisions()) == 4, "what serves of the second goes on until others do"
    stage.all_ready()
    assert stage.revisions() == [3, 3, 3, 3]


def test_a_deployment_that_was_overtaken_while_it_was_written_keeps_who_serves() -> None:
    stage = serving()
    stage.deploy(function(2))
    third = stage.machine.plan(function(3).revision, None)
    assert third.revision.number == 1
    stage.ready()
    assert stage.machine.function.revision.number == 2
    assert ev.Record in kinds(stage.tell(ev.Deployed(third))), "the store has the first as the one that serves"
    assert stage.machine.function.revision.number == 2
    assert stage.machine.function.newest.number == 3
    assert stage.revisions() == [2]


def test_what_never_worked_is_replaced_at_once() -> None:
    stage = Stage()
    stage.deploy()
    stage.exited(reason="import_failed")
    stage.deploy(function(2))
    assert stage.machine.function.candidate is None
    assert stage.machine.function.revision.number == 2
    stage.ready()
    assert stage.revisions() == [2]


def test_a_canary_of_what_never_worked_serves_and_says_why() -> None:
    stage = Stage()
    stage.deploy()
    stage.exited(reason="import_failed")
    stage.deploy(function(2), Canary(weight=10))
    assert stage.machine.candidate is None
    assert outcome(stage).verdict == "promoted"
    assert "nothing to compare with" in outcome(stage).reason


def test_a_candidate_that_works_goes_on_where_the_other_does_not_any_more() -> None:
    stage = serving(FOUR)
    stage.deploy(function(2, labels=FOUR))
    stage.ready()
    for index in range(4):
        stage.exited(index)
    stage.tick(1)
    stage.exited()
    assert stage.revisions() == [2]
    stage.deploy(function(3, labels=FOUR))
    assert stage.machine.function.revision.number == 2
    assert stage.revisions() == [2]


def test_its_own_maximum_is_enough() -> None:
    stage = serving(EIGHT)
    stage.deploy(function(2, labels={"com.openfaas.scale.min": "2", "com.openfaas.scale.max": "2"}))
    stage.all_ready()
    assert stage.machine.function.revision.number == 2
    assert stage.revisions() == [2, 2]


def test_each_replica_drains_with_its_own_revisions_timeout() -> None:
    stage = Stage(function(timeout="30s"))
    stage.deploy()
    stage.ready()
    stage.deploy(function(2, timeout="1s"))
    stage.ready()
    assert entry(stage.machine).timeout_s == 1.0
    assert stage.tick(DRAIN_DELAY_S) == [ev.StopReplica(ReplicaId("replica001"), 30.0)]


def test_a_table_row_of_two_revisions_bears_both() -> None:
    stage = Stage(function(timeout="30s", max_inflight=0))
    stage.deploy()
    stage.ready()
    stage.deploy(function(2, timeout="10s", max_inflight=3))
    assert (entry(stage.machine).timeout_s, entry(stage.machine).max_inflight) == (30.0, 3)
    stage.ready()
    assert (entry(stage.machine).timeout_s, entry(stage.machine).max_inflight) == (10.0, 3)


def test_going_back_is_a_rollout_to_a_lower_number() -> None:
    stage = serving()
    stage.deploy(function(2))
    stage.ready()
    stage.tell(ev.Deployed(stage.machine.plan(function(1).revision, None)))
    stage.tell(ev.PrepareDone(1, Prepared("/code")))
    assert stage.revisions() == [2]
    stage.ready()
    assert stage.revisions() == [1]
    assert stage.machine.function.revision.number == 1


def test_a_candidate_that_somebody_ends_goes_at_once() -> None:
    stage = serving(FOUR)
    stage.deploy(function(2, labels=FOUR))
    stage.ready()
    assert stage.revisions() == [1, 1, 1, 2]
    stage.tell(ev.Decided(2, "returned"))
    assert stage.revisions() == [1, 1, 1]
    assert (outcome(stage).verdict, outcome(stage).reason) == ("returned", BY_HAND)
    stage.all_ready()
    assert stage.revisions() == [1, 1, 1, 1]


def test_a_word_about_a_candidate_that_is_gone_is_too_late() -> None:
    stage = serving()
    stage.deploy(function(2))
    stage.ready()
    before = stage.machine.function
    assert stage.tell(ev.Decided(2, "returned")) == []
    assert stage.machine.function == before


def test_a_rollout_goes_on_after_the_control_plane_was_away() -> None:
    stage = serving(FOUR)
    stage.deploy(function(2, labels=FOUR))
    stage.ready()
    again = Stage(stage.machine.function)
    again.tell(ev.Recovered((found(1, 1), found(2, 1), found(3, 1), found(4, 2))))
    assert again.revisions() == [1, 1, 1, 2]
    assert again.machine.scale.wanted == 4
    again.tell(ev.PrepareDone(2, Prepared("/code")))
    again.all_ready()
    assert again.revisions() == [2, 2, 2, 2]


def test_replicas_of_an_older_dayfly_are_replaced_in_steps() -> None:
    stage = Stage(function(labels=FOUR))
    stage.tell(ev.Recovered(tuple(found(number, 1, stale=True) for number in range(4))))
    assert len(stage.serving()) == 4
    stage.tell(ev.PrepareDone(1, Prepared("/code")))
    for count in range(1, 5):
        assert len(stage.started) == count
        stage.ready()
        assert len(stage.serving()) == 4
    assert stage.serving() == [order.replica for order in stage.started]


def test_a_candidate_that_fails_after_a_restart_is_tried_again_though_nobody_calls() -> None:
    before = Stage()
    before.deploy()
    before.ready()
    stage = Stage(before.machine.plan(function(2).revision, None))
    stage.tell(ev.Recovered())
    stage.tell(ev.PrepareFailed(2, "no"))
    assert [i.revision for i in stage.tick(61) if isinstance(i, ev.Prepare)] == [2]


def test_a_stale_replica_that_ends_is_no_failure() -> None:
    stage = Stage(function())
    stage.tell(ev.Recovered((found(1, 1, stale=True),)))
    stage.tell(ev.Exited(ReplicaId("found00001"), "killed"))
    assert stage.machine.serving.trouble is None


CANARY = Canary(weight=25, window="60s", calls=10)


def on_trial(canary: Canary = CANARY) -> Stage:
    stage = serving(FOUR)
    stage.deploy(function(2, labels=FOUR), canary)
    stage.ready()
    return stage


def called(stage: Stage, revision: int, calls: int, failed: int = 0) -> list[ev.Instruction]:
    return stage.tell(ev.CanaryObserved((RevisionLoad(revision, calls, failed, (calls,)),)))


def test_a_canary_gets_its_part_beside_all_of_the_others() -> None:
    stage = serving(FOUR)
    stage.deploy(function(2, labels=FOUR), CANARY)
    row = entry(stage.machine)
    assert (row.canary, row.canary_percent) == (2, 25)
    stage.ready()
    assert stage.revisions() == [1, 1, 1, 1, 2]
    assert len(stage.started) == 5


def test_a_good_canary_is_promoted_in_steps_when_its_time_is_over() -> None:
    stage = on_trial()
    called(stage, 1, 30)
    called(stage, 2, 10)
    stage.tick(59)
    assert entry(stage.machine).canary == 2
    stage.tick(1)
    row = entry(stage.machine)
    assert (row.canary, row.canary_percent) == (0, 0)
    assert stage.revisions() == [1, 1, 1, 2]
    stage.all_ready()
    assert stage.revisions() == [2, 2, 2, 2]
    assert outcome(stage).verdict == "promoted"
    assert "nothing spoke against it in 60s: 0 % of 10 calls failed" in outcome(stage).reason


def test_a_canary_without_calls_is_watched_on() -> None:
    stage = on_trial()
    called(stage, 1, 30)
    called(stage, 2, 9)
    stage.tick(600)
    assert entry(stage.machine).canary == 2
    called(stage, 2, 1)
    assert entry(stage.machine).canary == 0


def test_a_canary_that_waits_for_a_person() -> None:
    stage = on_trial(Canary(weight=25, window="1s", calls=1, promote=False))
    called(stage, 1, 1)
    called(stage, 2, 1)
    stage.tick(600)
    assert entry(stage.machine).canary == 2
    stage.tell(ev.Decided(2, "promoted"))
    stage.all_ready()
    assert stage.revisions() == [2, 2, 2, 2]
    assert "by hand" in outcome(stage).reason


def test_a_canary_whose_calls_fail_is_returned_at_once_and_costs_nobody_a_replica() -> None:
    stage = on_trial()
    called(stage, 1, 10)
    assert ev.Record in kinds(called(stage, 2, 10, failed=10))
    assert stage.revisions() == [1, 1, 1, 1]
    assert entry(stage.machine).canary == 0
    assert outcome(stage).verdict == "returned"
    assert "its calls failed more often: 100 % of 10 calls failed" in outcome(stage).reason
    assert stage.machine.function.candidate is None


def test_a_canary_whose_replicas_keep_failing_is_returned() -> None:
    stage = on_trial()
    for _ in range(3):
        assert stage.machine.candidate is not None
        stage.exited(4 if len(stage.started) == 5 else -1)
        stage.tick(4)
    assert outcome(stage).verdict == "returned"
    assert "failed 3 times in a row" in outcome(stage).reason


def test_a_canary_that_never_gets_ready_is_not_judged() -> None:
    stage = serving(FOUR)
    stage.deploy(function(2, labels=FOUR), CANARY)
    for wait in (1, 2, 4, 8):
        stage.exited()
        stage.tick(wait)
    assert stage.machine.function.candidate is not None
    stage.ready()
    assert stage.revisions() == [1, 1, 1, 1, 2]


def test_a_canary_gets_all_calls_where_nothing_else_works() -> None:
    stage = on_trial()
    for index in range(4):
        stage.exited(index)
    assert entry(stage.machine).canary == 2, "that was chance, until another fails too"
    stage.tick(1)
    stage.exited()
    assert entry(stage.machine).canary == 0
    assert entry(stage.machine).failing == ""
    stage.tick(2)
    stage.ready()
    assert entry(stage.machine).canary == 2


def test_figures_of_other_revisions_are_not_counted() -> None:
    stage = on_trial()
    called(stage, 7, 100, failed=100)
    called(stage, 1, 30)
    called(stage, 2, 10)
    stage.tick(60)
    assert entry(stage.machine).canary == 0


def test_the_time_of_a_canary_begins_anew_with_the_control_plane() -> None:
    again = Stage(on_trial().machine.function)
    again.tell(ev.Recovered((*(found(number, 1) for number in range(4)), found(4, 2))))
    assert again.machine.scale.wanted == 4
    called(again, 1, 30)
    called(again, 2, 10)
    again.tick(59)
    assert entry(again.machine).canary == 2
    again.tick(1)
    assert entry(again.machine).canary == 0


def test_validation_finds_a_rollout_that_should_have_ended() -> None:
    stage = serving(FOUR)
    stage.deploy(function(2, labels=FOUR))
    stage.ready()
    stage.machine.scale.wanted = 1
    with pytest.raises(InvariantBroken, match=r"L\d"):
        validate(stage.machine, stage.now)


def test_validation_finds_what_is_left_over() -> None:
    stage = serving()
    stage.machine.take(Function(key=function().key, revision=function(2).revision, created_unix_ms=1))
    with pytest.raises(InvariantBroken, match="L5"):
        validate(stage.machine, stage.now)
    stage.machine.scale.wanted = 0
    with pytest.raises(InvariantBroken, match="L3"):
        validate(stage.machine, stage.now)


def test_validation_finds_two_tracks_of_one_revision() -> None:
    stage = serving()
    same = Candidate(revision=function().revision)
    stage.machine.take(Function(key=function().key, revision=same.revision, candidate=same, created_unix_ms=1))
    stage.machine.scale.wanted = 3
    with pytest.raises(InvariantBroken, match=r"L\d"):
        validate(stage.machine, stage.now)


def test_validation_finds_a_canary_whose_time_does_not_run() -> None:
    stage = on_trial()
    assert stage.machine.candidate is not None
    stage.machine.candidate.trial = None
    with pytest.raises(InvariantBroken, match="L9"):
        validate(stage.machine, stage.now)


def test_a_removed_function_forgets_its_candidate() -> None:
    stage = on_trial()
    stage.tell(ev.Removed())
    assert stage.machine.function.candidate is None
    assert {replica.phase for replica in stage.machine.replicas} == {DRAINING}


def test_a_canary_of_a_revision_that_served_in_part_takes_nothing_away() -> None:
    stage = serving(FOUR)
    stage.deploy(function(2, labels=FOUR))
    for _ in range(2):
        stage.ready()
    assert stage.revisions() == [1, 1, 2, 2]
    stage.deploy(function(3, labels=FOUR))
    stage.deploy(function(2, labels=FOUR), canary=Canary(weight=10))
    assert stage.revisions() == [1, 1, 2, 2], "one would do for a canary, but the other revision is short of two"
    stage.all_ready()
    assert stage.revisions() == [1, 1, 1, 1, 2]


def test_what_is_given_back_goes_also_where_its_zygote_is_being_replaced() -> None:
    first, second = function(labels=FOUR), function(2, labels=FOUR)
    stage = Stage(msgspec.structs.replace(first, candidate=Candidate(revision=second.revision)))
    stage.tell(ev.Recovered((found(1, 1, stale=True), found(2, 2, stale=True))))
    stage.tell(ev.Decided(2, "returned"))
    assert stage.revisions() == [1]


def test_a_canary_that_is_promoted_while_nobody_calls_is_started_to_take_over() -> None:
    stage = Stage().at_zero()
    stage.deploy(function(2), canary=Canary(weight=10, window="1h"))
    stage.ready()
    stage.exited(reason="stopped")
    called = len(stage.started)
    stage.tell(ev.Demanded(1))
    for index in range(called, len(stage.started)):
        stage.ready(index)
    (tried,) = [order for order in stage.started[called:] if order.revision == 2]
    stage.tell(ev.Exited(tried.replica, "crashed"))
    for _ in range(3):
        stage.tick(950)
    assert stage.revisions() == []
    assert stage.machine.candidate is not None
    assert stage.machine.candidate.until < stage.now
    before = len(stage.started)
    stage.tell(ev.Decided(2, "promoted"))
    assert len(stage.started) == before + 1
    stage.ready()
    assert stage.machine.function.revision.number == 2
