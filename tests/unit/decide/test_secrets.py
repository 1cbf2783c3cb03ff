"""What a function's replicas do when a secret that they were given holds something else."""

import pytest
from tests.unit.decide.stage import Stage, function

from dayfly.decide import events as ev
from dayfly.decide.replicas import READY, STARTING
from dayfly.model.replica import Prepared
from dayfly.model.rollout import Canary

CHANGED = ev.SecretChanged("password")


def served(replicas: int = 1) -> Stage:
    stage = Stage(function(secrets=["password"], labels={"com.openfaas.scale.min": str(replicas)}))
    stage.deploy()
    stage.all_ready()
    return stage


def test_an_order_is_accompanied_by_the_secrets_to_be_put_into_it() -> None:
    stage = Stage(function(secrets=["b", "a"]))
    (start,) = [i for i in stage.deploy() if isinstance(i, ev.StartReplica)]
    assert start.secrets == ("b", "a")
    assert start.order.secrets == {}


def test_replicas_are_replaced_in_steps_and_none_goes_before_another_is_ready() -> None:
    stage = served(4)
    old = set(stage.serving())
    stage.tell(CHANGED)
    for left in (3, 2, 1, 0):
        assert len(stage.machine.replicas.within(STARTING)) == 1
        stage.ready()
        assert len(stage.serving()) == 4
        assert len(old & set(stage.serving())) == left
    assert all(not replica.stale for replica in stage.machine.replicas.within(READY))


def test_one_that_is_starting_is_given_up_for_one_with_the_new_content() -> None:
    stage = Stage(function(secrets=["password"]))
    stage.deploy()
    (first,) = stage.started
    out = stage.tell(CHANGED)
    assert [i.replica for i in out if isinstance(i, ev.StopReplica)] == [first.replica]
    assert [i.order.replica for i in out if isinstance(i, ev.StartReplica)] == [stage.started[-1].replica]


@pytest.mark.parametrize("name", ["other", "passwor"])
def test_another_secret_is_none_of_its_business(name: str) -> None:
    stage = served()
    assert stage.tell(ev.SecretChanged(name)) == []


def test_nothing_is_started_for_a_function_at_zero() -> None:
    stage = Stage(function(secrets=["password"])).at_zero()
    assert stage.tell(CHANGED) == []


def test_what_failed_for_the_lack_of_it_is_tried_again_at_once() -> None:
    stage = Stage(function(secrets=["password"]))
    stage.deploy()
    for _ in range(3):
        stage.exited(reason="start_failed", detail="there is no secret password")
        stage.tick(61)
        stage.tell(ev.PrepareDone(1, Prepared("/code")))
    stage.exited(reason="start_failed")
    assert stage.machine.failing
    out = stage.tell(CHANGED)
    assert [i.revision for i in out if isinstance(i, ev.Prepare)] == [1]
    assert not stage.machine.failing


def test_old_replicas_serve_on_while_those_with_the_new_content_do_not_come_up() -> None:
    stage = served(2)
    old = stage.serving()
    stage.tell(CHANGED)
    for _ in range(3):
        stage.exited(reason="import_failed", detail="the database does not take the new password")
        stage.tick(61)
        assert stage.serving() == old
    assert not stage.machine.failing


def test_a_candidate_that_is_given_back_goes_also_where_it_holds_an_old_content() -> None:
    stage = served(2)
    stage.deploy(function(2, secrets=["password"]), Canary(weight=50))
    stage.ready()
    stage.exited(0, reason="killed")
    assert stage.revisions() == [1, 2]
    stage.tell(CHANGED)
    stage.tell(ev.Decided(2, "returned"))
    assert stage.revisions() == [1]


def test_a_removed_function_hears_nothing_of_it() -> None:
    stage = served()
    stage.tell(ev.Removed())
    assert stage.tell(CHANGED) == []
