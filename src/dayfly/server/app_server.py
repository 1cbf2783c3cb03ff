"""Serving one of the control plane's apps on a unix socket that only this account can open."""

import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path

import uvicorn

from dayfly.api.asgi import ListenerApp
from dayfly.runtimes.private_socket import bind_private

_BACKLOG = 1024
_HTTP_GRACE_S = 2


class AppServer(uvicorn.Server):
    """A uvicorn server that leaves the signals to us: there are three of them in one process."""

    def __init__(self, app: ListenerApp) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                lifespan="off",
                ws="none",
                log_config=None,
                access_log=False,
                server_header=False,
                date_header=False,
                proxy_headers=False,
                timeout_graceful_shutdown=_HTTP_GRACE_S,
            )
        )

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield


def listen(path: Path) -> socket.socket:
    """Return a listening socket at the path."""
    listener = bind_private(path)
    listener.listen(_BACKLOG)
    listener.setblocking(False)
    return listener
