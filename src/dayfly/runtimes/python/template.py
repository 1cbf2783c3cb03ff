"""A template: a function imported once and frozen, to fork replicas from.

It begins as a copy of the zygote, reads its order, gives up every right, imports the handler, and then does nothing but
fork when told and tell how its children ended. Its pages are shared with every replica until one writes to them.

The output of the import goes to the log of the first replica that waits for it. An import that leaves threads running
makes the process unfit to fork from, since a fork copies the locks and not the threads that hold them: the template
says so, and each replica of that function imports for itself ("solo").
"""

import gc
import os
import signal
import socket
import threading
import traceback
from collections.abc import Callable, Mapping, Sequence

from dayfly.model.replica import StartOrder
from dayfly.model.runtime import Runtime
from dayfly.runtimes.jail import calls
from dayfly.runtimes.jail.egress.wire import Pass, pass_file
from dayfly.runtimes.python import debugger, family, output, syscalls, wire
from dayfly.runtimes.python.cells import enter
from dayfly.runtimes.python.confine import Confined, Jail
from dayfly.runtimes.python.forking import Forking
from dayfly.runtimes.python.handler import Handler
from dayfly.runtimes.python.refusing import explain, refuse
from dayfly.runtimes.python.replica import Berth, Brood, Forks, Prepare, Resident, receive
from dayfly.runtimes.python.surroundings import surround
from dayfly.runtimes.python.workers import receive_birth


def run(channel: socket.socket, jail: Jail, *, missing: Sequence[str], runtimes: Mapping[Runtime, Prepare]) -> None:
    """Build the jail, wait for an order, and be its template or its only replica; never returns.

    `missing` is what the zygote could not have, one sentence each.
    """
    code = 70
    try:
        code = _run(channel, jail, missing, runtimes)
    except BaseException:  # nothing may unwind into the zygote's own stack; the log is all that can hear it
        traceback.print_exc()
    finally:
        os._exit(code)


def _run(channel: socket.socket, jail: Jail, missing: Sequence[str], runtimes: Mapping[Runtime, Prepare]) -> int:
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
        refuse(channel, first, family.TEMPLATE_BARRED, [f"the function could not be confined: {error}"])
        return 0
    order = order.without_contents()  # they are files now, and nothing here needs them
    _announce(channel, order, confined)
    syscalls.prctl(syscalls.PR_SET_CHILD_SUBREAPER, 1)
    for sentence in (*confined.missing, *missing):
        pipe.line("p", "", f"sandbox: {sentence}")
    if debugger.wanted(order) and not birth.solo:  # it would leave threads here
        channel.send(family.TEMPLATE_THREADED)
        return 0
    try:
        debugger.connect(order)
        ready = runtimes[order.runtime](order)
    except BaseException as error:  # whatever somebody's import raises, SystemExit too, is an answer to report
        verdict = family.TEMPLATE_FAILED if order.runtime == "python" else family.TEMPLATE_BARRED
        refuse(channel, first, verdict, explain(error, order))
        return 0
    gc.collect()
    gc.freeze()
    if birth.solo:
        return live(ready, order, first, confined, lambda status: family.tell_status(channel, first.name, status))
    brood = Forks(ready, order) if isinstance(ready, Handler) and not _has_threads() else ready
    if not isinstance(brood, Brood):
        channel.send(family.TEMPLATE_THREADED)
        return 0
    for fd in (1, 2):
        os.dup2(null, fd)
    spares = bool(birth.stock) or not first.doors
    return Forking(channel, brood, birth.stock, tmp=confined.tmp, spares=spares).serve(first)


def live(
    ready: Handler | Resident | Brood,
    order: StartOrder,
    berth: Berth,
    confined: Confined,
    report: Callable[[int], None],
) -> int:
    """Be the only replica; return the exit code. `report` is told what `Resident.live` reports."""
    if isinstance(ready, Handler):
        ready = Forks(ready, order)
    if isinstance(ready, Brood):
        return ready.live(berth)
    return ready.live(berth, confined, report)


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


def _has_threads() -> bool:
    try:
        return len(os.listdir("/proc/self/task")) > 1
    except OSError:  # no /proc in this root: only Python's own threads can be counted
        return threading.active_count() > 1
