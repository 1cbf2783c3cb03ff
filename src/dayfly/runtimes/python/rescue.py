"""Help for calls that arrive while a call run inline holds the event loop for longer than it should.

A handler is run on the loop because its calls were quick. When one is not, the loop cannot read, and whoever calls
next, or asks for the health, would wait for its whole length. So a watching thread, awake only while calls come, looks
every `STALL_S` seconds whether the loop is still in the same call. If it is, the thread stands in: it accepts new
connections, and it borrows idle ones that have something to read. It never touches the loop's transports, which are not
for other threads: it reads and writes the sockets themselves, each borrowed connection on a thread of its own.

When the call is over, the loop takes back what is idle at once and stops reading what is still borrowed until that is
given back. A connection is only borrowed between requests and with nothing left to write, so neither side can see half
of a message.

A handler pinned inline by its author may not be thread-safe: then only probes are answered.
"""

import contextlib
import logging
import os
import select
import socket
import threading
import time
from typing import TYPE_CHECKING

import httptools

from dayfly.runtimes.python import answers
from dayfly.runtimes.python.answers import Answer
from dayfly.runtimes.python.calls import Event, RawHeaders, Request

if TYPE_CHECKING:
    from dayfly.runtimes.python.connection import Connection
    from dayfly.runtimes.python.host import Host

_log = logging.getLogger("dayfly.runtimes.host")

STALL_S = 0.02
"""How long an inline call may hold the loop before others are helped; also how often the thread looks."""
WATCH_S = 1.0
"""How long after the last inline call the thread goes on looking."""
PATIENCE_S = 60.0
"""How long a borrowed connection may be silent in the middle of a request or an answer."""


