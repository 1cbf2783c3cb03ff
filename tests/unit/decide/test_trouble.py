"""Failures, their back-off and their telling."""

from dayfly.decide.trouble import HEALTHY_AFTER_S, LOST_BACKOFF_S, MAX_ACCOUNT, SENTENCES, failed


def test_the_wait_doubles_up_to_a_minute() -> None:
    trouble, now, waits = None, 0.0, []
    for _ in range(8):
        trouble = failed(trouble, "crashed", "", (), now)
        waits.append(trouble.retry_at - now)
        now = trouble.retry_at
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60]


def test_failures_before_the_next_attempt_are_the_same_failure() -> None:
    first = failed(None, "crashed", "a", (), 0.0)
    assert failed(first, "killed", "b", (), 0.9) is first


def test_health_starts_the_series_anew() -> None:
    trouble = failed(failed(None, "crashed", "", (), 0.0), "crashed", "", (), 1.0)
    assert failed(trouble, "crashed", "", (), trouble.retry_at + HEALTHY_AFTER_S - 0.1).failures == 3
    assert failed(trouble, "crashed", "", (), trouble.retry_at + HEALTHY_AFTER_S).failures == 1


def test_a_loss_is_made_good_at_once_but_not_again_and_again() -> None:
    first = failed(None, "lost", "", (), 0.0)
    assert (first.retry_at, first.hold) == (LOST_BACKOFF_S, True)
    second = failed(first, "lost", "", (), 1.0)
    assert (second.retry_at, second.hold) == (3.0, False)


def test_the_account_holds_the_last_lines_and_the_sentence_does_not() -> None:
    trouble = failed(None, "crashed", "exit status 3", ("one", "two"), 0.0)
    assert trouble.account == f"{SENTENCES['crashed']} (1 in a row): exit status 3\none\ntwo"
    assert trouble.sentence == SENTENCES["crashed"]


def test_the_account_is_bounded_and_keeps_the_end() -> None:
    trouble = failed(None, "crashed", "x" * 100_000 + "the end", (), 0.0)
    assert len(trouble.detail) == MAX_ACCOUNT
    assert trouble.detail.endswith("the end")
