"""Which limit an exception comes from."""

import errno

import pytest

from dayfly.runtimes.python import failures
from dayfly.runtimes.python.failures import TOLD, reason_of


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (MemoryError(), "oom"),
        (OSError(errno.ENOMEM, "x"), "oom"),
        (OSError(errno.ENOSPC, "x"), "disk"),
        (OSError(errno.EDQUOT, "x"), "disk"),
        (OSError(errno.EMFILE, "x"), "files"),
        (RuntimeError("can't start new thread"), "pids"),
        (RuntimeError("something else"), ""),
        (OSError("no number"), ""),
        (ValueError(), ""),
    ],
)
def test_a_limit_is_known_by_its_exception(error: BaseException, reason: str) -> None:
    assert reason_of(error) == reason
    assert not reason or reason in TOLD


def test_try_again_is_a_limit_only_while_no_thread_can_be_made(monkeypatch: pytest.MonkeyPatch) -> None:
    refused = BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")
    assert reason_of(refused) == ""
    monkeypatch.setattr(failures, "_no_thread_can_be_made", lambda: True)
    assert reason_of(refused) == "pids"
