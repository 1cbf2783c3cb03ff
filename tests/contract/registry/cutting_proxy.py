"""A way to a registry that breaks off: passes bytes both ways, and ends the connection after so many of them."""

import contextlib
import socket
import threading


class CuttingProxy:
    """Cuts each of the first connections after as many bytes from the client as `cuts` says; later ones live."""

    def __init__(self, port: int, cuts: list[int]) -> None:
        self.cuts = cuts
        self.done = 0
        """How many were cut."""
        self._port = port
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.host = f"localhost:{self._listener.getsockname()[1]}"
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self._port))
            threading.Thread(target=self._up, args=(client, server), daemon=True).start()
            threading.Thread(target=self._down, args=(server, client), daemon=True).start()

    def _up(self, client: socket.socket, server: socket.socket) -> None:
        passed = 0
        with contextlib.suppress(OSError):
            while piece := client.recv(65_536):
                passed += len(piece)
                server.sendall(piece)
                with self._lock:
                    if self.cuts and passed >= self.cuts[0]:
                        self.cuts.pop(0)
                        self.done += 1
                        break
        _end(client, server)

    def _down(self, server: socket.socket, client: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while piece := server.recv(65_536):
                client.sendall(piece)
        _end(client, server)

    def close(self) -> None:
        """Accept no more."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(10)


def _end(*connections: socket.socket) -> None:
    for each in connections:
        with contextlib.suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)
        each.close()
