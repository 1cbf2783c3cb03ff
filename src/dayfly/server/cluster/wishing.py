"""Carrying out what people write with kubectl, and telling kubectl what became of it.

A wish goes the way of a request over HTTP: code in the object becomes a bundle, and then the plane deploys, scales or
removes. Whoever may write the object by the cluster's own rights may do that, so that its namespace is opened for it.
"""

import asyncio
import functools
import gzip
import hashlib
import io
import logging
import tarfile
from collections.abc import AsyncIterator, Mapping

import msgspec

from dayfly.cluster.records import Condition
from dayfly.control.plane import ControlPlane
from dayfly.model.errors import DayflyError, NotFound, NotSupported
from dayfly.model.names import BundleDigest, FunctionKey
from dayfly.model.status import FunctionStatus
from dayfly.providers.kubernetes.marks import FUNCTION, NAMESPACE
from dayfly.server.cluster.opening import Opening
from dayfly.storage.kubernetes.conditions import READY
from dayfly.storage.kubernetes.wishes import Wish, Wishes

TELL_S = 1.0
"""How often it is looked whether objects still say what is true."""
_AGAIN_S = 1.0
_MOST_BYTES = 2**21
_REASONS = {"building": "Building", "starting": "Starting", "ready": "Ready", "idle": "Idle", "failing": "Failing"}
_log = logging.getLogger("dayfly.server")


class Wishing:
    """Has the plane do what objects say, and objects say what the plane has done."""

    def __init__(self, wishes: Wishes, plane: ControlPlane, opening: Opening) -> None:
        self._wishes = wishes
        self._plane = plane
        self._opening = opening
        self._said: dict[FunctionKey, tuple[object, ...]] = {}

    async def run(self) -> None:
        """Carry wishes out as they come, until cancelled; those of one function one after the other."""
        last: dict[FunctionKey, asyncio.Task[None]] = {}
        async for wish in self._wishes.follow():
            task = asyncio.create_task(self._after(last.get(wish.key), wish))
            last[wish.key] = task
            task.add_done_callback(functools.partial(_forget, last, wish.key))

    async def tell(self) -> None:
        """Keep the objects' status true, until cancelled."""
        while True:
            await asyncio.sleep(TELL_S)
            try:
                await self._tell_all()
            except DayflyError as error:
                _log.warning("what is true of functions cannot be told: %s", error)

    async def _after(self, before: "asyncio.Task[None] | None", wish: Wish) -> None:
        if before is not None:
            await asyncio.wait([before])
        while True:
            try:
                await self._carry_out(wish)
            except DayflyError as error:
                if error.retryable:
                    _log.warning("a wish for %s waits: %s", wish.key, error)
                    await asyncio.sleep(_AGAIN_S)
                    continue
                _log.info("a wish for %s is refused: %s", wish.key, error)
                await self._wishes.refused(wish, error)
            return

    async def _carry_out(self, wish: Wish) -> None:
        """Do it. Raises DayflyError."""
        plane, key = self._plane, wish.key
        if wish.is_gone:
            try:
                await plane.remove(key)
            except NotFound:
                pass  # it went by us, and the object with it
            else:
                _log.info("%s was deleted from the cluster", key)
            return
        if wish.archive is not None:
            raise NotSupported(
                "spec.archive: code is not fetched from elsewhere yet", hint="use spec.source, or the API"
            )
        if wish.spec is not None:
            await self._opening.open(key.namespace)
            spec = wish.spec
            if wish.source:
                data, digest = bundled(wish.source)
                await plane.bundles.put(key.namespace, digest, _once(data), _MOST_BYTES)
                spec = msgspec.structs.replace(spec, bundle=digest)
            await plane.deploy(spec, mode="upsert", canary=wish.canary)
        if wish.spec is None or wish.replicas is not None:
            await plane.scale(key, wish.replicas)
        await self._wishes.settled(wish)
        _log.info("%s is as its object of generation %d wishes", key, wish.generation)

    async def _tell_all(self) -> None:
        keys = {function.key for function in self._plane.functions()}
        for namespace in sorted({key.namespace for key in keys}):
            for status in await self._plane.statuses(namespace):
                await self._tell(status)
        for gone in self._said.keys() - keys:
            del self._said[gone]

    async def _tell(self, status: FunctionStatus) -> None:
        key = status.spec.key
        is_up = status.state in ("ready", "idle")
        ready = Condition(
            type=READY, status="True" if is_up else "False", reason=_REASONS[status.state], message=status.reason
        )
        said = (ready, status.desired_replicas, status.ready_replicas, status.url, status.revision)
        if self._said.get(key) == said:
            return
        await self._wishes.told(
            key,
            ready=ready,
            replicas=status.desired_replicas,
            ready_replicas=status.ready_replicas,
            selector=f"{FUNCTION}={key.name},{NAMESPACE}={key.namespace}",
            url=status.url,
        )
        self._said[key] = said


def bundled(source: Mapping[str, str]) -> tuple[bytes, BundleDigest]:
    """Return files as a bundle, always the same bytes for the same files, and its digest."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for path, text in sorted(source.items()):
            content = text.encode()
            about = tarfile.TarInfo(path)
            about.size, about.mode = len(content), 0o644
            tar.addfile(about, io.BytesIO(content))
    data = gzip.compress(archive.getvalue(), mtime=0)
    return data, BundleDigest(f"sha256:{hashlib.sha256(data).hexdigest()}")


async def _once(data: bytes) -> AsyncIterator[bytes]:
    yield data


def _forget(last: dict[FunctionKey, asyncio.Task[None]], key: FunctionKey, task: asyncio.Task[None]) -> None:
    if last.get(key) is task:
        del last[key]
    if not task.cancelled() and (error := task.exception()) is not None:
        _log.error("a wish for %s could not be dealt with", key, exc_info=error)
