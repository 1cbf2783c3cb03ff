"""The listeners: bound before any process starts, so that a taken port or an open door is known at once.

They are handed down to the gateways as open sockets. A gateway that dies takes no connection with it that waits to be
accepted, and its successor needs no right to bind.
"""

import contextlib
import errno
import socket
from collections.abc import Iterator

import msgspec

from dayfly.model.errors import ConfigError
from dayfly.server.environment import Port
from dayfly.server.settings import Settings

_BACKLOG = 4096
_LOOPBACK = "127.0.0.1"


class Listeners(msgspec.Struct, frozen=True, kw_only=True):
    """Three bound and listening sockets, and what the operator should know of how they came to be."""

    public: socket.socket
    console: socket.socket
    metrics: socket.socket
    gateway_url: str
    console_url: str
    metrics_url: str
    notices: tuple[str, ...]


def open_listeners(settings: Settings) -> Listeners:
    """Bind the three listeners. A default port that is taken is replaced by a free one, with a notice.

    Raises ConfigError for a port that was asked for and cannot be had; no socket is left open then.
    """
    notices = list(_exposure(settings))
    with contextlib.ExitStack() as undo:
        sockets = []
        for what, host, port in (
            ("gateway", settings.host, settings.port),
            ("console", _LOOPBACK, settings.console_port),
            ("metrics", _LOOPBACK, settings.metrics_port),
        ):
            opened, notice = _open(what, host, port)
            undo.callback(opened.close)
            sockets.append(opened)
            notices += [notice] if notice else []
        undo.pop_all()
    public, console, metrics = sockets
    return Listeners(
        public=public,
        console=console,
        metrics=metrics,
        gateway_url=_url("https" if settings.tls_cert else "http", public),
        console_url=_url("http", console),
        metrics_url=_url("http", metrics),
        notices=tuple(notices),
    )


def _open(what: str, host: str, port: Port) -> tuple[socket.socket, str]:
    try:
        return _listen(host, port.number), ""
    except OSError as failed:
        if failed.errno != errno.EADDRINUSE or port.asked_for:
            raise ConfigError(
                f"the {what} cannot listen on {host} port {port.number}: {failed.strerror}",
                hint=f"stop what uses it, or give another with {_flag(what)}",
            ) from failed
    free = _listen(host, 0)
    return (
        free,
        f"Port {port.number} is taken; the {what} uses {free.getsockname()[1]} instead ({_flag(what)} sets it).",
    )


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    opened = socket.socket(family, socket.SOCK_STREAM)
    try:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        opened.bind((host, port))
        opened.listen(_BACKLOG)
    except OSError:
        opened.close()
        raise
    opened.setblocking(False)
    return opened


def _exposure(settings: Settings) -> Iterator[str]:
    if not settings.is_loopback and not settings.tls_cert:
        yield (
            f"--insecure-http: {settings.host} is open to other machines without encryption. Whoever sees the traffic "
            "can read every call and the admin password, and can deploy functions with it. Use it only behind a proxy "
            "that encrypts, or on a network you trust wholly."
        )


def _url(scheme: str, listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    host = {"0.0.0.0": _LOOPBACK, "::": "::1"}.get(host, host)  # noqa: S104 - translated for people, not bound
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


def _flag(what: str) -> str:
    return "--port" if what == "gateway" else f"--{what}-port"
