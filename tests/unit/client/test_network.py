"""The clients on real sockets: streaming both ways, silence, refusal, proxies."""

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator

import pytest

from dayfly.client import AsyncClient, Client
from dayfly.client.gateway import Target
from dayfly.model.errors import ConfigError, Unavailable

Script = Callable[[socket.socket], None]
HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
DEADLINE_S = 60.0


class Server:
    """Accepts connections and runs a script on each."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.target = Target(f"http://127.0.0.1:{self.listener.getsockname()[1]}")
        self.script: Script = lambda _: None
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _serve(self) -> None:
        while not self.stop.is_set():
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            with connection:
                connection.settimeout(DEADLINE_S)
                self.script(connection)

    def close(self) -> None:
        self.stop.set()
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join(DEADLINE_S)
        assert not self.thread.is_alive()


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.close()


def read_until(connection: socket.socket, end: bytes) -> bytes:
    seen = b""
    while not seen.endswith(end):
        piece = connection.recv(65536)
        assert piece, seen
        seen += piece
    return seen


def test_pieces_arrive_as_they_are_sent(server: Server) -> None:
    got_first = threading.Event()

    def script(connection: socket.socket) -> None:
        read_until(connection, b"\r\n\r\n")
        connection.sendall(HEAD + b"5\r\nfirst\r\n")
        assert got_first.wait(DEADLINE_S)
        connection.sendall(b"6\r\nsecond\r\n0\r\n\r\n")

    server.script = script
    with Client(target=server.target) as client, client.stream("hello") as answer:
        pieces = iter(answer)
        assert next(pieces) == b"first"
        got_first.set()
        assert list(pieces) == [b"second"]


def test_pieces_arrive_as_they_are_sent_on_a_loop(server: Server) -> None:
    got_first = threading.Event()

    def script(connection: socket.socket) -> None:
        read_until(connection, b"\r\n\r\n")
        connection.sendall(HEAD + b"5\r\nfirst\r\n")
        assert got_first.wait(DEADLINE_S)
        connection.sendall(b"6\r\nsecond\r\n0\r\n\r\n")

    async def main() -> list[bytes]:
        pieces = []
        async with AsyncClient(target=server.target) as client, client.stream("hello") as answer:
            async for piece in answer:
                pieces.append(piece)
                got_first.set()
        return pieces

    server.script = script
    assert asyncio.run(main()) == [b"first", b"second"]


def test_a_body_of_pieces_is_sent_chunked(server: Server) -> None:
    seen = []

    def script(connection: socket.socket) -> None:
        seen.append(read_until(connection, b"0\r\n\r\n"))
        connection.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")

    server.script = script
    with Client(target=server.target) as client:
        assert client.invoke("hello", iter([b"one", b"two"])).status == 204
    assert seen[0].endswith(b"3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n")


def test_an_answer_cut_short_is_unavailable(server: Server) -> None:
    def script(connection: socket.socket) -> None:
        read_until(connection, b"\r\n\r\n")
        connection.sendall(HEAD + b"5\r\nfirst\r\n")

    server.script = script
    with Client(target=server.target) as client, pytest.raises(Unavailable, match="broke off"):
        client.invoke("hello")


def test_silence_is_named(server: Server) -> None:
    done = threading.Event()

    def script(_: socket.socket) -> None:
        done.wait(DEADLINE_S)

    server.script = script
    with (
        Client(target=server.target, timeout_s=0.05) as client,
        pytest.raises(Unavailable, match=r"nothing for 0\.05s"),
    ):
        client.info()
    done.set()


def test_nobody_there_is_told_with_what_to_do() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        target = Target(f"http://127.0.0.1:{unused.getsockname()[1]}")
        with Client(target=target) as client, pytest.raises(Unavailable, match="No gateway answers") as caught:
            client.info()
    assert "dayfly start" in caught.value.hint


def test_no_proxy_is_asked_for_this_machine(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")

    def script(connection: socket.socket) -> None:
        read_until(connection, b"\r\n\r\n")
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK")

    server.script = script
    with Client(target=server.target) as client:
        assert client.health()


def test_a_file_of_certificates_that_is_none_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAYFLY_CA_FILE", "/dev/null")
    with pytest.raises(ConfigError, match="/dev/null"):
        Client(target=Target("https://127.0.0.1:1"))
