"""How a command reaches the gateway: the one place that makes clients, and that a test puts a transport into."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from dayfly.cli.terminal import warn

if TYPE_CHECKING:
    import httpx2

    from dayfly.client.blocking import Client

EXPOSED = "WARNING! You are not using an encrypted connection to the gateway, consider using HTTPS."


class Session:
    """What all commands of one run share. `transport` takes the network's place in tests."""

    def __init__(self, transport: "httpx2.BaseTransport | None" = None) -> None:
        self.transport = transport
        self.has_warned = False


@contextmanager
def connect(
    gateway: str = "", *, stack: str = "", timeout_s: float = 60.0, context: click.Context | None = None
) -> "Iterator[Client]":
    """Open a client to the gateway that is meant; `stack` is the stack file's, `context` that of a completion,
    in whose line nothing may be printed.

    Raises what the client raises.
    """
    from dayfly.client.blocking import Client
    from dayfly.client.gateway import choose_target

    target = choose_target(gateway, stack=stack)
    session = current_session(context)
    if target.is_exposed and not session.has_warned and context is None:
        session.has_warned = True
        warn(EXPOSED)
    with Client(target=target, timeout_s=timeout_s, transport=session.transport) as client:
        yield client


def current_session(context: click.Context | None = None) -> Session:
    """The session of a command, by default of the one that runs."""
    context = context or click.get_current_context(silent=True)
    found = context.find_object(Session) if context else None
    return found or Session()
