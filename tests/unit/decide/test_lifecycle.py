"""The lifecycle of a function, told as events and expected instructions."""

import tracemalloc

import pytest
from tests.unit.decide.stage import Stage, found, function, kinds

from dayfly.decide import events as ev
from dayfly.decide import settling
from dayfly.decide.invariants import InvariantBroken, validate
from dayfly.decide.replicas import DRAIN_DELAY_S, DRAINING, READY, START_LIMIT_S, STARTING, InvalidTransition
from dayfly.decide.routing import entry
from dayfly.decide.trouble import HEALTHY_AFTER_S
from dayfly.model.names import ReplicaId
from dayfly.model.replica import ExitReason, Prepared


def test_a_deployment_prepares_then_starts_then_is_routed_to() -> None:
    stage = Stage()
    assert kinds(stage.tell(ev.Deployed(function()))) == [ev.Publish, ev.Prepare]
    (start,) = stage.tell(ev.PrepareDone(1, Prepared("/code", ("/layer",))))
    assert isinstance(start, ev.StartReplica)
    assert (start.order.code_dir, start.order.layer_dirs, start.order.timeout_s) == ("/code", ("/layer",), 30.0)
    assert stage.serving() == []
    assert kinds(stage.ready()) == [ev.Publish]
    assert stage.serving() == ["replica001"]


def test_the_order_says_all_that_the_spec_does() -> None:
    fn = function(
        env={"A": "1"}, dialect="asgi", handler="app:app", max_inflight=3, concurrency="inline",
        limits={"memory": "64Mi", "cpu": "500m"},
    )  # fmt: skip
    stage = Stage(fn)
    stage.deploy()
    order = stage.started[0]
    assert (order.env, order.dialect, order.handler, order.max_inflight) == ({"A": "1"}, "asgi", "app:app", 3)
    assert (order.concurrency, order.memory_bytes, order.cpu_millicores) == ("inline", 64 << 20, 500)


def test_old_replicas_serve_until_a_new_one_is_ready() -> None:
    stage = Stage()
    stage.deploy()
    stage.ready()
    stage.deploy(function(2))
    assert stage.serving() == ["replica001"]
    assert kinds(stage.ready()) == [ev.Record, ev.Publish]
    assert stage.serving() == ["replica002"]
    (stop,) = stage.tick(DRAIN_DELAY_S)
    assert stop == ev.StopReplica(ReplicaId("replica001"), 30.0)


def test_old_replicas_go_on_serving_when_the_new_revision_fails() -> None:
    stage = Stage()
    stage.deploy()
    stage.ready()
    stage.deploy(function(2))
    stage.exited(reason="import_failed")
    assert stage.serving() == ["replica001"]
    assert entry(stage.machine).failing == ""
    stage.deploy(function(3))
    assert stage.serving() == ["replica001"]
    stage.ready()
    assert stage.serving() == ["replica003"]


def test_a_revision_that_is_not_ready_yet_goes_on_beside_the_next() -> None:
    stage = Stage()
    stage.deploy()
    assert ev.StopReplica not in kinds(stage.deploy(function(2)))
    stage.ready(1)
    assert stage.serving() == ["replica002"]
    assert [replica.phase for replica in stage.machine.replicas] == [DRAINING, READY]
    assert stage.ready(0) == []
    assert stage.serving() == ["replica002"]


def test_a_drained_replica_leaves_the_table_before_it_is_stopped() -> None:
    stage = Stage()
    stage.deploy(function(replicas=2))
    stage.ready(0)
    stage.ready(1)
    assert kinds(stage.tell(ev.Scaled(function(replicas=1)))) == [ev.Publish]
    assert stage.serving() == ["replica001"]
    assert kinds(stage.tick(DRAIN_DELAY_S)) == [ev.StopReplica]


