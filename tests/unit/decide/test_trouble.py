"""Failures, their back-off and their telling."""

from typing import get_args

from dayfly.decide.trouble import (
    HEALTHY_AFTER_S,
    HELD_BACKOFF_S,
    LOST_BACKOFF_S,
    MAX_ACCOUNT,
    SENTENCES,
    failed,
)
from dayfly.model.replica import ExitReason


def test_every_end_of_a_replica_has_a_sentence() -> None:
    assert set(get_args(ExitReason)) <= set(SENTENCES)


def test_the_wait_doubles_up_to_a_minute() -> None:
    trouble, now, waits = None, 0.0, []
    for _ in range(8):
        trouble = failed(trouble, "crashed", "", (), now)
        waits.append(trouble.retry_at - now)
        now = trouble.retry_at
        assert not trouble.hold
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60]


def test_the_end_of_a_replica_that_served_is_made_good_at_once_and_callers_are_held_for_a_while() -> None:
    trouble, now, seen = None, 0.0, []
    for _ in range(6):
        trouble = failed(trouble, "killed", "", (), now, lived_s=0.1)
        seen.append((round(trouble.retry_at - now, 3), trouble.hold))
        now = trouble.retry_at
    assert seen == [(LOST_BACKOFF_S, True), (1, True), (2, True), (4, False), (8, False), (16, False)]


def test_failures_before_the_next_attempt_are_the_same_failure() -> None:
    first = failed(None, "crashed", "a", (), 0.0)
    assert failed(first, "killed", "b", (), 0.9) is first


def test_health_starts_the_series_anew() -> None:
    trouble = failed(failed(None, "crashed", "", (), 0.0), "crashed", "", (), 1.0)
    assert failed(trouble, "crashed", "", (), trouble.retry_at + HEALTHY_AFTER_S - 0.1).failures == 3
    assert failed(trouble, "crashed", "", (), trouble.retry_at + HEALTHY_AFTER_S).failures == 1


def test_a_loss_is_nobodys_fault_however_often_it_happens() -> None:
    trouble, now, waits = None, 0.0, []
    for _ in range(6):
        trouble = failed(trouble, "lost", "", (), now)
        waits.append(round(trouble.retry_at - now, 3))
        now = trouble.retry_at
        assert trouble.hold
    assert waits == [LOST_BACKOFF_S, 0.4, 0.8, 1.6, HELD_BACKOFF_S, HELD_BACKOFF_S]


def test_a_loss_and_a_failure_do_not_add_up() -> None:
    lost = failed(failed(None, "lost", "", (), 0.0), "lost", "", (), 1.0)
    assert lost.failures == 2
    assert failed(lost, "killed", "", (), 2.0, lived_s=1.0).failures == 1


def test_a_replica_that_lived_long_fails_for_the_first_time_whatever_befell_the_others() -> None:
    trouble = failed(failed(None, "killed", "", (), 0.0, lived_s=1.0), "killed", "", (), 1.0, lived_s=1.0)
    assert failed(trouble, "killed", "", (), 3.0, lived_s=HEALTHY_AFTER_S - 0.1).failures == 3
    assert failed(trouble, "killed", "", (), 3.0, lived_s=HEALTHY_AFTER_S).failures == 1


def test_the_account_holds_the_last_lines_and_the_sentence_does_not() -> None:
    trouble = failed(None, "crashed", "exit status 3", ("one", "two"), 0.0)
    assert trouble.account == f"{SENTENCES['crashed']} (1 in a row): exit status 3\none\ntwo"
    assert trouble.sentence == SENTENCES["crashed"]


def test_a_reason_that_is_in_the_log_too_is_told_once() -> None:
    trouble = failed(None, "import_failed", "Traceback:\n  x\nKeyError", ("printed", "Traceback:\n  x"), 0.0)
    assert trouble.detail == "Traceback:\n  x\nKeyError\nprinted"


def test_the_account_is_bounded_and_keeps_the_end() -> None:
    trouble = failed(None, "crashed", "x" * 100_000 + "the end", (), 0.0)
    assert len(trouble.detail) == MAX_ACCOUNT
    assert trouble.detail.endswith("the end")
