"""How a command reaches the gateway: the one place that makes clients, and that a test puts a transport into."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from dayfly.cli.terminal import warn

if TYPE_CHECKING:
    import httpx2

    from dayfly.client.blocking import Client
    from dayfly.client.gateway import Target

EXPOSED = "WARNING! You are not using an encrypted connection to the gateway, consider using HTTPS."
UNVERIFIED = "WARNING! The gateway's certificate is not looked at (--tls-no-verify): anybody may answer in its place."


class Session:
    """What all commands of one run share. The transports take the network's place in tests."""

    def __init__(
        self,
        transport: "httpx2.BaseTransport | None" = None,
        async_transport: "httpx2.AsyncBaseTransport | None" = None,
    ) -> None:
        self.transport = transport
        self.async_transport = async_transport
        self.token = ""
        """What --token gives; it counts more than any login."""
        self.is_verified = True
        """False for --tls-no-verify."""
        self._has_warned = False

    def prepare(self, target: "Target", *, is_silent: bool = False) -> "Target":
        """Return the gateway as this run's options have it; what is unsafe about it is told, once.

        Raises InvalidRequest for a token that is none.
        """
        import msgspec

        from dayfly.client.credentials import Credential

        if self.token:
            target = msgspec.structs.replace(target, credential=Credential.bearer(self.token))
        target = msgspec.structs.replace(target, is_verified=self.is_verified)
        if not self._has_warned and not is_silent and (target.is_exposed or not self.is_verified):
            self._has_warned = True
            warn(EXPOSED if target.is_exposed else UNVERIFIED)
        return target


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

    session = current_session(context)
    target = session.prepare(choose_target(gateway, stack=stack), is_silent=context is not None)
    with Client(target=target, timeout_s=timeout_s, transport=session.transport) as client:
        yield client


def current_session(context: click.Context | None = None) -> Session:
    """The session of a command, by default of the one that runs."""
    context = context or click.get_current_context(silent=True)
    found = context.find_object(Session) if context else None
    return found or Session()
