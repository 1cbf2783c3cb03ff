"""A template: a function imported once and frozen, to fork replicas from.

It begins as a copy of the zygote, reads its order, gives up every right, imports the handler, and then does nothing but
fork when told and tell how its children ended. Its pages are shared with every replica until one writes to them.

The output of the import goes to the log of the first replica that waits for it. An import that leaves threads running
makes the process unfit to fork from, since a fork copies the locks and not the threads that hold them: the template
says so, and each replica of that function imports for itself ("solo").
"""

import functools
import gc
import os
import select
import signal
import socket
import threading
import traceback
from collections.abc import Callable, Sequence

from dayfly.model.replica import StartOrder
from dayfly.runtimes.jail import calls
from dayfly.runtimes.jail.egress.wire import Pass, pass_file
from dayfly.runtimes.python import family, loader, output, processes, replica, scratch, syscalls, wire
from dayfly.runtimes.python.cells import enter
from dayfly.runtimes.python.confine import Confined, Jail, close_all_but, die_with_parent
from dayfly.runtimes.python.handler import Handler
from dayfly.runtimes.python.replica import Berth, receive
from dayfly.runtimes.python.surroundings import surround
from dayfly.runtimes.python.workers import receive_birth

SPARE_AFTER_S = 0.05
"""How long nothing must be asked of a template before it forks its spare, in seconds."""
MAX_FAILURE_LINES = 200
MAX_FAILURE_CHARACTERS = 12_000


def run(channel: socket.socket, jail: Jail, *, missing: Sequence[str]) -> None:
    """Build the jail, wait for an order, and be its template or its only replica; never returns.

    `missing` is what the zygote could not have, one sentence each.
    """
    code = 70
    try:
        code = _run(channel, jail, missing)
    except BaseException:  # nothing may unwind into the zygote's own stack; the log is all that can hear it
        traceback.print_exc()
    finally:
        os._exit(code)


def _run(channel: socket.socket, jail: Jail, missing: Sequence[str]) -> int:
    os.setsid()
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGINT, signal.SIGUSR1):
        signal.signal(number, signal.SIG_DFL)
    # Somebody who ends the function's processes by name must not cost the calls at hand: the zygote says when to go. A
    # handler, because what the function starts would inherit that the signal is ignored.
    signal.signal(signal.SIGTERM, lambda *_: None)
    calls.name_process(family.WAITING)
    refusal = _build(jail)
    birth = receive_birth(channel)
    first = receive(channel) if birth is not None else None
    if birth is None or first is None:
        return 0
    calls.name_process(family.AT_WORK)
    null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    pipe = output.install(first.log)
    order = wire.read_order(birth.order)
    os.close(birth.order)
    surround(order)
    try:
        if refusal is not None:
            raise refusal
        enter(birth.doors)
        confined = jail.close(order)
    except OSError as error:
        _fail(channel, first, family.TEMPLATE_BARRED, [f"the function could not be confined: {error}"])
        return 0
    _announce(channel, order, confined)
    syscalls.prctl(syscalls.PR_SET_CHILD_SUBREAPER, 1)
    for sentence in (*confined.missing, *missing):
        pipe.line("p", "", f"sandbox: {sentence}")
    try:
        handler = loader.load(order)
    except BaseException as error:  # whatever somebody's import raises, SystemExit too, is an answer to report
        _fail(channel, first, family.TEMPLATE_FAILED, _explain(error, order))
        return 0
    gc.collect()
    gc.freeze()
    if birth.solo:
        return replica.live(handler, order, first)
    if _has_threads():
        channel.send(family.TEMPLATE_THREADED)
        return 0
    channel.send(family.TEMPLATE_IMPORTED)
    for fd in (1, 2):
        os.dup2(null, fd)
    spares = bool(birth.stock) or not first.doors
    return _Template(channel, handler, order, birth.stock, tmp=confined.tmp, spares=spares).serve(first)


def _build(jail: Jail) -> OSError | None:
    """Build the jail; a failure is kept for the log of the function that would get it."""
    try:
        jail.build()
    except OSError as error:
        return error
    return None


def _announce(channel: socket.socket, order: StartOrder, confined: Confined) -> None:
    """Say the first word: that function code may come now, and what leads out of the jail."""
    os.environ.update({name: value for name, value in confined.environ.items() if name not in order.env})
    fds = [pass_file(Pass(str(order.key), order.allow)), *confined.listeners] if confined.listeners else []
    socket.send_fds(channel, [family.TEMPLATE_CONFINED], fds)
    for fd in fds:
        os.close(fd)


