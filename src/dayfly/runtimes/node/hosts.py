"""A function in Node as its template sees it: where a Python template has the imported handler, there is this.

A Node process cannot be forked, so nothing is shared between replicas but what the kernel shares of files. The
template's spare is a host that has loaded the handler already, and waits for its berth.
"""

import socket

from dayfly.model.replica import StartOrder
from dayfly.runtimes.node import program
from dayfly.runtimes.node.attendant import Attendant
from dayfly.runtimes.python.cells import enter
from dayfly.runtimes.python.replica import LOADED, Berth, Brood

SPARE_AFTER_S = 0.25
"""How long a template waits before it starts its spare: that takes a processor for some tens of milliseconds."""


class Hosts(Brood):
    """Makes the replicas of one function."""

    spare_after_s = SPARE_AFTER_S
    proves_itself = True

    def __init__(self, order: StartOrder) -> None:
        self._order = order

    def live_first(self, berth: Berth, line: socket.socket) -> int:
        """As `live`, and say on `line` whether the handler could be loaded, before anything is said to the zygote."""
        enter(berth.doors)

        def told(lines: list[str]) -> None:
            line.send("\n".join(lines).encode("utf-8", "replace") or LOADED)
            line.close()

        return Attendant(self._order, berth=berth, told=told).serve()

    def live(self, berth: Berth) -> int:
        """Start a host, and serve in `berth` until drained; return the exit code."""
        enter(berth.doors)
        return Attendant(self._order, berth=berth).serve()

    def live_spare(self, line: socket.socket, doors: tuple[int, ...]) -> int:
        """Start a host, wait for a berth on `line`, and serve in it; return the exit code."""
        enter(doors)
        return Attendant(self._order, line=line).serve()


def prepare(order: StartOrder) -> Hosts:
    """Return what makes the replicas of `order`'s function. Raises HandlerUnfit."""
    program.check(order)
    return Hosts(order)
