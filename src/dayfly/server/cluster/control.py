"""The control plane in a cluster: it waits for the Lease, works while it has it, and ends with it.

    python -P -m dayfly.server.cluster.control

In one pod are the same processes as on one machine: this one, and the queue's, which is started once we work. Gateways
in other pods come through the passage. SIGTERM hands over: replicas go on, and the next control plane adopts them.
"""

import asyncio
import contextlib
import logging
import os
import signal
import ssl
import subprocess
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import uvloop

from dayfly.cluster.connection import Connection, from_service_account
from dayfly.cluster.kinds import FUNCTION
from dayfly.control.clock import SystemClock
from dayfly.model.errors import DayflyError
from dayfly.queue.journal import Journals
from dayfly.queue.objects import Objects
from dayfly.queue.server import ACCESS
from dayfly.runtimes.log_format import log_settings, log_to_stderr
from dayfly.server.background import Background, Job
from dayfly.server.cluster import names
from dayfly.server.cluster.archives import Archives
from dayfly.server.cluster.ground import Kept, cluster_ground, stores_of
from dayfly.server.cluster.health import Health
from dayfly.server.cluster.leading import lead, resign
from dayfly.server.cluster.opening import Opening
from dayfly.server.cluster.passage.control_end import ControlEnd
from dayfly.server.cluster.place import Pod
from dayfly.server.cluster.versions import check
from dayfly.server.cluster.watched import Parts, Stores, jobs
from dayfly.server.cluster.wishing import Wishing
from dayfly.server.cluster.witness import FunctionWitness
from dayfly.server.control_process import ControlProcess, keep_to_ourselves
from dayfly.server.crew import END
from dayfly.server.traced import check_exporter
from dayfly.server.wiring import Place, settings_file
from dayfly.storage.kubernetes.lease import Lease, hold
from dayfly.storage.kubernetes.patience import patiently
from dayfly.storage.kubernetes.seen import SeenObjects
from dayfly.storage.kubernetes.wishes import Wishes

EXIT_LOST = 75
"""How a control plane ends whose Lease is another's: at once, for somebody else works."""
_QUEUE_STOP_S = 40.0
_log = logging.getLogger("dayfly.server")
Result = TypeVar("Result")


async def _run(pod: Pod, place: Place) -> None:
    told = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, told.set)
    health = Health()
    await health.start(pod.anywhere)
    async with Connection(from_service_account(), namespaces=pod.bounds) as api:
        if not await _checked(api, told):
            return
        health.ready = True  # it stands by, and the Service looks for the one that works by its label
        lease = Lease(api, pod.namespace, names.LEASE, pod.name)
        async with contextlib.aclosing(hold(lease)) as standings:
            waiting = asyncio.create_task(_until(standings, is_active=True))
            leaving = asyncio.create_task(told.wait())
            await asyncio.wait([waiting, leaving], return_when=asyncio.FIRST_COMPLETED)
            try:
                if told.is_set():
                    return
                _log.info("this control plane holds the lease")
                health.ready = False
                losing = asyncio.create_task(end_when_lost(standings))
                try:
                    await _work(pod, place, api, told, health)
                finally:
                    losing.cancel()
                    await asyncio.gather(losing, return_exceptions=True)
            finally:
                for task in (waiting, leaving):
                    task.cancel()
                await asyncio.gather(waiting, leaving, return_exceptions=True)
    health.stop()


async def _checked(api: Connection, told: asyncio.Event) -> bool:
    """Have the cluster's version and our kinds' looked at, as soon as it answers; False when told to go before.

    Raises ConfigError: then this pod is never ready, and an upgrade does not take the one before it away.
    """
    found = await _unless_told(told, "the check of versions", lambda: check(api))
    for odd in found or ():
        _log.warning("%s", odd)
    return found is not None


async def _unless_told(told: asyncio.Event, what: str, act: Callable[[], Awaitable[Result]]) -> Result | None:
    """Return what `act` returns, as soon as what it asks answers; None when told to go before."""
    acting = asyncio.create_task(patiently(what, act))
    leaving = asyncio.create_task(told.wait())
    try:
        await asyncio.wait([acting, leaving], return_when=asyncio.FIRST_COMPLETED)
        return acting.result() if acting.done() else None
    finally:
        for task in (acting, leaving):
            task.cancel()
        await asyncio.gather(acting, leaving, return_exceptions=True)


async def _until(standings: AsyncGenerator[bool, None], *, is_active: bool) -> None:
    async for now in standings:
        if now == is_active:
            return


async def end_when_lost(standings: AsyncGenerator[bool, None]) -> None:
    """End this process when the Lease may be another's: nothing that it has begun may be written any more."""
    await _until(standings, is_active=False)
    _log.error("the lease is lost; another control plane may work")
    os._exit(EXIT_LOST)


