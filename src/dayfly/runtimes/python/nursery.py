"""Where workers become templates, each with its cells: one for itself, and always one ahead for its next replica.

A replica enters its cell as the first thing it does. A spare, which is forked ahead of need, does so then, and so costs
the call that needs it nothing: the template keeps the doors of one cell in stock, and each replica ordered brings the
doors of one more, for itself or for the stock when a spare takes its place. Cells, too, are made ahead of need: the
kernel takes a third of a millisecond for one.
"""

import logging
import os

from dayfly.model.replica import Ceilings
from dayfly.runtimes.python.cells import Cell, Cells
from dayfly.runtimes.python.family import Template
from dayfly.runtimes.python.limits import MEMORY_BYTES, Limits
from dayfly.runtimes.python.reactor import Reactor
from dayfly.runtimes.python.workers import Birth, Workers

_log = logging.getLogger("dayfly.runtimes.zygote")

CLEAR_EVERY_S = 0.01
CLEAR_ROUNDS = 200
AHEAD = 3
"""As many as the first replica of a function needs: the template's, its own, and its spare's."""
AHEAD_KINDS = 4
AHEAD_S = 0.05
"""When those used are replaced, once who waits has been served."""


class Nursery:
    """Makes templates and cells, and clears cells away."""

    def __init__(self, reactor: Reactor, cells: Cells, workers: Workers) -> None:
        self._reactor = reactor
        self._cells = cells
        self._workers = workers
        self._ahead: dict[Limits, list[Cell]] = {Limits(MEMORY_BYTES, Ceilings().processes, 0): []}
        """Cells nobody is in yet, for the limits that were asked for last."""
        reactor.call_later(0, self._make_ahead)

    def template(self, name: str, order: int, limits: Limits, *, own_net: bool, solo: bool) -> Template:
        """Make a worker the template. Raises OSError."""
        cell = self._take(limits)
        stock: Cell | None = None
        doors: list[int] = []
        try:
            stock = None if solo else self._take(limits)
            own = cell.doors() if cell is not None else []
            doors += own
            ahead = stock.doors() if stock is not None else []
            doors += ahead
            worker = self._workers.take(Birth(order, solo, tuple(own), tuple(ahead)), own_net=own_net)
            try:
                template = Template(name, worker.pid, worker.channel, cell, own_net=own_net, solo=solo)
            except OSError:
                self._workers.give_up(worker)
                raise
        except OSError:
            for unused in filter(None, (cell, stock)):
                self.clear(unused)
            raise
        finally:
            for door in doors:
                os.close(door)
        if stock is not None:
            template.cells[stock.name] = stock
        return template

    def doors(self, template: Template, limits: Limits) -> list[int]:
        """Return the doors of a new cell for the next replica of `template`. Raises OSError."""
        if template.solo or template.cell is None:
            return []
        cell = self._take(limits)
        if cell is None:
            return []
        template.cells[cell.name] = cell
        return cell.doors()

    def clear(self, cell: Cell | None, rounds: int = CLEAR_ROUNDS) -> None:
        """Kill what is left in the cell and remove it, as soon as the kernel lets us."""
        if cell is None or cell.remove():
            return
        if not rounds:
            _log.error("cell %s is not removed: the processes %s do not end", cell.name, cell.pids())
            return
        cell.kill()
        self._reactor.call_later(CLEAR_EVERY_S, lambda: self.clear(cell, rounds - 1))

    def ended(self, template: Template) -> None:
        """End what a template left behind that was waited for, and remove its cells."""
        self._workers.ended(template.pid)
        for cell in (template.cell, *template.cells.values()):
            self.clear(cell)
        template.cells.clear()

    def _take(self, limits: Limits) -> Cell | None:
        """Return a cell nobody is in. Raises OSError."""
        ahead = self._ahead.pop(limits, [])
        self._ahead[limits] = ahead  # the newest last
        if len(ahead) in (0, AHEAD):
            self._reactor.call_later(AHEAD_S, self._make_ahead)
        return ahead.pop() if ahead else self._cells.make(limits)

    def _make_ahead(self) -> None:
        while len(self._ahead) > AHEAD_KINDS:
            for cell in self._ahead.pop(next(iter(self._ahead))):
                self.clear(cell)
        for limits, ahead in self._ahead.items():
            while len(ahead) < AHEAD:
                made = self._cells.make(limits)
                if made is None:
                    return
                ahead.append(made)

    def close(self) -> None:
        """End every process and remove every cell."""
        self._workers.close()
        self._cells.close()
