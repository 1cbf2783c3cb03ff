"""A replica that is a program of its author's, which serves HTTP on `$PORT` and stays.

The replica's process is a small one of ours, the supervisor, in a jail that no other replica is in: the program can
have the same port in each. Where functions share the machine's network (`network: host`), or the pod's, we choose a
free port instead, and a program that insists on one of its own must be alone with it.
"""

import errno
import socket
from collections.abc import Callable

from dayfly.model.errors import InvalidSpec
from dayfly.model.replica import StartOrder
from dayfly.model.watchdog import HttpSettings
from dayfly.runtimes import commands
from dayfly.runtimes.http.supervisor import Supervisor
from dayfly.runtimes.python import family, output
from dayfly.runtimes.python.confine import Confined
from dayfly.runtimes.python.handler import HandlerUnfit
from dayfly.runtimes.python.replica import Berth, announce, new_loop, settle

NO_NETWORK = (
    "a program of the runtime http is reached by a port of the function's own network, and this machine gives functions"
    " none (`dayfly doctor` says why). With `network: host` it may use the machine's; exec, static and Python functions"
    " need none"
)


def prepare(order: StartOrder) -> "Program":
    """Return the program of `order`, not started yet. Raises HandlerUnfit when there is none, or unfit settings."""
    try:
        settings = HttpSettings.of(order.env)
    except InvalidSpec as error:  # an order of an earlier version's
        raise HandlerUnfit(error.message) from None
    return Program(order, commands.words(order), settings)


class Program:
    """The program of one replica."""

    def __init__(self, order: StartOrder, argv: list[str], settings: HttpSettings) -> None:
        self._order = order
        self._argv = argv
        self._settings = settings

    def live(self, berth: Berth, confined: Confined, report: Callable[[int], None]) -> int:
        """Start the program, relay calls to it, and end with it; return the exit code."""
        channel = announce(family.REPLICA_HELLO, berth)
        if channel is None:
            return 0
        settle(berth)
        with socket.socket(fileno=berth.listener) as listener, channel:
            try:
                port = self._port(confined)
            except HandlerUnfit as error:
                output.LogPipe(1).line("x", "", str(error))
                channel.send(family.REPLICA_FAILED)
                return 1
            supervisor = Supervisor(self._order, self._argv, self._settings, port, channel)
            status = new_loop().run_until_complete(supervisor.run(listener))
        if status is None:
            return 1
        report(status)
        return 0

    def _port(self, confined: Confined) -> int:
        """Return the port that the program is to listen on. Raises HandlerUnfit when it cannot have one."""
        if confined.own_net:
            return self._settings.port
        if not confined.port and self._order.network != "host":
            raise HandlerUnfit(NO_NETWORK)
        wanted = confined.port or (self._settings.port if self._settings.fixed else 0)
        try:
            with socket.create_server(("127.0.0.1", wanted)) as probe:
                return int(probe.getsockname()[1])
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise HandlerUnfit(f"no port can be had: {error.strerror}") from None
            raise HandlerUnfit(
                f"port {wanted} of this {'pod' if confined.port else 'machine'}, whose network the function shares, is"
                " in use; leave the choice to the platform, which tells the program its port in $PORT"
            ) from None