def test_a_stop_is_asked_again_when_it_fails_or_is_not_confirmed() -> None:
    stage = Stage()
    stage.deploy()
    stage.ready()
    stage.tell(ev.Removed())
    assert kinds(stage.tick(1)) == [ev.StopReplica]
    stage.tell(ev.StopFailed(ReplicaId("replica001")))
    assert kinds(stage.tick(0.5)) == []
    assert kinds(stage.tick(0.5)) == [ev.StopReplica]
    assert kinds(stage.tick(39)) == []
    assert kinds(stage.tick(1)) == [ev.StopReplica]
    assert kinds(stage.exited(reason="stopped")) == [ev.Forget]


def test_a_removal_retracts_drains_and_forgets() -> None:
    stage = Stage()
    stage.deploy()
    stage.ready()
    assert kinds(stage.tell(ev.Removed())) == [ev.Retract]
    assert kinds(stage.tell(ev.Removed())) == []
    assert stage.tell(ev.Demanded(1)) == []
    assert stage.tell(ev.LoadObserved(0, 5, 0, 5)) == []
    assert kinds(stage.tick(1)) == [ev.StopReplica]
    assert kinds(stage.exited(reason="stopped")) == [ev.Forget]


def test_a_removed_function_without_replicas_is_forgotten_at_once() -> None:
    assert kinds(Stage().at_zero().tell(ev.Removed())) == [ev.Retract, ev.Forget]


def test_a_function_deployed_while_it_drains_lives_again() -> None:
    stage = Stage()
    stage.deploy()
    stage.ready()
    stage.tell(ev.Removed())
    stage.deploy(function(2))
    stage.ready()
    assert stage.serving() == ["replica002"]
    assert kinds(stage.tick(1)) == [ev.StopReplica]
    assert ev.Forget not in kinds(stage.exited(0, reason="stopped"))


def test_code_is_used_for_the_revision_it_was_prepared_for() -> None:
    stage = Stage()
    for number in (1, 2, 3):
        stage.tell(ev.Deployed(function(number)))
    assert stage.tell(ev.PrepareDone(2, Prepared("/old"))) == []
    assert stage.tell(ev.PrepareFailed(2, "old")) == []
    stage.tell(ev.PrepareDone(3, Prepared("/new")))
    stage.tell(ev.PrepareDone(1, Prepared("/first")))
    assert [(order.revision, order.code_dir) for order in stage.started] == [(3, "/new"), (1, "/first")]


def test_code_prepared_after_the_removal_starts_nothing() -> None:
    stage = Stage()
    stage.tell(ev.Deployed(function()))
    stage.tell(ev.Removed())
    assert ev.StartReplica not in kinds(stage.tell(ev.PrepareDone(1, Prepared("/code"))))


@pytest.mark.parametrize("reason", ["crashed", "killed", "import_failed", "start_failed"])
def test_failures_back_off_and_say_why(reason: ExitReason) -> None:
    stage = Stage()
    stage.deploy()
    for wait in (1, 2, 4, 8, 16, 32, 60, 60):
        assert ev.Tell in kinds(stage.exited(reason=reason, detail="Boom"))
        assert entry(stage.machine).failing
        assert stage.machine.serving.trouble is not None
        assert "Boom" in stage.machine.serving.trouble.account
        before = len(stage.started)
        stage.tick(wait - 0.01)
        assert len(stage.started) == before
        stage.tick(0.02)
        if stage.machine.serving.preparing:
            stage.tell(ev.PrepareDone(1, Prepared("/code")))
        assert len(stage.started) == before + 1
        assert entry(stage.machine).failing == "", "while it tries again, callers are held"


def test_health_begins_the_series_anew_and_clears_the_trouble() -> None:
    stage = Stage()
    stage.deploy()
    stage.exited()
    stage.tick(1)
    stage.exited()
    stage.tick(2)
    stage.ready()
    stage.tick(HEALTHY_AFTER_S - 0.1)
    assert stage.machine.serving.trouble is not None
    stage.tick(0.1)
    assert stage.machine.serving.trouble is None
    stage.exited()
    assert stage.machine.serving.trouble is not None
    assert stage.machine.serving.trouble.failures == 1


