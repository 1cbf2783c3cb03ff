"""The porter of one container: a small process in the container's network that hands out sockets made there.

Run as `python -I -S porter.py --path FOLDER --folder FOLDER [--become UID] [--listen ADDRESS:PORT …]`, in a container
of its own whose network has no way in or out. The function's container joins that network later, and is reached, and
reaches the outside, only by sockets that the porter made in it and handed out through two unix sockets in the folder:

    in     a connection to 127.0.0.1:8080, where the function serves
    out    the listening sockets at the given addresses, whose connections the egress proxy accepts

Nothing that a function or a caller sends ever comes this way. The porter knows no state: whoever connects is answered,
after a restart of the platform as before it.
"""

import argparse
import contextlib
import os
import selectors
import signal
import socket
import sys

FUNCTION_PORT = 8080
CONNECT_S = 2.0
"""How long a function may leave a connection in its queue before the next caller is answered."""
_BACKLOG = 1024
_MAX_REASON = 200


def main(argv: list[str]) -> None:
    """Serve until told to end by SIGTERM."""
    parser = argparse.ArgumentParser(prog="dayfly-porter")
    parser.add_argument("--path", required=True)
    parser.add_argument("--folder", required=True)
    parser.add_argument("--become", type=int, default=-1)
    parser.add_argument("--listen", action="append", default=[])
    given = parser.parse_args(argv)
    told_to_end = _on_sigterm()
    listeners = _listen(given.path, given.listen)
    if given.become >= 0:
        os.setgroups([])
        os.setresgid(given.become, given.become, given.become)
        os.setresuid(given.become, given.become, given.become)
    with selectors.DefaultSelector() as selector:
        # `out` is there before `in`, so that who finds the second has the first.
        for name in ("out", "in"):
            selector.register(_bind(os.path.join(given.folder, name)), selectors.EVENT_READ, name)
        selector.register(told_to_end, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if not isinstance(key.fileobj, socket.socket):
                    return
                asking, _ = key.fileobj.accept()
                # Whoever asks may be gone already; that is nobody else's trouble.
                with asking, contextlib.suppress(OSError):
                    asking.settimeout(CONNECT_S)
                    _connect(asking) if key.data == "in" else _hand(asking, listeners)


def _on_sigterm() -> int:
    """Return a descriptor that can be read once SIGTERM has come, for which a container's first process has no default.

    The signal itself makes it so: a handler would run only once the waiting is over that it came just before.
    """
    reader, writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(writer)
    signal.signal(signal.SIGTERM, lambda *_: None)
    return reader


def _listen(path: str, places: list[str]) -> list[int]:
    """Return the descriptors of sockets that listen at the places, each `ADDRESS:PORT`."""
    sys.path.append(path)
    from dayfly.runtimes.jail import loopback

    listeners = []
    for place in places:
        address, _, port = place.rpartition(":")
        if not loopback.is_loopback(address):
            loopback.add_to_loopback(address)
        listeners.append(loopback.listen(address, int(port)))
    return listeners


def _bind(path: str) -> socket.socket:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
    listener = socket.socket(socket.AF_UNIX)
    os.umask(0o177)
    listener.bind(path)
    listener.listen(_BACKLOG)
    return listener


def _connect(asking: socket.socket) -> None:
    with socket.socket() as connected:
        connected.settimeout(CONNECT_S)
        try:
            connected.connect(("127.0.0.1", FUNCTION_PORT))
        except OSError as error:
            why = error.strerror or f"it took no connection within {CONNECT_S:g}s"
            asking.sendall(b"-" + f"port {FUNCTION_PORT}: {why}".encode()[:_MAX_REASON])
            return
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        _hand(asking, [connected.fileno()])


def _hand(asking: socket.socket, fds: list[int]) -> None:
    socket.send_fds(asking, [b"+"], fds)


if __name__ == "__main__":
    main(sys.argv[1:])
