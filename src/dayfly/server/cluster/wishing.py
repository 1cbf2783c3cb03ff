"""Carrying out what people write with kubectl, and telling kubectl what became of it.

A wish goes the way of a request over HTTP: code in the object, or from where it says, becomes a bundle, then the plane
deploys, scales or removes. Whoever may write the object by the cluster's own rights may do that, so its namespace is
opened for it.
"""

import asyncio
import functools
import gzip
import hashlib
import io
import logging
import tarfile
from collections.abc import AsyncIterator, Mapping
from typing import Any

import msgspec

from dayfly.cluster.records import Condition
from dayfly.control.plane import ControlPlane
from dayfly.model.audit import Begun
from dayfly.model.errors import DayflyError, NotFound, StoreUnavailable
from dayfly.model.function import FunctionSpec
from dayfly.model.names import BundleDigest, FunctionKey
from dayfly.model.status import FunctionStatus
from dayfly.providers.kubernetes.marks import FUNCTION, NAMESPACE
from dayfly.server.cluster.archives import Archives
from dayfly.server.cluster.opening import Opening
from dayfly.server.cluster.witness import FunctionWitness
from dayfly.storage.kubernetes.conditions import READY
from dayfly.storage.kubernetes.patience import patiently
from dayfly.storage.kubernetes.wishes import Wish, Wishes

TELL_S = 1.0
"""How often it is looked whether objects still say what is true."""
_AGAIN_S, _LONGEST_S = 1.0, 60.0
"""How long a wish waits that may be carried out later: first, and at most."""
_REASONS = {"building": "Building", "starting": "Starting", "ready": "Ready", "idle": "Idle", "failing": "Failing"}
_log = logging.getLogger("dayfly.server")


class Wishing:
    """Has the plane do what objects say, and objects say what the plane has done."""

    def __init__(
        self, wishes: Wishes, plane: ControlPlane, opening: Opening, archives: Archives, witness: FunctionWitness
    ) -> None:
        self._wishes = wishes
        self._plane = plane
        self._opening = opening
        self._archives = archives
        self._witness = witness
        self._last: dict[FunctionKey, asyncio.Task[None]] = {}
        """What was wished last of each function: what was wished before it is not tried again."""
        self._said: dict[FunctionKey, tuple[object, ...]] = {}

    async def run(self) -> None:
        """Carry wishes out as they come, until cancelled; those of one function one after the other."""
        async for wish in self._wishes.follow():
            task = asyncio.create_task(self._after(self._last.get(wish.key), wish))
            self._last[wish.key] = task
            task.add_done_callback(functools.partial(_forget, self._last, wish.key))

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
        wait_s = _AGAIN_S
        noted: tuple[Begun, Any] | None = None
        while True:
            try:
                if noted is None and not wish.is_gone:
                    noted = await self._witness.note(wish)
                await self._carry_out(wish)
            except DayflyError as error:
                if error.retryable:
                    _log.warning("a wish for %s waits: %s", wish.key, error)
                    await self._delay(wish, error)
                    await asyncio.sleep(wait_s)
                    if self._last.get(wish.key) is not asyncio.current_task() and not wish.is_gone:
                        await self._took(noted, wish, error)
                        return
                    wait_s = min(2 * wait_s, _LONGEST_S)
                    continue
                _log.info("a wish for %s is refused: %s", wish.key, error)
                refused = functools.partial(self._wishes.refused, wish, error)
                await patiently(f"the refusal of a wish for {wish.key}", refused)
                await self._took(noted, wish, error)
            else:
                await self._took(noted, wish, None)
            return

    async def _took(self, noted: tuple[Begun, Any] | None, wish: Wish, refusal: DayflyError | None) -> None:
        if noted is not None:
            await self._witness.took(noted, wish, refusal)

    async def _delay(self, wish: Wish, error: DayflyError) -> None:
        try:
            await self._wishes.delayed(wish, error)
        except StoreUnavailable:
            return  # it is tried again all the same

    async def _carry_out(self, wish: Wish) -> None:
        """Do it. Raises DayflyError."""
        plane, key = self._plane, wish.key
        if wish.is_gone:
            before, is_others = self._witness.standing(key), True
            try:
                await plane.remove(key)
            except NotFound:
                is_others = wish.was_missed  # else it went by us, and the object with it
            if is_others:
                _log.info("%s was deleted from the cluster", key)
                await self._witness.removed(key, before)
            await self._wishes.forget(key)
            return
        if wish.spec is not None:
            await self._opening.open(key.namespace)
            spec = wish.spec
            if wish.source:
                spec = await self._with_code(spec, bundled(wish.source))
            elif wish.archive is not None:
                known = BundleDigest(f"sha256:{wish.archive.sha256}")
                if await plane.bundles.has(key.namespace, known):
                    spec = msgspec.structs.replace(spec, bundle=known)
                else:
                    spec = await self._with_code(spec, await self._archives.bundle(key, wish.archive))
            await plane.deploy(spec, mode="upsert", canary=wish.canary)
        if wish.spec is None or wish.replicas is not None:
            await plane.scale(key, wish.replicas)
        await self._wishes.settled(wish)
        _log.info("%s is as its object of generation %d wishes", key, wish.generation)

    async def _with_code(self, spec: FunctionSpec, bundle: bytes) -> FunctionSpec:
        digest = BundleDigest(f"sha256:{hashlib.sha256(bundle).hexdigest()}")
        await self._plane.bundles.put(spec.key.namespace, digest, _once(bundle), len(bundle))
        return msgspec.structs.replace(spec, bundle=digest)

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


def bundled(source: Mapping[str, str]) -> bytes:
    """Return files as a bundle, always the same bytes for the same files."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for path, text in sorted(source.items()):
            content = text.encode()
            about = tarfile.TarInfo(path)
            about.size, about.mode = len(content), 0o644
            tar.addfile(about, io.BytesIO(content))
    return gzip.compress(archive.getvalue(), mtime=0)


async def _once(data: bytes) -> AsyncIterator[bytes]:
    yield data


def _forget(last: dict[FunctionKey, asyncio.Task[None]], key: FunctionKey, task: asyncio.Task[None]) -> None:
    if last.get(key) is task:
        del last[key]
    if not task.cancelled() and (error := task.exception()) is not None:
        _log.error("a wish for %s could not be dealt with", key, exc_info=error)
