"""What a control plane and the agent in a runtime pod say to each other, over TCP.

    control                              agent
    MAGIC                          ──►
                                   ◄──   a challenge
    the opening (see seal.py)      ──►
    Claim, Code …, Code empty      ──►                    or Attach
                                   ◄──   Taken            or Refused, and the end
                                   ◄──   Ready
    Ask                            ──►
                                   ◄──   Use
    Stop                           ──►
                                   ◄──   Exited, and the end

After the challenge everything comes in frames: a length of four bytes and as many bytes. What begins with GET instead
of MAGIC is the kubelet's question whether the agent is well. A control plane that was away attaches again.
"""

import asyncio
import struct
from typing import Self

import msgspec

from dayfly.http1.silence import notice_silence
from dayfly.model.errors import Unavailable
from dayfly.model.replica import ExitReason, StartOrder
from dayfly.providers.pod.seal import CHALLENGE_BYTES, AgentKey, ControlKey, Frames, SealBroken

MAGIC = b"DAYFLY/1"
AGENT_PORT, FUNCTION_PORT = 8081, 8080
MAX_FRAME_BYTES = 8 << 20
"""The largest frame: an order with its environment and secrets."""
CODE_FRAME_BYTES = 256 << 10
CONNECT_S = 5.0
"""How long an agent may take to answer a connection."""
SILENCE_S = 30.0
"""After so long without an acknowledgement the agent's machine is taken for gone."""
_LENGTH = struct.Struct("!I")


class Claim(msgspec.Struct, frozen=True, tag=True):
    """Control plane: run this, and nothing else ever; the code follows."""

    order: StartOrder
    """As for a replica on the control plane's machine; the agent puts its own folders in place of those there."""


class Code(msgspec.Struct, frozen=True, tag=True):
    """Control plane: a piece of the archive; an empty one ends it."""

    data: bytes
    sha256: str = ""
    """Of the whole archive; with the last piece."""


class Attach(msgspec.Struct, frozen=True, tag=True):
    """Control plane: what has become of this replica?"""

    replica: str


class Stop(msgspec.Struct, frozen=True, tag=True):
    """Control plane: finish the calls at hand and end, within `grace_s` seconds."""

    grace_s: float


class Ask(msgspec.Struct, frozen=True, tag=True):
    """Control plane: what does the replica use now?"""


class Read(msgspec.Struct, frozen=True, tag=True):
    """Control plane: the log was read up to this line, by its number."""

    line: int


class Taken(msgspec.Struct, frozen=True, tag=True):
    """Agent: the claim is good, or the replica is ours already."""

    line: int = 0
    """Up to where the log was read by any control plane."""
    stopping: bool = False
    """Whether it was told to end: it finishes its calls and must be sent no more."""


class Refused(msgspec.Struct, frozen=True, tag=True):
    """Agent: the claim is not, or the replica is unknown here."""

    why: str


class Ready(msgspec.Struct, frozen=True, tag=True):
    """Agent: the replica answers."""

    took_s: float


class Use(msgspec.Struct, frozen=True, tag=True):
    """Agent: what the replica uses; zeros when it has no process yet."""

    cpu_s: float
    memory_bytes: int


class Exited(msgspec.Struct, frozen=True, tag=True):
    """Agent: the replica has ended, and the agent will too."""

    reason: ExitReason
    detail: str


FromControl = Claim | Code | Attach | Stop | Ask | Read
FromAgent = Taken | Refused | Ready | Use | Exited

_encode = msgspec.msgpack.Encoder().encode
_from_control: msgspec.msgpack.Decoder[FromControl] = msgspec.msgpack.Decoder(FromControl)
_from_agent: msgspec.msgpack.Decoder[FromAgent] = msgspec.msgpack.Decoder(FromAgent)


class Conversation:
    """One connection, from either side, once it was opened."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, frames: Frames) -> None:
        self._reader, self._writer, self._frames = reader, writer, frames

    @classmethod
    async def begin(cls, host: str, port: int, control: ControlKey, agent_key: str) -> Self:
        """Connect to an agent. Raises Unavailable, SealBroken."""
        try:
            async with asyncio.timeout(CONNECT_S):
                reader, writer = await asyncio.open_connection(host, port)
                notice_silence(writer.get_extra_info("socket"), SILENCE_S)
                try:
                    writer.write(MAGIC)
                    challenge = await reader.readexactly(CHALLENGE_BYTES)
                    opening, key = control.open(agent_key, challenge)
                except BaseException:
                    writer.close()
                    raise
                writer.write(_LENGTH.pack(len(opening)) + opening)
                return cls(reader, writer, Frames(key, is_agent=False))
        except (OSError, asyncio.IncompleteReadError, TimeoutError) as error:
            raise Unavailable(f"the agent at {host}:{port} does not answer: {error or type(error).__name__}") from error

    @classmethod
    async def welcome(
        cls, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, key: AgentKey, challenge: bytes
    ) -> Self:
        """Answer a connection whose MAGIC was read. Raises SealBroken, OSError, IncompleteReadError, TimeoutError."""
        async with asyncio.timeout(CONNECT_S):
            writer.write(challenge)
            return cls(reader, writer, Frames(key.accept(await _frame(reader, 4096), challenge), is_agent=True))

    async def say(self, message: FromControl | FromAgent) -> None:
        """Send a message, no faster than it is read. Raises Unavailable when the other side is gone."""
        frame = self._frames.seal(_encode(message))
        try:
            self._writer.write(_LENGTH.pack(len(frame)) + frame)
            await self._writer.drain()
        except OSError as error:
            raise Unavailable(f"the connection ended: {error}") from error

    async def hear_agent(self) -> FromAgent:
        """Return the agent's next message. Raises Unavailable at the end, SealBroken."""
        return _from_agent.decode(await self._hear())

    async def hear_control(self) -> FromControl:
        """Return the control plane's next message. Raises Unavailable at the end, SealBroken."""
        return _from_control.decode(await self._hear())

    async def close(self) -> None:
        """End the connection, when what was said is sent. Idempotent."""
        self._writer.close()

    async def _hear(self) -> bytes:
        try:
            return self._frames.unseal(await _frame(self._reader, MAX_FRAME_BYTES))
        except (OSError, asyncio.IncompleteReadError) as error:
            raise Unavailable("the connection ended") from error


async def _frame(reader: asyncio.StreamReader, most: int) -> bytes:
    (size,) = _LENGTH.unpack(await reader.readexactly(_LENGTH.size))
    if size > most:
        raise SealBroken(f"a frame of {size} bytes is more than the {most} that are taken")
    return await reader.readexactly(size)
