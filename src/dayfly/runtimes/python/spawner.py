"""The zygote's work: make templates, have them fork replicas, know what became of each, and say so.

    provider ──Start──► spawner ──fork──► template ──fork──► replica ──"ready"──► spawner ──Ready──► provider

The spawner never runs or reads anything a function's author wrote. It binds the replica's socket, makes its log pipe
and its channel, forks a template where there is none, and hands the three descriptors to the template. Everything
about a process is taken from the kernel: a pid from the stamp on the replica's first message, its end from a pidfd.
"""

import contextlib
import logging
import os
import signal
import socket
import time
from collections.abc import Callable, Sequence

from dayfly.runtimes.jail.egress.outlets import Outlets
from dayfly.runtimes.python import endings, family, processes, wire
from dayfly.runtimes.python.budget import Budget
from dayfly.runtimes.python.family import Replica, Template, heard
from dayfly.runtimes.python.limits import Limits
from dayfly.runtimes.python.lookout import Lookout
from dayfly.runtimes.python.nursery import Nursery
from dayfly.runtimes.python.reactor import Reactor
from dayfly.runtimes.python.vigil import Vigil

_log = logging.getLogger("dayfly.runtimes.zygote")

_STATUS_WAIT_S = 1.0
"""How long a template is given to tell a dead replica's exit status."""

Report = Callable[[wire.FromZygote, Sequence[int]], None]


