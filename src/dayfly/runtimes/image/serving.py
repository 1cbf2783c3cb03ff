"""What an image's container does: load the function of the working folder, then serve it until SIGTERM."""

import asyncio
import contextlib
import os
import signal
import socket
import sys
import traceback

from dayfly.model.errors import DayflyError
from dayfly.model.replica import StartOrder
from dayfly.runtimes.exec import watchdog
from dayfly.runtimes.image.limits import LimitedHost
from dayfly.runtimes.image.settings import order_of, port_of
from dayfly.runtimes.python import family, loader, output, syscalls
from dayfly.runtimes.python.handler import Handler, HandlerUnfit
from dayfly.runtimes.static import site

BACKLOG = 1024


def main() -> int:
    """Serve; return the exit code: 78 for settings that mean nothing, 1 for a function that cannot be loaded."""
    output.plain()
    # The first process of a container is not ended by a signal that it does nothing about.
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    try:
        order = order_of(os.environ, os.getcwd(), socket.gethostname())
        port = port_of(os.environ)
    except DayflyError as error:
        print(f"dayfly: {error.message}", file=sys.stderr)  # noqa: T201 - standard error is what somebody reads
        return error.exit_code
    handler = load(order)
    return 1 if handler is None else asyncio.run(serve(handler, order, port))


def load(order: StartOrder) -> Handler | None:
    """Return what serves the function; None after telling why there is nothing."""
    sys.path.insert(0, order.code_dir)
    sys.argv = [order.handler]
    try:
        return {"static": site.prepare, "exec": _program}.get(order.runtime, loader.load)(order)
    except HandlerUnfit as error:
        print(f"dayfly: {error}", file=sys.stderr)  # noqa: T201 - as above
    except BaseException as error:  # whatever somebody's import raises, SystemExit too, is the reason
        _print(error, order.code_dir)
    return None


def _program(order: StartOrder) -> Handler:
    # What a program leaves behind comes to this process, which ends it, also where it is not the container's first.
    syscalls.prctl(syscalls.PR_SET_CHILD_SUBREAPER, 1)
    return watchdog.prepare(order)


def _print(error: BaseException, code_dir: str) -> None:
    """Print the traceback from the author's first frame on."""
    frames = error.__traceback__
    while frames is not None and not frames.tb_frame.f_code.co_filename.startswith(code_dir):
        frames = frames.tb_next
    traceback.print_exception(type(error), error, frames or error.__traceback__)


async def serve(handler: Handler, order: StartOrder, port: int) -> int:
    """Serve on every address until SIGTERM or SIGINT, and then until the calls at hand are answered."""
    loop = asyncio.get_running_loop()
    host = LimitedHost(loop, handler, order)
    near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, _tell, far)
    with near, far, _listener(port) as listener:
        host.deadline.start()
        code = await host.serve(order.replica, listener, near)
    sys.stdout.flush()
    return code


def _tell(far: socket.socket) -> None:
    with contextlib.suppress(OSError):
        far.send(family.DRAIN)


def _listener(port: int) -> socket.socket:
    if socket.has_dualstack_ipv6():
        # Where a container has no IPv6 the first is refused.
        with contextlib.suppress(OSError):
            return socket.create_server(("", port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=BACKLOG)
    return socket.create_server(("", port), backlog=BACKLOG)
