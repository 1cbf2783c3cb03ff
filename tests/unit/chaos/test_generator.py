"""The load, against a server that misbehaves on purpose: every call ends up in the ledger with what became of it."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from chaos.load import Load
from chaos.outcome import counted
from chaos.plan import Target
from chaos.processes import eventually


@contextmanager
def server(answer: bytes) -> Iterator[tuple[str, int]]:
    """Serve connections that get this answer, with the body sent back where it says BODY, and are closed."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                body = connection.recv(65_536).partition(b"\r\n\r\n")[2]
                head = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body)
                connection.sendall(answer.replace(b"BODY", head + body))

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield listener.getsockname()[:2]
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


def reasons(folder: Path, answer: bytes) -> dict[str, int]:
    with server(answer) as address:
        load = Load(folder, address, (Target(function="f", pad=10),), 200.0, seed=3)
        with load:
            assert eventually(lambda: sum(call.ended_s < float("inf") for call in load.calls()) >= 20, 30.0)
    calls = load.calls()
    assert len({call.id for call in calls}) == len(calls)
    return counted(call.reason for call in calls)


def test_right_answers_are_ok(tmp_path: Path) -> None:
    assert set(reasons(tmp_path / "load", b"BODY")) == {"ok"}


def test_a_body_of_another_call_is_wrong(tmp_path: Path) -> None:
    stale = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 3\r\n\r\nold"
    assert set(reasons(tmp_path / "load", stale)) == {"wrong body"}


def test_connections_that_are_cut_off_are_told(tmp_path: Path) -> None:
    assert set(reasons(tmp_path / "load", b"")) <= {"closed", "reset"}


def test_a_server_that_is_away_refuses(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = free.getsockname()
    load = Load(tmp_path / "load", address, (Target(function="f"),), 200.0)
    with load:
        assert eventually(lambda: len(load.calls()) >= 20, 30.0)
    assert set(counted(call.reason for call in load.calls())) == {"refused"}
