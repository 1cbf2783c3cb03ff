"""What callers are told when a replica takes their calls down with it."""

from typing import get_args

import pytest
from tests.unit.decide.stage import Stage, function

from dayfly.decide import events as ev
from dayfly.decide.endings import MAX_DETAIL, explain
from dayfly.decide.quotas import Need
from dayfly.decide.replicas import READY, Replica
from dayfly.decide.trouble import SENTENCES
from dayfly.model.names import ReplicaId
from dayfly.model.replica import ExitReason
from dayfly.model.table import Ended

SERVED = Replica(ReplicaId("r1"), 1, READY, started=0.0, timeout_s=2.5, need=Need(0, 0), address="unix:/r1")


def told(out: list[ev.Instruction]) -> list[Ended]:
    return [instruction.ended for instruction in out if isinstance(instruction, ev.Explain)]


@pytest.mark.parametrize("reason", get_args(ExitReason))
def test_each_reason_has_a_code_a_clause_and_a_hint(reason: ExitReason) -> None:
    ended = explain(SERVED, reason, "")
    assert (ended.replica, bool(ended.code), bool(ended.hint)) == ("r1", True, True)
    assert ended.detail[-1] != "."
    assert ended.hint[-1] == "."


def test_codes_of_what_the_function_did_differ() -> None:
    reasons: tuple[ExitReason, ...] = ("oom", "timeout", "pids", "stuck", "crashed", "killed")
    codes = [explain(SERVED, reason, "").code for reason in reasons]
    assert len(set(codes)) == len(reasons)
    assert all(code.startswith("function_") for code in codes)


def test_the_limit_and_its_setting_are_named() -> None:
    oom = explain(SERVED, "oom", "the kernel ended it, as it used more than its limit of 64 MiB")
    assert "64 MiB" in oom.detail
    assert "limits.memory" in oom.hint
    late = explain(SERVED, "timeout", "")
    assert "2.5 s" in late.detail
    assert "`timeout`" in late.hint


@pytest.mark.parametrize("detail", ["Traceback:\n  password = 'x'", "x" * (MAX_DETAIL + 1)])
def test_nothing_that_a_function_may_have_printed_is_told(detail: str) -> None:
    assert explain(SERVED, "crashed", detail).detail == SENTENCES["crashed"]


def test_the_end_of_a_replica_that_served_is_explained_before_the_table_changes() -> None:
    stage = Stage(function(1))
    stage.deploy()
    stage.ready()
    out = stage.exited(reason="oom", detail="too much")
    assert [(ended.replica, ended.code, ended.detail) for ended in told(out)] == [
        ("replica001", "function_out_of_memory", "too much")
    ]
    kinds = [type(instruction) for instruction in out]
    assert kinds.index(ev.Explain) < kinds.index(ev.Publish)


def test_the_end_of_one_that_drains_is_explained_too() -> None:
    stage = Stage(function(1))
    stage.deploy()
    stage.ready()
    stage.tell(ev.Removed())
    assert [ended.code for ended in told(stage.exited(reason="crashed", detail="exit code 3"))] == ["function_crashed"]


def test_no_caller_is_told_of_a_replica_that_never_served_or_was_stopped() -> None:
    stage = Stage(function(1))
    stage.deploy()
    assert told(stage.exited(reason="oom")) == []
    stage = Stage(function(1))
    stage.deploy()
    stage.ready()
    assert told(stage.exited(reason="stopped")) == []
