"""A gateway's precedence over functions: taken where it is allowed, for its own session alone."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

_TAKE = """
import os, sys
from dayfly.server.precedence import take_precedence
os.setuid(int(sys.argv[1]))
taken = take_precedence()
group = open("/proc/self/autogroup").read().split() if os.path.exists("/proc/self/autogroup") else []
print(taken, os.getpriority(os.PRIO_PROCESS, 0), *group[-1:])
"""
_GROUPED = Path("/proc/self/autogroup").exists()
"""The file says nothing of a session that is in no group, as that of the first process is: a new one gets its own."""
root = pytest.mark.skipif(os.geteuid() != 0, reason="root alone may take precedence, and become another account")


def taken(*, own_session: bool, user: int = 0) -> list[str]:
    """What a process that takes precedence says of itself."""
    command = [sys.executable, "-c", _TAKE, str(user)]
    done = subprocess.run(command, capture_output=True, text=True, start_new_session=own_session, check=True)
    return done.stdout.split()


@root
def test_root_s_gateway_goes_before_others_and_its_session_does() -> None:
    assert taken(own_session=True) == ["True", "-5", *["-5"] * _GROUPED]


@root
def test_an_account_that_may_not_goes_on_without() -> None:
    assert taken(own_session=True, user=65_534) == ["False", "0", *["0"] * _GROUPED]


@root
def test_a_session_that_is_shared_is_left_alone() -> None:
    assert taken(own_session=False)[:2] == ["False", str(os.getpriority(os.PRIO_PROCESS, 0))]