def test_replicas_that_fail_together_fail_once_and_one_tries_ahead() -> None:
    stage = Stage(function(labels={"com.openfaas.scale.min": "5"}))
    stage.deploy()
    assert len(stage.started) == 5
    for index in range(5):
        stage.exited(index)
    assert stage.machine.serving.trouble is not None
    assert stage.machine.serving.trouble.failures == 1
    stage.tick(1)
    assert len(stage.started) == 6
    stage.ready()
    assert len(stage.started) == 10


def test_a_crash_of_one_of_two_publishes_no_failure() -> None:
    stage = Stage(function(labels={"com.openfaas.scale.min": "2"}))
    stage.deploy()
    stage.ready(0)
    stage.ready(1)
    stage.exited(0)
    assert entry(stage.machine).failing == ""
    assert stage.serving() == ["replica002"]


def test_a_demand_during_the_back_off_is_answered_with_the_failure() -> None:
    stage = Stage()
    stage.deploy()
    stage.exited(reason="import_failed")
    assert kinds(stage.tell(ev.Demanded(1))) == [ev.Publish]
    assert entry(stage.machine).failing


def test_a_deployment_clears_the_back_off() -> None:
    stage = Stage()
    stage.deploy()
    for wait in (1, 2, 4):
        stage.exited()
        stage.tick(wait)
    stage.exited()
    stage.deploy(function(2))
    assert stage.started[-1].revision == 2
    assert entry(stage.machine).failing == ""


@pytest.mark.parametrize("reason", ["lost", "killed", "crashed"])
def test_a_replica_that_served_and_is_gone_is_replaced_while_callers_are_held(reason: ExitReason) -> None:
    stage = Stage()
    stage.deploy()
    stage.ready()
    stage.exited(reason=reason)
    assert entry(stage.machine).failing == ""
    stage.tick(0.2)
    assert len(stage.started) == 2
    stage.ready()
    stage.exited(reason=reason)
    assert entry(stage.machine).failing == "", "the wait is still short"


def test_a_replica_that_never_gets_ready_is_given_up() -> None:
    stage = Stage()
    stage.deploy()
    out = stage.tick(START_LIMIT_S)
    assert ev.StopReplica(ReplicaId("replica001"), 0.0) in out
    assert stage.machine.serving.trouble is not None
    assert "not ready in time" in stage.machine.serving.trouble.sentence
    assert stage.ready() == []


def test_demands_at_zero_start_one_replica_however_many_wait() -> None:
    stage = Stage().at_zero()
    before = len(stage.started)
    for _ in range(200):
        stage.tell(ev.Demanded(200))
    assert len(stage.started) == before + 1


def test_a_demand_crossing_the_news_of_a_ready_replica_does_nothing() -> None:
    stage = Stage()
    stage.deploy()
    stage.ready()
    assert stage.tell(ev.Demanded(3)) == []


def test_wakes_with_the_policys_minimum() -> None:
    stage = Stage(function(labels={"com.openfaas.scale.min": "3"}))
    stage.tell(ev.Recovered())
    assert stage.started == []
    stage.tell(ev.Demanded(1))
    stage.tell(ev.PrepareDone(1, Prepared("/code")))
    assert len(stage.started) == 3


def test_recovered_replicas_of_the_current_revision_stay() -> None:
    stage = Stage(function(2))
    out = stage.tell(ev.Recovered((found(1, 2), found(2, 2), found(3, 2, ready=False))))
    assert kinds(out) == [ev.Publish]
    assert stage.serving() == ["found00001", "found00002"]
    assert stage.machine.scale.wanted == 3


def test_recovered_replicas_of_an_old_revision_serve_until_the_current_one_does() -> None:
    stage = Stage(function(2))
    assert kinds(stage.tell(ev.Recovered((found(1, 1),)))) == [ev.Publish, ev.Prepare]
    stage.tell(ev.PrepareDone(2, Prepared("/code")))
    assert stage.serving() == ["found00001"]
    stage.ready()
    assert stage.serving() == ["replica001"]


