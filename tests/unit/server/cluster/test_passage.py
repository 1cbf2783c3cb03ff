"""The passage between gateways and the control plane: who is let in, what passes, and what a broken way means."""

import asyncio
import contextlib
import random
import ssl
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any

import msgspec
import pytest

from dayfly.model.errors import ConfigError, InvalidRequest
from dayfly.runtimes.private_socket import bind_private
from dayfly.server.cluster.passage import wire
from dayfly.server.cluster.passage.control_end import ControlEnd
from dayfly.server.cluster.passage.gateway_end import GatewayEnd, Way
from dayfly.server.cluster.renewal import Renewal
from dayfly.storage.certificate import make_certificate

TOKEN = "t" * 40
NAME = "dayfly-control.dayfly.svc"
HOST = f"127.{random.randint(64, 250)}.{random.randint(1, 250)}.1"  # noqa: S311
"""An address of our own: on the one that all use, somebody could take a port that is free for a moment."""
PATIENCE_S = 60


class Contexts:
    """Both sides' TLS, and that of a client that trusts somebody else."""

    def __init__(self, folder: Path) -> None:
        ours, others = make_certificate([NAME], years=1), make_certificate([NAME], years=1)
        for name, data in (("ca", ours.ca), ("cert", ours.cert), ("key", ours.key), ("other", others.ca)):
            (folder / name).write_bytes(data)
        self.server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self.server.load_cert_chain(folder / "cert", folder / "key")
        self.client = ssl.create_default_context(cafile=str(folder / "ca"))
        self.stranger = ssl.create_default_context(cafile=str(folder / "other"))


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Contexts:
    return Contexts(tmp_path_factory.mktemp("tls"))


