"""A connection to an MQTT broker that acknowledges what it was told to, and when.

paho speaks the protocol, and leaves reading, writing and the clock to the loop here, so that a source costs no thread
and what nobody takes stops the reading. Connecting alone blocks, and has a thread. A message is acknowledged by a call
of its own: paho would do it before anybody has seen the message.
"""

import asyncio
import contextlib
import ssl
from collections import deque
from collections.abc import Callable
from typing import Any

from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from dayfly.events.port import Lost
from dayfly.events.sources.trouble import lost
from dayfly.model.trigger_secret import Credentials

HELD = 16
"""How many messages are held that nobody has acknowledged."""
MAX_PACKET = 16 * 2**20
"""The largest message a broker should send, in bytes; one of version 5 keeps to it."""
KEPT_S = 7 * 86_400
"""How long a broker of version 5 keeps a session that nobody connects to."""
KEEPALIVE_S, ANSWER_S, TICK_S = 15, 10.0, 1.0
_OLD = "Unsupported protocol version"


class _Tidy(ssl.SSLSocket):
    """Closes when no TLS comes about, which paho leaves to the garbage collector."""

    def do_handshake(self, block: bool = False) -> None:
        try:
            super().do_handshake(block)
        except BaseException:
            self.close()
            raise


class Session:
    """What the broker keeps for one client id, and the connection to it."""

    def __init__(self, address: str, client_id: str, credentials: Credentials, version: MQTTProtocolVersion) -> None:
        self.address = address
        self.lost: asyncio.Future[Lost] = asyncio.get_running_loop().create_future()
        self._loop = asyncio.get_running_loop()
        self._connected: asyncio.Future[ReasonCode] = self._loop.create_future()
        self._asked: tuple[str, ...] = ()
        self._asked_for_s = 0.0
        self._messages: deque[MQTTMessage] = deque()
        self._came = asyncio.Event()
        self._reading: int | None = None
        self._writing: int | None = None
        self._tick: asyncio.TimerHandle | None = None
        self._client = client = Client(
            CallbackAPIVersion.VERSION2,
            client_id=client_id,
            protocol=version,
            clean_session=None if version is MQTTProtocolVersion.MQTTv5 else False,
            reconnect_on_failure=False,
            manual_ack=True,
        )
        client.on_connect, client.on_subscribe, client.on_message = (
            self._on_connect,
            self._on_subscribe,
            self._on_message,
        )
        client.on_socket_close = self._on_socket_close
        if credentials.user or credentials.password:
            client.username_pw_set(credentials.user, credentials.password or None)

    async def connect(self, host: str, port: int, context: ssl.SSLContext | None) -> bool:
        """Connect; whether the broker speaks this version. Raises Lost."""
        if context is not None:
            context.sslsocket_class = _Tidy
            self._client.tls_set_context(context)
        connecting = asyncio.ensure_future(asyncio.to_thread(self._connect, host, port))
        try:
            await asyncio.shield(connecting)
        except asyncio.CancelledError:
            await asyncio.wait((connecting,))  # It ends by itself: connecting and TLS have five seconds each.
            raise
        except OSError as error:
            raise lost(self.address, error) from None
        self._client.on_disconnect = self._on_disconnect
        self._read_on()
        self._ticking()
        try:
            reason = await self._answer()
        except Lost:
            # A broker that cannot read version 5 should say so, and some just hang up.
            if self.lost.done() and self._client.protocol == MQTTProtocolVersion.MQTTv5:
                return False
            raise
        if reason.is_failure and str(reason) != _OLD:
            raise Lost(f"{self.address}: the broker refused the connection: {str(reason).lower()}")
        return not reason.is_failure

    def subscribe(self, topics: tuple[str, ...], qos: int, ready: Callable[[], None]) -> None:
        """Call `ready` once whatever comes from then on comes here; be lost when it does not.

        What the session kept comes before the broker's answer, which waits behind it: take messages meanwhile.
        """
        self._asked, self._ready = topics, ready
        if self._client.protocol == MQTTProtocolVersion.MQTTv5:
            # What the broker retains comes with the first subscription, and not each time we connect.
            options = SubscribeOptions(qos=qos, retainHandling=SubscribeOptions.RETAIN_SEND_IF_NEW_SUB)
            self._client.subscribe([(topic, options) for topic in topics])
        else:
            self._client.subscribe([(topic, qos) for topic in topics])
        self._write_on()

    async def next(self) -> MQTTMessage:
        """Return the next message. Raises Lost."""
        while not self._messages:
            if self.lost.done():
                raise self.lost.result()
            self._came.clear()
            await self._came.wait()
        message = self._messages.popleft()
        self._read_on()
        return message

    def acknowledge(self, message: MQTTMessage) -> None:
        """Have the broker forget the message; the order must be that of their coming (MQTT 5, section 4.6)."""
        if message.qos:
            self._client.ack(message.mid, message.qos)
            self._write_on()

    def refused(self) -> Lost:
        """Return what to raise for a broker that speaks no version we do."""
        return Lost(f"{self.address}: the broker speaks neither MQTT 5 nor 3.1.1")

    def close(self) -> None:
        """Say goodbye as far as that goes without waiting, and let go of everything."""
        if self._tick is not None:
            self._tick.cancel()
        self._stop_reading()
        with contextlib.suppress(OSError, ValueError):
            self._client.disconnect()
        self._stop_writing()
        if (held := self._client.socket()) is not None:
            held.close()

    def _connect(self, host: str, port: int) -> None:
        if self._client.protocol == MQTTProtocolVersion.MQTTv5:
            properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call] # paho leaves it out
            properties.SessionExpiryInterval = KEPT_S
            properties.ReceiveMaximum = HELD
            properties.MaximumPacketSize = MAX_PACKET
            self._client.connect(host, port, KEEPALIVE_S, clean_start=False, properties=properties)
        else:
            self._client.connect(host, port, KEEPALIVE_S)

    async def _answer(self) -> ReasonCode:
        await asyncio.wait((self._connected, self.lost), timeout=ANSWER_S, return_when=asyncio.FIRST_COMPLETED)
        if self._connected.done():
            return self._connected.result()
        raise self.lost.result() if self.lost.done() else lost(self.address, TimeoutError())

    def _read_on(self) -> None:
        if self._reading is None and len(self._messages) < HELD and (held := self._client.socket()) is not None:
            self._reading = held.fileno()
            self._loop.add_reader(self._reading, self._read)
            self._loop.call_soon(self._read)  # TLS may hold what it has read already, of which the socket says nothing.

    def _read(self) -> None:
        while self._reading is not None:
            try:
                self._do(self._client.loop_read())
            except Exception:  # paho raises whatever bytes that are no MQTT lead it to
                self._lose("what it sends is no MQTT")
                return
            if len(self._messages) >= HELD:
                self._stop_reading()
            held = self._client.socket()
            if not (isinstance(held, ssl.SSLSocket) and held.pending()):
                return

    def _write_on(self) -> None:
        if self._writing is None and self._client.want_write() and (held := self._client.socket()) is not None:
            self._writing = held.fileno()
            self._loop.add_writer(self._writing, self._write)

    def _write(self) -> None:
        self._do(self._client.loop_write())
        if not self._client.want_write():
            self._stop_writing()

    def _ticking(self) -> None:
        # While nothing is read nothing is said about answers to our pings either: the broker alone is the judge.
        if self._reading is not None:
            self._do(self._client.loop_misc())
            self._write_on()
            self._asked_for_s += TICK_S if self._asked else 0.0
            if self._asked_for_s > ANSWER_S:
                self._lose("there was no answer in time")
        self._tick = self._loop.call_later(TICK_S, self._ticking)

    def _do(self, code: MQTTErrorCode) -> None:
        if code != MQTTErrorCode.MQTT_ERR_SUCCESS or self._client.socket() is None:
            self._lose("the connection was lost")

    def _lose(self, why: str) -> None:
        self._stop_reading()
        self._stop_writing()
        if not self.lost.done():
            self.lost.set_result(Lost(f"{self.address}: {why}"))
        self._came.set()

    def _stop_reading(self) -> None:
        if self._reading is not None:
            self._loop.remove_reader(self._reading)
            self._reading = None

    def _stop_writing(self) -> None:
        if self._writing is not None:
            self._loop.remove_writer(self._writing)
            self._writing = None

    def _on_connect(self, _c: Client, _u: Any, _f: ConnectFlags, reason: ReasonCode, _p: Properties | None) -> None:
        if not self._connected.done():
            self._connected.set_result(reason)

    def _on_disconnect(
        self, _c: Client, _u: Any, flags: DisconnectFlags, reason: ReasonCode, _p: Properties | None
    ) -> None:
        if str(reason) == "Session taken over":
            self._lose("another client goes by the same client id")
        elif flags.is_disconnect_packet_from_server:
            self._lose(f"the broker ended the connection: {str(reason).lower()}")
        else:
            self._lose("the connection was lost")

    def _on_socket_close(self, _c: Client, _u: Any, _s: Any) -> None:
        self._stop_reading()
        self._stop_writing()

    def _on_subscribe(self, _c: Client, _u: Any, _m: int, reasons: list[ReasonCode], _p: Properties | None) -> None:
        for topic, reason in zip(self._asked, reasons, strict=False):
            if reason.is_failure:
                self._lose(f"the broker does not let us subscribe to {topic}: {str(reason).lower()}")
                return
        self._asked = ()
        self._ready()

    def _on_message(self, _c: Client, _u: Any, message: MQTTMessage) -> None:
        self._messages.append(message)
        self._came.set()