def test_recovered_replicas_beyond_what_is_wanted_are_drained() -> None:
    stage = Stage(function(1, replicas=1))
    stage.tell(ev.Recovered((found(1, 1), found(2, 1))))
    assert stage.serving() == ["found00001"]


def test_no_way_leads_back() -> None:
    stage = Stage()
    stage.deploy()
    stage.ready()
    (replica,) = stage.machine.replicas
    with pytest.raises(InvalidTransition, match="cannot go from ready to starting"):
        stage.machine.replicas.move(replica, STARTING, stage.now)


def test_a_bug_is_told_with_the_story_that_led_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    stage = Stage()
    stage.deploy()
    stage.ready()
    monkeypatch.setattr(settling, "surplus", lambda at, _now: [*at.replicas] * 2)
    with pytest.raises(InvalidTransition, match=r"(?s)draining to draining after.*Deployed.*Ready.*Demanded"):
        stage.tell(ev.Demanded(1))


def test_validation_finds_a_replica_that_serves_without_being_ready() -> None:
    stage = Stage()
    stage.deploy()
    stage.ready()
    (replica,) = stage.machine.replicas
    replica.address = ""
    with pytest.raises(InvariantBroken, match="L1"):
        validate(stage.machine, stage.now)


def test_validation_finds_too_many_and_too_few() -> None:
    stage = Stage()
    stage.deploy()
    stage.machine.scale.wanted = 0
    with pytest.raises(InvariantBroken, match="L2"):
        validate(stage.machine, stage.now)
    stage.machine.scale.wanted = 2
    with pytest.raises(InvariantBroken, match="L5"):
        validate(stage.machine, stage.now)


def test_validation_finds_a_missing_wake() -> None:
    stage = Stage()
    stage.deploy()
    stage.machine.wake_at = None
    with pytest.raises(InvariantBroken, match="L6"):
        validate(stage.machine, stage.now)


def test_an_idle_lifecycle_keeps_no_story() -> None:
    stage = Stage().at_zero()
    stage.tell(ev.Recovered())
    assert stage.machine._story is not None
    assert len(stage.machine._story) <= 1
    assert [replica.phase for replica in stage.machine.replicas if replica.phase in (READY, DRAINING)] == []


def test_ten_thousand_functions_fit_busy_or_idle() -> None:
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        machines = [Stage().at_zero().machine for _ in range(200)]
        idle_bytes = (tracemalloc.get_traced_memory()[0] - before) / len(machines)
        for machine in machines:
            for second in range(100):
                machine.handle(ev.LoadObserved(second, 0, second, 2 * second), 5000.0 + second)
        assert all(machine.scale.pressure is not None for machine in machines)
        busy_bytes = (tracemalloc.get_traced_memory()[0] - before) / len(machines)
    finally:
        tracemalloc.stop()
    assert idle_bytes < 8 * 1024
    assert busy_bytes < 12 * 1024


def test_gateways_are_told_how_queued_calls_are_tried_and_how_many_at_a_time() -> None:
    said = {
        "com.openfaas.retry.attempts": "3", "com.dayfly.queue.concurrency": "7",
        "com.dayfly.callback.allow": "a.example, http://b.example:8080",
    }  # fmt: skip
    told = entry(Stage(function(annotations=said)).machine)
    assert (told.retry.attempts, told.queue_concurrency) == (3, 7)
    assert told.callback_hosts == ("a.example", "http://b.example:8080")
    bounded = entry(Stage(function(max_inflight=2, labels={"com.openfaas.scale.max": "5"})).machine)
    assert (bounded.retry.attempts, bounded.queue_concurrency) == (10, 10)
    assert entry(Stage(function(annotations={"com.openfaas.retry.codes": "nonsense"})).machine).queue_concurrency == 0
