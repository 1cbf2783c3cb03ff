"""A gateway in a cluster: the one of a single machine, with its end of the passage to the control plane.

    python -P -m dayfly.server.cluster.gateway

It serves as soon as it has a routing table, and goes on with the last one while the control plane is away. SIGTERM: it
takes nothing new, finishes its calls, and goes.
"""

import asyncio
import contextlib
import logging
import os
import signal
import socket
import ssl
import sys

import uvloop

from dayfly.gateway.process import serve
from dayfly.model.errors import DayflyError
from dayfly.runtimes.log_format import log_settings, log_to_stderr
from dayfly.runtimes.private_socket import bind_private
from dayfly.server.cluster import names
from dayfly.server.cluster.passage.gateway_end import GatewayEnd, Way
from dayfly.server.cluster.place import Pod
from dayfly.server.gateway_process import allow_many_connections, certificates_of, gateway_settings
from dayfly.server.wiring import Place

_INNER = "inner.sock"
_log = logging.getLogger("dayfly.server")


async def _run(pod: Pod, place: Place) -> None:
    told = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, told.set)
    host, inner = pod.variable("DAYFLY_CONTROL_HOST"), place.run(_INNER)
    way = Way(host=host, port=names.PASSAGE_PORT, name=host, token=pod.text(names.PASSAGE_TOKEN), gateway=pod.name)
    trust = pod.client_tls()
    passage = GatewayEnd(way, trust, place.run(""), inner)
    renewal = pod.renewal(lambda: _renew(pod, trust, passage), names.PASSAGE_TOKEN, names.CA)
    certificates = certificates_of(place.settings)
    tls = certificates.open() if certificates is not None else None
    jobs = [asyncio.create_task(passage.run()), asyncio.create_task(renewal.run())]
    if certificates is not None:
        jobs.append(asyncio.create_task(certificates.watch()))
    listener = bind_private(inner)
    listener.setblocking(False)
    try:
        await serve(
            gateway_settings(place, pod.name),
            public=bound_to(pod.anywhere, names.GATEWAY_PORT),
            console=bound_to(pod.anywhere, names.CONSOLE_PORT),
            metrics=bound_to(pod.anywhere, names.METRICS_PORT),
            inner=listener,
            tls=tls,
            stop=told,
            on_ready=lambda: _log.info("gateway serves"),
        )
    finally:
        for job in jobs:
            job.cancel()
        await asyncio.gather(*jobs, return_exceptions=True)
        with contextlib.suppress(FileNotFoundError):
            inner.unlink()


def _renew(pod: Pod, trust: ssl.SSLContext, passage: GatewayEnd) -> None:
    pod.load_client(trust)
    passage.renew(pod.text(names.PASSAGE_TOKEN))


def bound_to(host: str, port: int) -> socket.socket:
    """Return a socket that listens there. Raises OSError."""
    bound = socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    bound.setblocking(False)
    return bound


def main() -> int:
    """Serve until told to go and until the calls in flight are answered; return the exit code."""
    log_to_stderr("gateway", *log_settings(os.environ))
    allow_many_connections()
    try:
        pod = Pod.read(os.environ)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_run(pod, pod.place()))
    except DayflyError as error:
        _log.error("gateway cannot run: %s%s", error, f" ({error.hint})" if error.hint else "")
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
