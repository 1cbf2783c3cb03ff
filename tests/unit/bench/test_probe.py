"""The one-connection client: reads answers that come in pieces, and takes no failure for an answer."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from bench.probe import CallFailed, Connection, content_length, get, timed_calls


def test_answer_in_pieces_is_put_together(tmp_path: Path) -> None:
    pieces = [b"HTTP/1.1 200 OK\r\nContent-Le", b"ngth: 5\r\n\r", b"\nhe", b"llo"]
    with _server(tmp_path, pieces) as address, Connection(address) as connection:
        assert connection.call(get("/")) == b"hello"


def test_failure_status_is_no_answer(tmp_path: Path) -> None:
    pieces = [b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 2\r\n\r\nno"]
    with (
        _server(tmp_path, pieces) as address,
        Connection(address) as connection,
        pytest.raises(CallFailed, match="503"),
    ):
        connection.call(get("/"))


def test_connection_that_ends_early_is_no_answer(tmp_path: Path) -> None:
    pieces = [b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhe"]
    with (
        _server(tmp_path, pieces) as address,
        Connection(address) as connection,
        pytest.raises(CallFailed, match="ended"),
    ):
        connection.call(get("/"))


def test_timed_calls_gives_one_time_a_call(tmp_path: Path) -> None:
    pieces = [b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"]
    with _server(tmp_path, pieces, answers=3) as address, Connection(address) as connection:
        assert len(timed_calls(connection, get("/"), 3)) == 3


def test_answer_without_length_is_refused() -> None:
    with pytest.raises(CallFailed, match="content-length"):
        content_length(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked")


@contextmanager
def _server(folder: Path, pieces: list[bytes], answers: int = 1) -> Iterator[Path]:
    address = folder / "s"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(address))
        listener.listen()
        thread = threading.Thread(target=_answerer(listener, pieces, answers))
        thread.start()
        yield address
        thread.join(60)


def _answerer(listener: socket.socket, pieces: list[bytes], answers: int) -> Callable[[], None]:
    def answer() -> None:
        connection, _ = listener.accept()
        with connection:
            for _ in range(answers):
                connection.recv(65_536)
                for piece in pieces:
                    connection.sendall(piece)

    return answer
