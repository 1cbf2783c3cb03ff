"""What stands between the calls of an `exec` function and its program, as OpenFaaS's watchdogs do.

Each call starts the program anew. The request's body is its input and what it prints is the answer; what it prints to
stderr goes to the log under the call's id. A call ends with its program, and the program with its call: at the timeout,
or when the caller has gone, it is killed with all it started.
"""

from dayfly.model.errors import InvalidSpec
from dayfly.model.replica import StartOrder
from dayfly.model.watchdog import ExecSettings
from dayfly.runtimes import commands
from dayfly.runtimes.exec.call import Call, Send
from dayfly.runtimes.exec.child import Child, Receive
from dayfly.runtimes.python import output
from dayfly.runtimes.python.dialects import asgi
from dayfly.runtimes.python.handler import Handler, HandlerUnfit, Message


def prepare(order: StartOrder) -> Handler:
    """Return the handler that runs the program of `order`. Raises HandlerUnfit when that cannot be."""
    try:
        settings = ExecSettings.of(order.env)
    except InvalidSpec as error:  # an order of an earlier version's
        raise HandlerUnfit(error.message) from None
    return asgi.adapt(Watchdog(order, settings))


class Watchdog:
    """An ASGI application that starts a program for each request."""

    def __init__(self, order: StartOrder, settings: ExecSettings) -> None:
        self.settings = settings
        self.argv = commands.words(order)
        self.folder = order.code_dir
        self.timeout_s = order.timeout_s
        self.pipe = output.LogPipe(1)
        self.living: set[Child] = set()
        self._order = order
        self._environ: dict[str, str] = {}

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "http":
            await Call(self, scope, send).run(receive)

    @property
    def environ(self) -> dict[str, str]:
        """What is the same in the environment of every call of this replica."""
        if not self._environ:  # the replica's own name comes with its berth
            self._environ = commands.environment(self._order)
        return self._environ