class Spawner:
    """Templates and replicas, and what happens to them. Idle templates may keep `budget` bytes."""

    def __init__(self, reactor: Reactor, nursery: Nursery, outlets: Outlets, lookout: Lookout, budget: int) -> None:
        self.replicas: dict[str, Replica] = {}
        self.report: Report = lambda _message, _fds: None
        self.on_gone: Callable[[Replica], None] = lambda _replica: None
        self._reactor = reactor
        self._nursery = nursery
        self._outlets = outlets
        self._lookout = lookout
        self._vigil = Vigil(reactor, self.replicas, self._end, lambda *news: self.report(wire.Noticed(*news), ()))
        self._templates: dict[str, Template] = {}
        self._budget = Budget(reactor, self._templates, self._end_template, budget)
        self._threaded: set[str] = set()

    def start(self, message: wire.Start, order: int) -> None:
        """Begin to start a replica; `order` is ours from now on. Raises OSError, with nothing begun."""
        if message.replica in self.replicas:
            os.close(order)
            self.report(wire.Taken(message.replica), ())
            return
        family.check_descriptors()
        replica = Replica(message.replica, message.path, order, message.limits)
        try:
            template = self._templates.get(message.template)
            if template is None:
                solo = message.solo or message.template in self._threaded
                template = self._make_template(message.template, order, message.limits, message.own_net, solo)
        except OSError:
            replica.close()
            os.close(replica.log)
            raise
        replica.join(template)
        self.replicas[replica.name] = replica
        refusal = self._fork(replica)
        self.report(wire.Taken(replica.name), (replica.log,))
        if refusal and template.has_hung_up():  # it has just ended, by itself
            self._move(replica, solo=template.solo)
        elif refusal:
            self._gone(replica, "start_failed", refusal)

    def stop(self, message: wire.Stop) -> None:
        """Let a replica end, and kill it when it does not in time."""
        replica = self.replicas.get(message.replica)
        if replica is None:
            return
        replica.stopping = True
        if not replica.pid:
            self._cancel(replica)
        elif message.grace_s <= 0:
            self._kill(replica)
        else:
            with contextlib.suppress(OSError):  # its end is closed: the pidfd tells
                replica.channel.send(family.DRAIN + b"%g" % message.grace_s)
            self._reactor.call_later(message.grace_s, lambda: self._kill(replica))

    def close(self) -> None:
        """End every process and remove every cell."""
        self._nursery.close()

    def _make_template(self, name: str, order: int, limits: Limits, own_net: bool, solo: bool) -> Template:
        template = self._nursery.template(name, order, limits, own_net=own_net, solo=solo)
        if not solo:
            self._templates[name] = template
        self._reactor.on_readable(template.channel.fileno(), lambda: self._template_speaks(template))
        self._reactor.on_readable(template.pidfd, lambda: self._template_ended(template))
        self._lookout.watch(template.pid, limits, lambda why: self._exceeded(template, why))
        return template

    def _fork(self, replica: Replica) -> str:
        """Have the template fork the replica; return why it does not, or nothing."""
        self._reactor.on_readable(replica.channel.fileno(), lambda: self._replica_speaks(replica))
        replica.template.used = replica.began
        doors: list[int] = []
        try:
            doors = self._nursery.doors(replica.template, replica.limits)
            socket.send_fds(replica.template.channel, [replica.name.encode()], [*replica.hand_over(), *doors])
        except OSError as error:  # it is ending, or very many forks wait in its channel
            return f"the function's template takes no order: {error.strerror}"
        finally:
            for door in doors:
                os.close(door)
        return ""

    def _template_speaks(self, template: Template) -> None:
        if not template.confined and (fds := template.hear_confined()):
            self._outlets.open(template.pid, fds)
        for data, pid in heard(template.channel):
            if not data:
                self._reactor.forget(template.channel.fileno())
            elif (pid != template.pid or not self._template_said(template, data)) and template.babbles():
                self._end_template(template)

    def _template_said(self, template: Template, data: bytes) -> bool:
        if data == family.TEMPLATE_IMPORTED:
            template.imported = True
            self._lookout.widen(template.pid)  # by what the next replica has, which is forked ahead of need
            self._budget.weigh_later(template)
        elif data == family.TEMPLATE_THREADED:
            self._split_up(template)
        elif data in (family.TEMPLATE_FAILED, family.TEMPLATE_BARRED):
            template.verdict = data
        else:
            name, _, status = data.decode("ascii", "replace").partition(" ")
            if not status.isdigit() and status != family.NOT_FORKED:
                return False
            replica = template.replicas.get(name)
            if replica is not None and status.isdigit():
                replica.status = int(status[:9])
            if replica is not None and not replica.pid:  # it never came to say who it is
                self._gone(replica, *endings.never_met(replica))
        return True

    def _split_up(self, template: Template) -> None:
        """Give each waiting replica a process that imports for itself: this template has threads and may not fork."""
        self._threaded.add(template.name)
        for replica in list(template.replicas.values()):
            self._move(replica, solo=True)
        self._end_template(template)

    def _move(self, replica: Replica, *, solo: bool) -> None:
        """Give a replica that waits for its template to fork it another one."""
        before = replica.template
        before.replicas.pop(replica.name, None)
        self._reactor.forget(replica.channel.fileno())
        try:
            replica.join(self._make_template(before.name, replica.order, replica.limits, before.own_net, solo))
            refusal = self._fork(replica)
        except OSError as error:
            refusal = f"no process could be made: {error.strerror}"
        if refusal:
            self._gone(replica, "start_failed", refusal)

    def _template_ended(self, template: Template) -> None:
        self._template_speaks(template)
        template.ended = True
        self._reactor.forget(template.pidfd)
        self._reactor.forget(template.channel.fileno())
        self._lookout.forget(template.pid)
        _, status = os.waitpid(template.pid, 0)
        self._outlets.close(template.pid)
        os.close(template.pidfd)
        template.channel.close()
        if self._templates.get(template.name) is template:
            del self._templates[template.name]
        for replica in list(template.replicas.values()):
            if replica.pid and template.solo:
                replica.status = status if replica.status is None else replica.status
                self._ended(replica)
            elif not replica.pid:
                self._gone(replica, *endings.never_forked(template, replica, status))
        self._nursery.ended(template)

    def _replica_speaks(self, replica: Replica) -> None:
        for data, pid in heard(replica.channel):
            if self.replicas.get(replica.name) is not replica:
                return
            if not data:
                self._reactor.forget(replica.channel.fileno())
                return
            if not replica.pid:
                self._adopt(replica, pid)
            if data == family.REPLICA_READY and replica.pid and not replica.ready:
                self._ready(replica)
            elif data == family.REPLICA_FAILED:
                replica.failed = True
            elif data != family.REPLICA_HELLO and replica.template.babbles():
                self._end_template(replica.template)

    def _adopt(self, replica: Replica, pid: int) -> None:
        template = replica.template
        if pid != template.pid if template.solo else processes.parent_of(pid) != template.pid:
            return
        try:
            replica.pidfd = os.pidfd_open(pid)
        except ProcessLookupError:
            self._gone(replica, "crashed", "the process ended at once")
            return
        replica.pid = pid
        replica.cell = template.cell_of(pid)
        replica.handed_over()
        self._reactor.on_readable(replica.pidfd, lambda: self._ended(replica))
        self.report(wire.Forked(replica.name, pid), ())
        self._lookout.watch(pid, replica.limits, lambda why: self._end(replica, why))
        self._vigil.wake()
        if replica.stopping or (template.cell is not None and replica.cell is None):
            self._kill(replica)

    def _ready(self, replica: Replica) -> None:
        # It has nothing more to say, and could only keep us busy: its pidfd tells its end.
        self._reactor.forget(replica.channel.fileno())
        if replica.stopping:
            return
        replica.ready = True
        replica.took_s = time.monotonic() - replica.began
        self.report(wire.Ready(replica.name, replica.took_s), ())

    def _ended(self, replica: Replica) -> None:
        if self.replicas.get(replica.name) is not replica:
            return
        self._reactor.forget(replica.pidfd)
        self._replica_speaks(replica)
        self._settle(replica, until=time.monotonic() + _STATUS_WAIT_S)

    def _settle(self, replica: Replica, until: float) -> None:
        """Report the end once its status is known: the template reaps the process within microseconds."""
        if self.replicas.get(replica.name) is not replica:
            return
        living = not replica.template.ended
        if replica.status is None and living and time.monotonic() < until:
            self._reactor.call_later(0.002, lambda: self._settle(replica, until))
        else:
            self._gone(replica, *endings.ended(replica, template_lives=living))
            self._budget.weigh_later(replica.template)

    def _cancel(self, replica: Replica) -> None:
        """End a replica that has no process yet."""
        self._gone(replica, "stopped", "stopped before it had started")
        template = replica.template
        if not template.replicas and (not template.imported or template.solo):
            self._end_template(template)

    def _kill(self, replica: Replica) -> None:
        if self.replicas.get(replica.name) is replica and replica.pidfd >= 0:
            replica.killed = True
            if replica.cell is not None:
                replica.cell.kill()
            processes.kill_tree(replica.pid, replica.pidfd)

    def _exceeded(self, template: Template, why: wire.ExitReason) -> None:
        """End a template that has more than a replica may have, be it while it imports or by what that left running."""
        template.excess = why
        self._end_template(template)

    def _end(self, replica: Replica, why: wire.ExitReason) -> None:
        """End a replica that cannot go on."""
        replica.verdict = replica.verdict or why
        self._kill(replica)
        if replica.halted and processes.is_stopped(replica.template.pid):
            self._end_template(replica.template)

    def _gone(self, replica: Replica, reason: wire.ExitReason, detail: str) -> None:
        del self.replicas[replica.name]
        replica.template.replicas.pop(replica.name, None)
        self._reactor.forget(replica.channel.fileno())
        if replica.pidfd >= 0:
            self._reactor.forget(replica.pidfd)
            self._lookout.forget(replica.pid)
        replica.close()
        if replica.cell is not None and not replica.template.solo:
            replica.template.cells.pop(replica.cell.name, None)
            self._nursery.clear(replica.cell)
        self.report(wire.Exited(replica.name, reason, detail), ())
        self.on_gone(replica)

    def _end_template(self, template: Template) -> None:
        if self._templates.get(template.name) is template:
            del self._templates[template.name]
        if not template.ended:
            processes.kill_below(template.pid)
            signal.pidfd_send_signal(template.pidfd, signal.SIGKILL)
