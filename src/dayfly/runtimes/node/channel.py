"""The channel to a Node host: the one that Node's own `fork` makes, spoken from Python.

It is the only way in which a Node process can be handed a descriptor. Messages are JSON, a line each; one that carries
a descriptor is wrapped the way Node wraps it. What comes back was written by a process that runs function code, so
anything may come: what is no word of ours is passed over, and what grows without end is cut.
"""

import contextlib
import json
import socket
from collections.abc import Iterator

MAX_MESSAGE_BYTES = 64 * 1024
_PIECE_BYTES = 65_536


class HostChannel:
    """Our end. What is sent waits in the socket's buffer; it is little."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._sock.setblocking(False)
        self._rest = b""

    def fileno(self) -> int:
        """Return the descriptor to wait for."""
        return self._sock.fileno()

    def close(self) -> None:
        """Close our end."""
        self._sock.close()

    def send(self, command: str, fd: int = -1, **fields: str) -> None:
        """Send a command, with a descriptor of a pipe or socket. A host that is gone, or reads nothing, has it not."""
        message: dict[str, object] = {"cmd": f"NODE_DAYFLY_{command}", **fields}
        if fd >= 0:
            message = {"cmd": "NODE_HANDLE", "type": "net.Native", "msg": message}
        data = json.dumps(message).encode() + b"\n"
        with contextlib.suppress(BlockingIOError, ConnectionError):  # its end, or its timeout, will be seen
            socket.send_fds(self._sock, [data], [fd] if fd >= 0 else [])

    def receive(self) -> Iterator[tuple[str, list[str]]]:
        """Yield the words that came, each with the lines beside it. Raises EOFError when the host is gone."""
        try:
            data = self._sock.recv(_PIECE_BYTES)
        except BlockingIOError:
            return
        except ConnectionError:
            data = b""
        if not data:
            raise EOFError
        *messages, rest = (self._rest + data).split(b"\n")
        self._rest = rest[-MAX_MESSAGE_BYTES:]
        for message in messages:
            yield from _word(message)


def _word(message: bytes) -> Iterator[tuple[str, list[str]]]:
    try:
        told = json.loads(message)
    except (ValueError, RecursionError):
        return
    if isinstance(told, dict) and isinstance(told.get("word"), str):
        lines = told.get("lines")
        yield told["word"], [str(line) for line in lines] if isinstance(lines, list) else []