class _Template:
    """The loop of a template after its import.

    When nothing is asked of it, it forks one spare: a replica that has made its event loop and waits to be told who it
    is. Most of what a fork costs is copying pages when they are first touched, and the spare has done so before the
    call that needs it comes.
    """

    def __init__(
        self,
        channel: socket.socket,
        handler: Handler,
        order: StartOrder,
        stock: tuple[int, ...],
        *,
        tmp: str,
        spares: bool,
    ) -> None:
        self._channel = channel
        self._handler = handler
        self._order = order
        self._stock = stock
        """The doors of the cell for the next spare. The spare that takes a berth leaves it the berth's."""
        self._spares = spares
        self._names: dict[int, str] = {}
        """Children of ours by pid: a replica's name, or nothing for the spare."""
        self._pidfds: dict[int, int] = {}
        self._spare: tuple[int, socket.socket] | None = None
        self._tmp = tmp
        self._helpers = set(processes.children_of(os.getpid()))
        self._poll = select.poll()

    def serve(self, first: Berth) -> int:
        """Make a replica for each berth that comes, until the zygote is gone."""
        self._poll.register(self._channel.fileno(), select.POLLIN)
        berth: Berth | None = first
        while berth is not None:
            if not self._give_to_spare(berth):
                keep = (*berth.fds, *berth.doors)
                self._fork(functools.partial(replica.live, self._handler, self._order, berth), berth.name, keep)
                _close(berth.doors)
            _close(berth.fds)
            berth = self._wait()
        return 0

    def _wait(self) -> Berth | None:
        while True:
            waits = self._spare is None and self._spares
            ready = self._poll.poll(SPARE_AFTER_S * 1000 if waits else None)
            if not ready:
                self._make_spare()
            for fd, _events in ready:
                if fd == self._channel.fileno():
                    return receive(self._channel)
                self._reap()

    def _make_spare(self) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        doors, self._stock = self._stock, ()
        body = functools.partial(replica.live_spare, self._handler, self._order, theirs, doors)
        pid = self._fork(body, "", [theirs.fileno(), *doors])
        theirs.close()
        _close(doors)
        self._spare = (pid, ours)

    def _give_to_spare(self, berth: Berth) -> bool:
        if self._spare is None:
            return False
        pid, line = self._spare
        self._spare = None
        with line:
            alive = pid in self._names  # else it could not be made, or has died
            try:
                if alive:
                    socket.send_fds(line, [berth.name.encode()], berth.fds)
            except OSError:
                alive = False
        if not alive:  # its cell is lost, and the next would die as it did
            self._spares = self._spares and not berth.doors
            return False
        self._stock = berth.doors
        self._names[pid] = berth.name
        return True

    def _fork(self, body: Callable[[], int], name: str, keep: Sequence[int]) -> int:
        """Return the child's pid, -1 when none could be made, of which the zygote is told."""
        template = os.getpid()
        try:
            pid = os.fork()
        except OSError:
            if name:
                self._channel.send(f"{name} {family.NOT_FORKED}".encode())
            return -1
        if pid == 0:
            die_with_parent()
            if os.getppid() == template:
                close_all_but((0, 1, 2, *keep))
                os._exit(body())
            os._exit(70)
        self._names[pid] = name
        self._pidfds[pid] = os.pidfd_open(pid)
        self._poll.register(self._pidfds[pid], select.POLLIN)
        return pid

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            name = self._names.pop(pid, None)
            if name is not None:
                pidfd = self._pidfds.pop(pid)
                self._poll.unregister(pidfd)
                os.close(pidfd)
                self._sweep()
                self._channel.send(f"{name} {status}".encode())
                if self._tmp and not any(self._names.values()):
                    scratch.clear(self._tmp)

    def _sweep(self) -> None:
        """End what a dead replica left running: its orphans came to us, for living replicas adopt their own."""
        known = {*self._names, *self._helpers}
        while strangers := [pid for pid in processes.children_of(os.getpid()) if pid not in known]:
            for pid in strangers:
                processes.kill_below(pid)
                os.kill(pid, signal.SIGKILL)
            for pid in strangers:  # their own children come to us as they end
                os.waitpid(pid, 0)


def _close(fds: Sequence[int]) -> None:
    for fd in fds:
        os.close(fd)


def _fail(channel: socket.socket, first: Berth, verdict: bytes, lines: list[str]) -> None:
    """Say why to the log of every replica that waits, then to the zygote."""
    berth: Berth | None = first
    channel.setblocking(False)
    while berth is not None:
        output.LogPipe(berth.log).line("x", "", output.failure_text(lines))
        try:
            berth = receive(channel)
        except BlockingIOError:
            break
    channel.setblocking(True)
    channel.send(verdict)


def _explain(error: BaseException, order: StartOrder) -> list[str]:
    """Return the traceback from the function's own frames on, cut to a size that fits one log frame."""
    if isinstance(error, loader.HandlerUnfit):
        return [str(error)]
    frames = error.__traceback__
    while frames is not None and not frames.tb_frame.f_code.co_filename.startswith(order.code_dir):
        frames = frames.tb_next
    text = "".join(traceback.format_exception(type(error), error, frames or error.__traceback__))
    return text[-MAX_FAILURE_CHARACTERS:].rstrip("\n").split("\n")[-MAX_FAILURE_LINES:]


def _has_threads() -> bool:
    try:
        return len(os.listdir("/proc/self/task")) > 1
    except OSError:  # no /proc in this root: only Python's own threads can be counted
        return threading.active_count() > 1
