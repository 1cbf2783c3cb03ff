"""The turn: one control plane works at a time, and the next one is ready while it waits."""

import fcntl
import os

from dayfly.server.reporting import Reporter
from dayfly.server.wiring import Place


def take_turn(place: Place, reporter: Reporter) -> None:
    """Wait until no other control plane works here. It holds the turn for as long as it lives."""
    fd = os.open(place.run("control.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        reporter.standby()
        fcntl.flock(fd, fcntl.LOCK_EX)
