"""The wire: what the two ends of a call have in common, a transport that is written to and paused."""

import asyncio
import os
from typing import cast

from dayfly.http1.flood import Flood

Data = bytes | memoryview
JOINED_BYTES = 16_384
"""Below this, one write of joined bytes is cheaper than a gathered one of two."""


class Wire(asyncio.Protocol):
    """A connection that can be written to. `transport` is None before it is made and after it is lost."""

    __slots__ = ("_fd", "flooding", "reading", "transport", "writable")

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self.reading = True
        self.writable = True
        self.flooding = False
        self._fd = -1

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        # Cast and not asserted: uvloop's transports do not inherit from asyncio's.
        self.transport = cast("asyncio.Transport", transport)
        if transport.get_extra_info("sslcontext") is None:
            self._fd = transport.get_extra_info("socket").fileno()

    def write(self, data: bytes) -> bool:
        """Send `data`; returns False when the connection is closed or closing and not one byte was handed over.

        Both event loops write to the socket at once when nothing is queued, and begin to close when that fails.
        """
        transport = self.transport
        if transport is None or transport.is_closing():
            return False
        transport.write(data)
        return not transport.is_closing()

    def write_parts(self, head: bytes, body: Data) -> bool:
        """Send `head` and `body` as `write` does, without joining a large body to its head."""
        if len(body) < JOINED_BYTES:
            return self.write(head + body if body else head)
        transport = self.transport
        if transport is None or transport.is_closing():
            return False
        transport.writelines((head, body))
        return not transport.is_closing()

    def spill(self, data: Data) -> None:
        """Send `data`, which may be a view of a buffer that is used again once this returns."""
        transport = self.transport
        if transport is None or transport.is_closing():
            return
        if type(data) is bytes:
            transport.write(data)
            return
        sent = 0
        if self._fd >= 0 and not transport.get_write_buffer_size():
            try:
                sent = os.write(self._fd, data)
            except BlockingIOError:
                pass
            except OSError:
                transport.abort()
                return
        if sent < len(data):
            transport.write(bytes(data[sent:]))

    def begin_flood(self) -> None:
        """Read a large body into the buffer that all floods share."""
        self._change_protocol(Flood(self), flooding=True)

    def end_flood(self) -> None:
        """Read as before."""
        self._change_protocol(self, flooding=False)

    def _change_protocol(self, protocol: asyncio.BaseProtocol, *, flooding: bool) -> None:
        transport = self.transport
        if transport is None or transport.is_closing():
            return
        self.flooding = flooding
        # uvloop looks at the kind of protocol only when it begins to read.
        if self.reading:
            transport.pause_reading()
        transport.set_protocol(protocol)
        if self.reading:
            transport.resume_reading()

    def take_flood(self, data: memoryview) -> None:
        """Take a piece of a large body."""
        raise NotImplementedError

    def eof_received(self) -> bool:
        """Let the transport close."""
        return False

    def pause(self) -> None:
        """Stop reading, until `resume`."""
        if self.reading and self.transport is not None and not self.transport.is_closing():
            self.reading = False
            self.transport.pause_reading()

    def resume(self) -> None:
        """Read again after `pause`."""
        if not self.reading and self.transport is not None and not self.transport.is_closing():
            self.reading = True
            self.transport.resume_reading()

    def close(self) -> None:
        """Close once everything written is sent."""
        if self.transport is not None:
            self.transport.close()

    def abort(self) -> None:
        """Close now."""
        if self.transport is not None:
            self.transport.abort()

    def pause_writing(self) -> None:
        """Note that the peer takes less than it is sent."""
        self.writable = False

    def resume_writing(self) -> None:
        """Note that the peer has caught up."""
        self.writable = True
