"""The egress proxy as a process: the one that connects outside for every function.

    python -P -m dayfly.runtimes.jail.egress.process --socket PATH --ready-fd FD

It reads what hostile functions write, so it gives up what it can before it does: as root it becomes a user of its own,
and for every account Landlock and seccomp leave it the network and the files that looking up names takes.

SIGTERM says that another proxy takes this one's place, at the same path: it says so on its pipe and goes with the last
spawner it serves. SIGUSR1 says that the platform ends.
"""

import argparse
import asyncio
import contextlib
import functools
import json
import logging
import os
import resource
import signal
import socket
import struct
import sys
from collections.abc import Sequence

import msgspec
import uvloop

from dayfly.model.errors import DayflyError
from dayfly.runtimes.jail import calls, landlock, seccomp
from dayfly.runtimes.jail.egress import wire
from dayfly.runtimes.jail.egress.lookups import Lookups
from dayfly.runtimes.jail.egress.policy import Rules
from dayfly.runtimes.jail.egress.proxy import Way
from dayfly.runtimes.log_format import log_to_stderr
from dayfly.runtimes.private_socket import bind_private

_log = logging.getLogger("dayfly.egress")

UID = 19_999
"""Who the proxy is when root starts it; functions are 20000 and above."""
_READABLE = ("/usr", "/lib", "/lib32", "/lib64", "/libx32", "/etc", "/run/systemd/resolve", "/dev/urandom")


class Egress:
    """The ways of all jails, as their spawners tell them: more than one while another spawner takes over."""

    def __init__(self, listener: socket.socket, uid: int) -> None:
        self.idle = asyncio.Event()
        """Set once it has left and no spawner is connected any more."""
        self._loop = asyncio.get_running_loop()
        self._listener: socket.socket | None = listener
        self._uid = uid
        self._lookups = Lookups()
        self._spawners: dict[socket.socket, dict[int, Way]] = {}
        self._serving: set[asyncio.Task[None]] = set()
        self._loop.add_reader(listener.fileno(), self._accept, listener)

    def leave(self) -> None:
        """Take no further spawner, and serve those that are connected to their end."""
        if self._listener is not None:
            self._loop.remove_reader(self._listener.fileno())
            self._listener.close()
            self._listener = None
        self._look_whether_idle()

    def close(self) -> None:
        """End every connection."""
        for spawner in list(self._spawners):
            self._forget(spawner)

    def _accept(self, listener: socket.socket) -> None:
        spawner, _ = listener.accept()
        _, uid, _ = struct.unpack("3i", spawner.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
        if uid != self._uid:
            _log.warning("a process of user %d tried to command the egress proxy and was refused", uid)
            spawner.close()
            return
        spawner.setblocking(False)
        self._spawners[spawner] = {}
        self._loop.add_reader(spawner.fileno(), self._read, spawner)

    def _read(self, spawner: socket.socket) -> None:
        try:
            data, fds, _flags, _address = socket.recv_fds(
                spawner, wire.MAX_PACKET_BYTES, wire.MAX_PACKET_FDS, socket.MSG_CMSG_CLOEXEC
            )
        except BlockingIOError:
            return
        except OSError as error:
            _log.info("the spawner is gone: %s", error)
            data, fds = b"", []
        if not data:
            self._forget(spawner)
            return
        match wire.decode(data):
            case wire.Open() as message:
                self._open(self._spawners[spawner], message, fds)
            case wire.Close() as message:
                _close(self._spawners[spawner], message.jail)

    def _open(self, ways: dict[int, Way], message: wire.Open, fds: list[int]) -> None:
        _close(ways, message.jail)
        listeners = [socket.socket(fileno=fd) for fd in fds[1:]]
        try:
            granted = wire.read_pass(fds[0])
            rules = Rules(granted.allow)
        except (msgspec.DecodeError, DayflyError) as error:
            _log.error("the pass of a jail cannot be read: %s", error)
            for listener in listeners:
                listener.close()
            return
        finally:
            os.close(fds[0])
        look_up = functools.partial(self._lookups.find, granted.function)
        way = ways[message.jail] = Way(granted.function, rules, look_up, lasting=message.lasting)
        task = self._loop.create_task(way.serve(listeners))
        self._serving.add(task)
        task.add_done_callback(self._served)

    def _served(self, task: asyncio.Task[None]) -> None:
        self._serving.discard(task)
        if not task.cancelled() and task.exception() is not None:
            _log.error("a jail's sockets cannot be served", exc_info=task.exception())

    def _forget(self, spawner: socket.socket) -> None:
        ways = self._spawners.pop(spawner)
        self._loop.remove_reader(spawner.fileno())
        spawner.close()
        for way in ways.values():
            way.leave() if way.lasting else way.close()
        self._look_whether_idle()

    def _look_whether_idle(self) -> None:
        if self._listener is None and not self._spawners:
            self.idle.set()


def _close(ways: dict[int, Way], jail: int) -> None:
    if way := ways.pop(jail, None):
        way.close()


def _listen(path: str) -> socket.socket:
    listener = bind_private(path, socket.SOCK_SEQPACKET)
    listener.listen(4)
    listener.setblocking(False)
    return listener


def _give_up_rights(layers: Sequence[str]) -> None:
    """Keep the network and no more. Raises OSError."""
    if os.geteuid() == 0:
        calls.drop_capabilities()
        os.setgroups([])
        os.setresgid(UID, UID, UID)
        os.setresuid(UID, UID, UID)
        calls.clear_capabilities()
    calls.prctl(calls.PR_SET_NO_NEW_PRIVS, 1)
    if "landlock" in layers:
        fence = landlock.Ruleset()
        for path in (*_READABLE, sys.base_prefix, sys.prefix, os.path.dirname(os.path.abspath(__file__))):
            fence.allow(path, landlock.READ)
        fence.restrict()
    if "seccomp" in layers:
        seccomp.install("inet")


async def _run(listener: socket.socket, uid: int, ready_fd: int) -> None:
    egress = Egress(listener, uid)
    loop = asyncio.get_running_loop()

    def leave() -> None:
        with contextlib.suppress(BrokenPipeError):
            os.write(ready_fd, json.dumps({"leaving": "yes"}).encode() + b"\n")
        egress.leave()

    loop.add_signal_handler(signal.SIGTERM, leave)
    loop.add_signal_handler(signal.SIGUSR1, egress.idle.set)
    os.write(ready_fd, json.dumps({"ready": "yes"}).encode() + b"\n")
    await egress.idle.wait()
    egress.close()


def main(argv: list[str]) -> int:
    """Run until told to end (SIGUSR1), or to leave (SIGTERM) and then as long as a spawner is connected.

    Return the exit code.
    """
    parser = argparse.ArgumentParser(prog="dayfly.runtimes.jail.egress")
    parser.add_argument("--socket", required=True)
    parser.add_argument("--layers", default="")
    parser.add_argument("--log-format", choices=("text", "json"), default="text")
    parser.add_argument("--ready-fd", type=int, required=True)
    given = parser.parse_args(argv)
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    log_to_stderr("egress", "info", given.log_format)
    parent, uid, listener = os.getppid(), os.geteuid(), _listen(given.socket)
    socket.getaddrinfo("localhost", 80)  # loads what looking up a name needs, while its files can still be read
    _give_up_rights(given.layers.split(","))
    calls.prctl(calls.PR_SET_PDEATHSIG, signal.SIGKILL)  # a change of user has cleared it
    if os.getppid() != parent:
        return 0
    # The loop is made last: libuv would set up io_uring, and take it badly that seccomp then takes it away.
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_run(listener, uid, given.ready_fd))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