class Stage:
    """A control plane that echoes on every channel, a gateway, and the passage between them."""

    def __init__(self, tls: Contexts, root: Path, token: str, silence_s: float) -> None:
        self.control, self.gateway = root / "c", root / "g"
        self.control.mkdir()
        self.gateway.mkdir()
        self.inner = self.gateway / "inner.sock"
        self.tls = tls
        self.silence_s = silence_s
        self.end = self.control_end()
        self.token = token
        self.port = 0
        self.changes: list[bool] = []
        self.changed = asyncio.Event()

    def control_end(self) -> ControlEnd:
        return ControlEnd(self.control, TOKEN, self.tls.server, pulse_s=0.02, silence_s=self.silence_s)

    def way(self, **more: Any) -> Way:
        way = Way(host=HOST, port=self.port, name=NAME, token=self.token, gateway="gw-0")
        return msgspec.structs.replace(way, **more)

    def gateway_end(self, context: ssl.SSLContext | None = None, **more: Any) -> GatewayEnd:
        return GatewayEnd(
            self.way(**more), context or self.tls.client, self.gateway, self.inner, pulse_s=0.02,
            silence_s=self.silence_s, on_change=self._note,
        )  # fmt: skip

    def _note(self, is_there: bool) -> None:
        self.changes.append(is_there)
        self.changed.set()

    async def until(self, condition: Callable[[], bool], what: str) -> None:
        """Wait for a condition that comes with a change of presence, or by itself soon after."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                while not condition():
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(0.01):
                            await self.changed.wait()
                            self.changed.clear()
        except TimeoutError:
            pytest.fail(f"{what}; presence changed so: {self.changes}; {sorted(self.control.iterdir())}")

    @property
    def is_present(self) -> bool:
        return bool(self.changes) and self.changes[-1]


async def _echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except (OSError, asyncio.CancelledError):
        pass  # the other side is gone, or the test is over
    finally:
        writer.close()


@contextlib.asynccontextmanager
async def _echoing(path: Path) -> AsyncIterator[None]:
    server = await asyncio.start_unix_server(_echo, sock=bind_private(path))
    try:
        yield
    finally:
        server.close()


@contextlib.asynccontextmanager
async def _running(job: Coroutine[None, None, None]) -> AsyncIterator["asyncio.Task[None]"]:
    task = asyncio.create_task(job)
    try:
        yield task
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def play(
    tls: Contexts, act: Callable[[Stage], Awaitable[None]], token: str = TOKEN, silence_s: float = PATIENCE_S
) -> None:
    """Set the stage and have something happen on it."""

    async def main() -> None:
        with tempfile.TemporaryDirectory(prefix="dayfly-passage-") as root:  # a socket's path must be short
            stage = Stage(tls, Path(root), token, silence_s)
            async with contextlib.AsyncExitStack() as stack:
                for channel in wire.CHANNELS:
                    await stack.enter_async_context(_echoing(stage.control / f"{channel}.sock"))
                await stack.enter_async_context(_echoing(stage.inner))
                stage.port = await stage.end.start(HOST, 0)
                try:
                    await act(stage)
                finally:
                    await stage.end.stop()

    asyncio.run(main())


async def said_back(path: Path, text: bytes) -> bytes:
    """Return what comes back for a text at a unix socket."""
    async with asyncio.timeout(PATIENCE_S):
        reader, writer = await asyncio.open_unix_connection(path)
        try:
            writer.write(text)
            return await reader.readexactly(len(text))
        finally:
            writer.close()


def test_every_channel_is_a_socket_at_the_gateway_and_the_gateway_is_one_at_the_control_plane(tls: Contexts) -> None:
    async def act(stage: Stage) -> None:
        async with _running(stage.gateway_end().run()):
            await stage.until(lambda: stage.is_present, "the gateway was never present")
            for channel in wire.CHANNELS:
                assert await said_back(stage.gateway / f"{channel}.sock", channel.encode()) == channel.encode()
            inner = stage.control / wire.inner_name("gw-0")
            big = bytes(range(256)) * 4096
            assert await said_back(inner, big) == big
            # More at once than are kept open ahead of need.
            many = await asyncio.gather(*(said_back(inner, b"%d" % number) for number in range(12)))
            assert many == [b"%d" % number for number in range(12)]
        await stage.until(lambda: not inner.exists(), "the gateway's socket outlived it")
        assert not list(stage.gateway.glob("*.sock")) or list(stage.gateway.glob("*.sock")) == [stage.inner]

    play(tls, act)


def test_a_wrong_token_opens_nothing(tls: Contexts, caplog: pytest.LogCaptureFixture) -> None:
    async def act(stage: Stage) -> None:
        async with _running(stage.gateway_end().run()):
            await stage.until(lambda: "refuses our token" in caplog.text, "nobody said that the token is wrong")
        assert stage.changes == []
        assert not (stage.control / wire.inner_name("gw-0")).exists()
        for channel in (*wire.CHANNELS, wire.INNER, wire.PRESENCE):
            assert await _greeted(stage, "w" * 40, channel) == wire.NO

    play(tls, act, token="w" * 40)


async def _greeted(stage: Stage, token: str, channel: str, gateway: str = "gw-9") -> bytes:
    """Return all that a greeting is answered with until the end."""
    reader, writer = await asyncio.open_connection(HOST, stage.port, ssl=stage.tls.client, server_hostname=NAME)
    writer.write(wire.greeting(token, channel, gateway))
    try:
        async with asyncio.timeout(PATIENCE_S):
            return await reader.read()
    finally:
        writer.close()


@pytest.mark.parametrize("channel", ["nats", "inner"])
def test_a_token_opens_no_other_channel_and_no_way_for_a_gateway_that_is_not_there(tls: Contexts, channel: str) -> None:
    async def act(stage: Stage) -> None:
        async with _echoing(stage.control / "nats.sock"):
            assert await _greeted(stage, TOKEN, channel) == b""

    play(tls, act)


def test_a_control_plane_of_another_installation_is_told_no_token(
    tls: Contexts, caplog: pytest.LogCaptureFixture
) -> None:
    async def act(stage: Stage) -> None:
        async with _running(stage.gateway_end(tls.stranger).run()):
            await stage.until(lambda: "not this installation's" in caplog.text, "nobody said that it is another's")
        async with _running(stage.gateway_end(name="elsewhere.dayfly.svc").run()):
            await stage.until(lambda: caplog.text.count("not this installation's") > 1, "its name was not checked")
        assert stage.changes == []

    play(tls, act)


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"GET / HTTP/1.1\n",
        b"DAYFLY/1 token link\n",
        b"DAYFLY/1 token link ../x\n",
        b"DAYFLY/1 token link gw extra\n",
        b"DAYFLY/2 token link gw\n",
    ],
)
def test_what_is_no_greeting_is_refused(line: bytes) -> None:
    with pytest.raises(InvalidRequest):
        wire.read_greeting(line)


def test_the_sockets_go_and_come_with_the_control_plane(tls: Contexts) -> None:
    async def act(stage: Stage) -> None:
        async with _running(stage.gateway_end().run()):
            await stage.until(lambda: stage.is_present, "the gateway was never present")
            reader, writer = await asyncio.open_unix_connection(stage.gateway / "link.sock")
            writer.write(b"here")
            assert await reader.readexactly(4) == b"here"
            await stage.end.stop()
            async with asyncio.timeout(PATIENCE_S):
                assert await reader.read() == b""
            writer.close()
            await stage.until(lambda: not stage.is_present, "the control plane's end was not noticed")
            with pytest.raises(OSError, match=r"No such file|refused"):
                await asyncio.open_unix_connection(stage.gateway / "api.sock")
            stage.end = stage.control_end()
            await stage.end.start(HOST, stage.port)
            await stage.until(lambda: stage.is_present, "the gateway did not come back")
            assert await said_back(stage.gateway / "api.sock", b"again") == b"again"
            assert await said_back(stage.control / wire.inner_name("gw-0"), b"in") == b"in"

    play(tls, act)


def test_a_control_plane_that_falls_silent_is_left(tls: Contexts) -> None:
    """As when its machine is gone: the connections stand, and nothing comes any more."""

    async def act(stage: Stage) -> None:
        greeted = 0

        async def mute(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal greeted
            try:
                _, channel, _ = wire.read_greeting(await reader.readuntil(b"\n"))
                greeted += channel == wire.PRESENCE
                writer.write(wire.YES)
                while await reader.read(1024):
                    pass
            except (OSError, asyncio.CancelledError):
                pass  # the gateway has left, or the test is over
            finally:
                writer.close()

        server = await asyncio.start_server(mute, HOST, 0, ssl=stage.tls.server)
        port = server.sockets[0].getsockname()[1]
        async with _running(stage.gateway_end(port=port).run()):
            await stage.until(lambda: greeted >= 2, "the gateway stayed with a silent control plane")
        assert stage.changes[:2] == [True, False]
        server.close()

    play(tls, act, silence_s=0.2)


def test_a_gateway_that_falls_silent_is_called_no_more(tls: Contexts) -> None:
    async def act(stage: Stage) -> None:
        reader, writer = await asyncio.open_connection(HOST, stage.port, ssl=stage.tls.client, server_hostname=NAME)
        writer.write(wire.greeting(TOKEN, wire.PRESENCE, "gw-0"))
        assert await reader.readexactly(1) == wire.YES
        async with asyncio.timeout(PATIENCE_S):
            assert set(await reader.read()) == set(wire.PULSE), "it was not given a pulse before it was left"
        inner = stage.control / wire.inner_name("gw-0")
        await stage.until(lambda: not inner.exists(), "the silent gateway is still there")
        writer.close()

    play(tls, act, silence_s=0.2)


def test_who_does_not_greet_is_not_waited_for(tls: Contexts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dayfly.server.cluster.passage.control_end.CONNECT_S", 0.2)

    async def act(stage: Stage) -> None:
        reader, writer = await asyncio.open_connection(HOST, stage.port, ssl=stage.tls.client, server_hostname=NAME)
        async with asyncio.timeout(PATIENCE_S):
            assert await reader.read() == b""
        writer.close()

    play(tls, act)


def test_a_changed_certificate_and_token_are_taken_up_while_all_goes_on(tmp_path: Path) -> None:
    """A Secret's new files: whoever comes then is shown the new certificate, and has to know the new token."""
    new = make_certificate([NAME], years=1)

    async def act(stage: Stage) -> None:
        files = {"cert": new.cert, "key": new.key, "ca": new.ca}
        taken: list[str] = []

        def take() -> None:
            stage.tls.server.load_cert_chain(tmp_path / "cert", tmp_path / "key")
            stage.end.renew("n" * 40)
            taken.append("once")

        renewal = Renewal([tmp_path / name for name in files], take)
        gateway = stage.gateway_end()
        async with _running(gateway.run()):
            await stage.until(lambda: stage.is_present, "the gateway was never present")
            await renewal.look()
            assert taken == []
            for name, content in files.items():
                (tmp_path / name).write_bytes(content)
            await renewal.look()
            await renewal.look()
            assert taken == ["once"]
            with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
                await said_back(stage.gateway / "api.sock", b"with the old ones")
            stage.tls.client.load_verify_locations(tmp_path / "ca")
            gateway.renew("n" * 40)
            assert await said_back(stage.gateway / "api.sock", b"again") == b"again"
            assert stage.changes == [True], "what was open has stayed so"

    (tmp_path / "old").mkdir()
    play(Contexts(tmp_path / "old"), act)


def test_credentials_that_cannot_be_used_leave_what_was_there(caplog: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    def take() -> None:
        raise ConfigError("it is none")

    (tmp_path / "cert").write_text("one")
    renewal = Renewal([tmp_path / "cert"], take)
    (tmp_path / "cert").write_text("other")
    asyncio.run(renewal.look())
    asyncio.run(renewal.look())
    assert [each.getMessage() for each in caplog.records] == ["changed credentials are not taken up: it is none"]