async def _work(pod: Pod, place: Place, api: Connection, told: asyncio.Event, health: Health) -> None:
    pod.tell_of_queue(place)
    access, clock = place.run(ACCESS), SystemClock()
    kept = Kept(Objects(access), Journals(access))
    connecting = asyncio.create_task(kept.run())
    try:
        if not await _unless_told(told, "the control plane", lambda: _queue_answers(pod, place, kept)):
            return
        stores = stores_of(api, pod.namespace)
        process = ControlProcess(place, await cluster_ground(pod, place, api, kept, clock, stores), clock)
        await process.start()
        tls = pod.server_tls()
        passage = ControlEnd(place.run(""), pod.text(names.PASSAGE_TOKEN), tls)
        jobs = await _followers(api, pod.namespace, stores, process, place.settings.queue.callback_allow)
        renewals = (
            pod.renewal(lambda: _renew(pod, tls, passage), names.PASSAGE_TOKEN, names.CERT, names.KEY),
            # Connections stay as they are: the queue's servers say when they are to be made anew.
            pod.renewal(lambda: pod.tell_of_queue(place), names.QUEUE_PASSWORD, names.QUEUE_SYSTEM_PASSWORD),
        )
        background = Background(*jobs, *(each.run for each in renewals))
        async with _queue(place, told):
            await passage.start(pod.anywhere, names.PASSAGE_PORT)
            await lead(api, pod.namespace, pod.name)
            health.ready = True
            background.start()
            _log.info("control plane serves")
            await told.wait()
            health.ready = False
            await resign(api, pod.namespace, pod.name)
        await background.stop()
        await passage.stop()
        await process.leave()
    finally:
        connecting.cancel()
        await asyncio.gather(connecting, return_exceptions=True)


async def _queue_answers(pod: Pod, place: Place, kept: Kept) -> bool:
    """Return True when the queue's servers answer. Raises StoreUnavailable.

    Servers that begin together take their time. Who ended over it would be started anew later each time, and in the end
    minutes after they answer.
    """
    pod.tell_of_queue(place)  # their passwords may change meanwhile
    return await kept.journals.answer()


def _renew(pod: Pod, tls: ssl.SSLContext, passage: ControlEnd) -> None:
    pod.load_server(tls)
    passage.renew(pod.text(names.PASSAGE_TOKEN))


async def _followers(
    api: Connection, home: str, stores: Stores, process: ControlProcess, allow: tuple[str, ...]
) -> tuple[Job, ...]:
    """Return what does as the cluster's objects say. Raises StoreUnavailable."""
    plane = process.plane
    opening = Opening(plane.namespaces, stores.tenancy)
    await opening.open_all(function.key.namespace for function in plane.functions())
    seen = SeenObjects(api, home, FUNCTION, with_specs=False)
    witness = FunctionWitness(process.audit, plane)
    wishing = Wishing(Wishes(api, seen), plane, opening, Archives(allow), witness)
    parts = Parts(
        namespaces=plane.namespaces, routes=plane.routes, triggers=process.triggers, flows=process.flows,
        budgets=plane.budgets, spending=plane.spending,
    )  # fmt: skip
    return wishing.run, wishing.tell, *jobs(api, stores, parts, opening, process.audit, home)


@contextlib.asynccontextmanager
async def _queue(place: Place, told: asyncio.Event) -> AsyncIterator[None]:
    """Have the queue's process beside us; when it ends by itself, so do we, and are started anew."""
    heard, tells = os.pipe()
    argv = [sys.executable, "-P", "-m", "dayfly.server.queue_process"]
    argv += [str(settings_file(Path(place.run_dir), place.life)), "--ready-fd", str(tells)]
    queue = await asyncio.create_subprocess_exec(*argv, stdin=subprocess.DEVNULL, pass_fds=[tells])
    os.close(tells)
    ending = asyncio.create_task(queue.wait())
    ending.add_done_callback(lambda _: told.set())
    try:
        yield
    finally:
        os.close(heard)
        if queue.returncode is None:
            queue.send_signal(END)
            try:
                async with asyncio.timeout(_QUEUE_STOP_S):
                    await asyncio.shield(ending)
            except TimeoutError:
                queue.kill()
        else:
            _log.error("the queue's process ended with code %s, and so does this one", queue.returncode)
        await ending


def main() -> int:
    """Run until told to go; return the exit code."""
    log_to_stderr("control", *log_settings(os.environ))
    for chatty in ("uvicorn", "httpx2", "httpcore2"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    keep_to_ourselves()
    try:
        pod = Pod.read(os.environ)
        place = pod.place()
        check_exporter(place)  # now, and not with the Lease: an upgrade does not take the pod before it away
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_run(pod, place))
    except DayflyError as error:
        _log.error("control plane cannot run: %s%s", error, f" ({error.hint})" if error.hint else "")
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
