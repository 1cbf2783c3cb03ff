"""The link: the connection to the control plane over which the routing table comes and reports go.

It is kept up for ever. While it is away the gateway serves with the last table it had.
"""

import asyncio
import logging
import struct
import uuid

import msgspec

from dayfly.gateway.memory import Memory
from dayfly.gateway.records import TURN_S
from dayfly.gateway.state import State, drop
from dayfly.model.table import MAX_MESSAGE_BYTES, Hello, ToControl, ToGateway

REPORT_S = 1.0
BACKOFF_S = (0.05, 0.2)
"""First and longest pause before connecting again: well below the time that replicas are left to serve after they were
taken out of the table, so that a control plane that is just back stops none that this gateway still sends calls to."""
_MAX_UNSENT = 4 * 1024 * 1024
_LENGTH = struct.Struct(">I")
_log = logging.getLogger("dayfly.gateway")


class Link:
    """Speaks `model.table` with the control plane on behalf of one gateway process."""

    def __init__(self, path: str, gateway: str, state: State, memory: Memory | None = None) -> None:
        self._path = path
        self._memory = memory
        self._hello = Hello(gateway, uuid.uuid4().hex)
        self._state = state
        self._encoder = msgspec.msgpack.Encoder()
        self._decoder: msgspec.msgpack.Decoder[ToGateway] = msgspec.msgpack.Decoder(ToGateway)
        self._writer: asyncio.StreamWriter | None = None
        state.hand_over = self.hand_over

    async def run(self) -> None:
        """Keep the connection up until cancelled."""
        pause = BACKOFF_S[0]
        while True:
            try:
                reader, self._writer = await asyncio.open_unix_connection(self._path)
                self._state.tell = self.send
                self.send(self._hello)
                self._state.introduce()
                pause = BACKOFF_S[0]
                await self._listen(reader)
            except (OSError, asyncio.IncompleteReadError, msgspec.MsgspecError) as fault:
                _log.debug("link is away reason=%s", fault)
            finally:
                self._hang_up()
            await asyncio.sleep(pause)
            pause = min(pause * 2, BACKOFF_S[1])

    async def report(self) -> None:
        """Report at intervals until cancelled."""
        while True:
            await asyncio.sleep(REPORT_S)
            self._state.report()

    async def record(self) -> None:
        """Hand records over at intervals until cancelled."""
        while True:
            await asyncio.sleep(TURN_S)
            self.hand_over()
            self._state.records.turn()

    def hand_over(self) -> None:
        """Send what records there are, as far as the control plane takes them; the rest stays for later."""
        records = self._state.records
        while self._is_taken() and (load := records.take()) is not None:
            self.send(load)

    def _is_taken(self) -> bool:
        return self._writer is not None and self._writer.transport.get_write_buffer_size() <= _MAX_UNSENT

    def send(self, message: ToControl) -> None:
        """Send a message, or drop it when the control plane has stopped reading."""
        writer = self._writer
        if writer is None or not self._is_taken():
            return
        data = self._encoder.encode(message)
        writer.write(_LENGTH.pack(len(data)) + data)

    async def _listen(self, reader: asyncio.StreamReader) -> None:
        while True:
            (size,) = _LENGTH.unpack(await reader.readexactly(_LENGTH.size))
            if size > MAX_MESSAGE_BYTES:
                raise OSError(f"a message of {size} bytes")
            data = await reader.readexactly(size)
            message = self._decoder.decode(data)
            if self._memory is not None:
                self._memory.keep(message, data)
            self._state.receive(message)

    def _hang_up(self) -> None:
        writer, self._writer = self._writer, None
        self._state.tell = drop
        self._state.records.end()
        if writer is not None:
            writer.close()