class Rescue:
    """The watching thread of one host."""

    def __init__(self, host: "Host", listener: int, *, probes_only: bool) -> None:
        self.awake = False
        self.since = 0.0
        """When the inline call that runs began; 0 when none does. Written by the loop."""
        self._host = host
        self._listener = listener
        self._probes_only = probes_only
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._active = False
        self._borrowed: set[_Guest] = set()
        self._idle: dict[int, _Guest] = {}
        self._epoll = select.epoll(1)
        threading.Thread(target=self._watch, name="dayfly-rescue", daemon=True).start()

    def arm(self) -> None:
        """Begin to look; called on the loop before an inline call when `awake` is false."""
        self.awake = True
        self._wake.set()

    def over(self) -> None:
        """Take the connections back; called on the loop after an inline call that took more than half of STALL_S.

        `since` must be 0 before the call's length is measured: so a thread that still saw it set looked before, and
        the length measured is then more than STALL_S.
        """
        with self._lock:
            if not self._active:
                return
            self._active = False
            self._epoll.close()
            for guest in self._borrowed:
                if guest.connection is not None and not guest.connection.closed:
                    guest.connection.transport.pause_reading()
            idle, self._idle = self._idle, {}
        for guest in idle.values():
            guest.give_back(self._host)

    def _watch(self) -> None:
        while True:
            self._wake.wait()
            quiet, before = 0.0, -1.0
            while quiet < WATCH_S:
                time.sleep(STALL_S)
                since = self.since
                if since and time.monotonic() - since > STALL_S:
                    self._stand_in(since)
                quiet = quiet + STALL_S if since == before else 0.0
                before = since
            self._wake.clear()
            self.awake = False
            if self.since:  # a call began in this very moment, which took the thread for awake
                self.arm()

    def _stand_in(self, since: float) -> None:
        with self._lock:
            if self.since != since:
                return
            self._active = True
            self._epoll = select.epoll()
            self._epoll.register(self._listener, select.EPOLLIN)
            for connection in list(self._host.connections):
                if connection.is_idle():
                    self._welcome(_Guest(connection, _dup(connection)))
        while True:
            try:
                ready = self._epoll.poll(STALL_S)
            except (ValueError, OSError):  # closed, before the call or in its very moment: the loop is back
                if self._active:
                    raise
                return
            with self._lock:
                if not self._active:
                    return
                for fd, _events in ready:
                    self._attend(fd)

    def _welcome(self, guest: "_Guest") -> None:
        self._idle[guest.sock.fileno()] = guest
        self._epoll.register(guest.sock.fileno(), select.EPOLLIN)

    def _attend(self, fd: int) -> None:
        if fd == self._listener:
            self._accept()
            return
        guest = self._idle.pop(fd)
        self._epoll.unregister(fd)
        start = guest.peek()
        if not start or (self._probes_only and b" /_/" not in start[:16]):
            if guest.connection is None:  # the loop would be asked in vain; it is given over when it is back
                self._idle[fd] = guest
            else:
                guest.sock.close()
            return
        self._borrowed.add(guest)
        if guest.connection is not None:
            guest.connection.busy = True
        threading.Thread(target=self._serve, args=(guest,), name="dayfly-rescued", daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(BlockingIOError), socket.socket(fileno=os.dup(self._listener)) as listener:
            sock, _ = listener.accept()
            sock.setblocking(False)
            self._welcome(_Guest(None, sock))

    def _serve(self, guest: "_Guest") -> None:
        try:
            keep_alive = guest.serve(self._host)
        except (OSError, httptools.HttpParserError) as error:
            _log.info("a connection served beside the loop failed: %s", error)
            keep_alive = False
        except BaseException as error:  # the author's generator, in the middle of its answer: cut it short
            self._host.log_failure(error)
            keep_alive = False
        with self._lock:
            self._borrowed.discard(guest)
            guest.keep_alive = keep_alive
            if self._active and keep_alive:
                if guest.connection is not None:
                    guest.connection.busy = False
                self._welcome(guest)
                return
        guest.give_back(self._host)


class _Guest:
    """A connection served beside the loop: one of the loop's, or one that the loop does not know yet."""

    def __init__(self, connection: "Connection | None", sock: socket.socket) -> None:
        self.connection = connection
        self.sock = sock
        self.keep_alive = True
        self.served = False
        self._url = b""
        self._headers: RawHeaders = []
        self._body: list[bytes] = []
        self._complete = False

    def peek(self) -> bytes:
        """Return what there is to read without taking it; nothing at the connection's end."""
        try:
            return self.sock.recv(16, socket.MSG_PEEK)
        except OSError:
            return b""

    def serve(self, host: "Host") -> bool:
        """Serve one request; return whether the connection may serve another. Raises OSError, HttpParserError."""
        self._url, self._headers, self._body, self._complete = b"", [], [], False
        self.served = True
        self.sock.settimeout(PATIENCE_S)
        parser = httptools.HttpRequestParser(self)
        while not self._complete:
            data = self.sock.recv(65_536)
            if not data:
                return False
            parser.feed_data(data)
        request = Event(parser.get_method(), self._url, self._headers, b"".join(self._body), parser.should_keep_alive())
        return self._answer(request, host.beside_the_loop(request), host)

    def give_back(self, host: "Host") -> None:
        """Let the loop have the connection; from any thread. Once the loop is closed, at the replica's end, hang up."""
        if self.connection is not None:
            self.sock.close()
            if self.served:
                with contextlib.suppress(RuntimeError):
                    host.call_soon(self.connection.given_back, self.keep_alive)
            return
        if self.keep_alive:
            self.sock.setblocking(False)
            with contextlib.suppress(RuntimeError):
                host.call_soon(host.adopt, self.sock)
                return
        self.sock.close()

    def _answer(self, request: Request, reply: Answer | bytes, host: "Host") -> bool:
        if isinstance(reply, bytes):
            self.sock.sendall(reply)
            return request.keep_alive
        head_only = request.verb == b"HEAD"
        if isinstance(reply.body, bytes):
            self.sock.sendall(answers.whole(reply, reply.body, keep_alive=request.keep_alive, head_only=head_only))
            return request.keep_alive
        begun = False
        for value in host.pieces_beside_the_loop(reply.body):
            data, suggested = answers.piece(value)
            if not begun:
                reply = reply if reply.content_type else reply._replace(content_type=suggested)
                self.sock.sendall(answers.head(reply, length=None, keep_alive=request.keep_alive))
                begun = True
            if data and not head_only:
                self.sock.sendall(b"%x\r\n%s\r\n" % (len(data), data))
        if not begun:
            return self._answer(request, reply._replace(body=b""), host)
        if not head_only:
            self.sock.sendall(b"0\r\n\r\n")
        return request.keep_alive

    # The parser's callbacks.

    def on_message_begin(self) -> None:
        if self._complete:  # gateways do not pipeline; the answer to the first ends the connection
            raise ValueError("a second request came before the first was answered")

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers.append((name, value))

    def on_body(self, data: bytes) -> None:
        self._body.append(data)

    def on_message_complete(self) -> None:
        self._complete = True


def _dup(connection: "Connection") -> socket.socket:
    return socket.socket(fileno=os.dup(connection.transport.get_extra_info("socket").fileno()))
