"""The ways out of the containers: their porters' listening sockets, given to the egress proxy as jails give theirs.

A container outlives the control plane, so what it has open is left alone when that goes; the next one gets the same
sockets from the porters and gives them to the proxy again.
"""

import asyncio
import os
from collections.abc import Callable

from dayfly.runtimes.jail.egress.outlets import Outlets


class Ways:
    """The ways of this provider's replicas; `egress` is where the proxy listens, empty when there is none."""

    def __init__(self, egress: str) -> None:
        self._egress = egress
        self._outlets: Outlets | None = None
        self._numbers: dict[str, int] = {}
        self._last = 0

    def begin(self) -> None:
        """Serve from now on, on the running loop."""
        self._outlets = Outlets(_LoopReactor(), self._egress, lasting=True)

    def open(self, replica: str, fds: list[int]) -> None:
        """Have what the replica connects to these sockets served: its pass, then they. They are ours from now on."""
        if self._outlets is None:
            for fd in fds:
                os.close(fd)
            return
        self.close(replica)
        self._last += 1
        self._numbers[replica] = self._last
        self._outlets.open(self._last, fds)

    def close(self, replica: str) -> None:
        """Have them served no longer. Unknown ones are no error."""
        number = self._numbers.pop(replica, None)
        if number is not None and self._outlets is not None:
            self._outlets.close(number)

    def look(self) -> None:
        """Go over to the proxy that took the place of ours, if one did."""
        if self._outlets is not None:
            self._outlets.look()

    def end(self) -> None:
        """Leave them to whoever comes next. Idempotent."""
        if self._outlets is not None:
            self._outlets.end()
            self._outlets = None
        self._numbers.clear()


class _LoopReactor:
    """The running event loop, as `Outlets` calls it."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()

    def on_readable(self, fd: int, callback: Callable[[], None]) -> None:
        self._loop.add_reader(fd, callback)

    def forget(self, fd: int) -> None:
        self._loop.remove_reader(fd)

    def call_later(self, delay_s: float, callback: Callable[[], None]) -> None:
        self._loop.call_later(delay_s, callback)
