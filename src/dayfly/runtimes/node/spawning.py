"""Starting a host: Node's process, and word of its end."""

import os
import signal
from collections.abc import Sequence

from dayfly.model.replica import StartOrder
from dayfly.runtimes.node import program
from dayfly.runtimes.python.confine import die_with_parent


def spawn(order: StartOrder, channel: int, outputs: Sequence[int]) -> int:
    """Start the host and return its pid. Its descriptors are no input, the two outputs, and the channel."""
    argv, environ = program.argv(order), program.environment(order, os.environ)
    parent = os.getpid()
    pid = os.fork()
    if pid:
        return pid
    try:
        die_with_parent()
        if os.getppid() == parent:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            for number, fd in enumerate(outputs, start=1):
                os.dup2(fd, number)
            os.dup2(channel, program.CHANNEL_FD)
            os.set_inheritable(program.CHANNEL_FD, True)
            os.chdir(order.code_dir)
            os.execve(argv[0], argv, environ)  # noqa: S606 - a program and its arguments, and no shell
    except OSError as error:
        os.write(2, f"Node.js could not be started: {error}\n".encode())
    finally:
        os._exit(70)


def wake_on_child() -> int:
    """Return a descriptor that can be read when a child has ended or was stopped."""
    reader, writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    return reader
