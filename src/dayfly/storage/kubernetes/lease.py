"""One control plane at a time: whoever holds a Lease is active, and the others wait.

The holder renews the Lease; one that has not been renewed for its whole duration may be taken. Clocks of different
machines are not compared: each contender measures with its own monotonic clock how long the Lease has looked the same.
A holder that cannot renew stops being active before any other can have seen the Lease expire.

`Contender` decides and knows no clock and no connection; `hold` carries out.
"""

import asyncio
import logging
import random
from collections.abc import AsyncGenerator, Awaitable, Callable

import msgspec

from dayfly.cluster.connection import Connection
from dayfly.cluster.kinds import LEASE, Object
from dayfly.cluster.refusals import AlreadyThere, Changed
from dayfly.cluster.stamp import fine_stamp
from dayfly.model.errors import DayflyError, NotFound, StoreUnavailable

log = logging.getLogger("dayfly.storage")

DURATION_S = 15.0
"""After so long without a sign of life another may take over."""
RENEW_S = 10.0
"""After so long without a renewal the holder is active no longer: sooner than DURATION_S, as clocks may drift."""
PERIOD_S = 2.0
"""How often everybody looks."""


class Claim(msgspec.Struct, frozen=True):
    """What a Lease says, as far as it decides anything."""

    holder: str
    renewed: str
    """When it was renewed by the holder's clock: only looked at for being another than before."""
    version: str
    changes: int = 0


class Contender:
    """One who wants to be active. Times are in seconds of a clock of its own that never goes back."""

    def __init__(self, identity: str) -> None:
        self.identity = identity
        self._seen: Claim | None = None
        self._seen_at = 0.0
        self._renewed_at: float | None = None

    def is_active(self, now: float) -> bool:
        """Whether it holds the Lease and nobody can have taken it."""
        return self._renewed_at is not None and now - self._renewed_at < RENEW_S

    def may_take(self, claim: Claim | None, now: float) -> bool:
        """Whether to write its own name: the Lease is its own, nobody's, or was not renewed for too long."""
        if claim is None or not claim.holder or claim.holder == self.identity:
            return True
        if self._seen is None or (claim.holder, claim.renewed) != (self._seen.holder, self._seen.renewed):
            self._seen, self._seen_at = claim, now
        self._renewed_at = None
        return now - self._seen_at >= DURATION_S

    def took(self, asked: float) -> None:
        """Note that its name was written by a request that began at `asked`."""
        self._renewed_at = asked

    def lost(self) -> None:
        """Note that somebody else was quicker, or that it gave the Lease back."""
        self._renewed_at = None


class Lease:
    """The Lease of this name in a namespace, for one contender."""

    def __init__(
        self, connection: Connection, namespace: str, name: str, identity: str, *,
        clock: Callable[[], float] | None = None,
    ) -> None:  # fmt: skip
        self._api = connection
        self._place = name, namespace
        self._contender = Contender(identity)
        self._clock = clock
        self._is_away = False
        """Whether the API gave no answer when it was last asked, which is said once."""

    @property
    def is_active(self) -> bool:
        """Whether this contender may act now."""
        return self._contender.is_active(self._now())

    async def contend(self) -> bool:
        """Look once, and take or renew the Lease when that is right; return whether this contender is active.

        An API that gives no answer is no reason to raise: what is held then runs out.
        """
        try:
            # The write must be over before the right to act is, whatever the network does with it.
            await asyncio.wait_for(self._contend(), RENEW_S / 2)
        except (StoreUnavailable, TimeoutError) as error:
            if not self._is_away:
                why = error or "no answer in time"
                log.warning("the lease %s cannot be looked at at the moment: %s", self._place[0], why)
            self._is_away = True
            return self.is_active
        except (Changed, AlreadyThere, NotFound):
            self._contender.lost()
        if self._is_away:
            log.info("the lease %s is looked at again", self._place[0])
        self._is_away = False
        return self.is_active

    async def release(self) -> None:
        """Give the Lease back when it is held, so that another need not wait; never raises for the API's being away."""
        if not self.is_active:
            return
        self._contender.lost()
        try:
            found = await self._api.get(LEASE, *self._place)
            if found["spec"].get("holderIdentity") == self._contender.identity:
                await self._api.replace(LEASE, {**found, "spec": found["spec"] | {"holderIdentity": ""}})
        except DayflyError as error:
            log.warning("the lease %s could not be given back: %s", self._place[0], error)

    async def _contend(self) -> None:
        try:
            found = await self._api.get(LEASE, *self._place)
        except NotFound:
            found = None
        claim = _claim(found) if found is not None else None
        if not self._contender.may_take(claim, self._now()):
            return
        asked = self._now()
        spec = _spec(self._contender.identity, claim)
        if found is None:
            await self._api.create(LEASE, LEASE.object(*self._place, spec=spec))
        else:
            await self._api.replace(LEASE, {**found, "spec": found.get("spec", {}) | spec})
        self._contender.took(asked)

    def _now(self) -> float:
        return self._clock() if self._clock is not None else asyncio.get_running_loop().time()


async def hold(lease: Lease, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> AsyncGenerator[bool, None]:
    """Yield whether the contender is active, first at once and then whenever that changes. Close it to give way."""
    active: bool | None = None
    try:
        while True:
            now = await lease.contend()
            if now != active:
                active = now
                yield now
            await sleep(PERIOD_S * (0.75 + 0.5 * random.random()))  # noqa: S311 - so that contenders do not march in step
    finally:
        await lease.release()


def _claim(obj: Object) -> Claim:
    spec = obj.get("spec") or {}
    return Claim(
        holder=spec.get("holderIdentity") or "", renewed=spec.get("renewTime") or "",
        version=obj["metadata"]["resourceVersion"], changes=spec.get("leaseTransitions") or 0,
    )  # fmt: skip


def _spec(identity: str, claim: Claim | None) -> Object:
    now = fine_stamp()
    is_new = claim is None or claim.holder != identity
    changes = (claim.changes if claim is not None else 0) + (1 if is_new and claim is not None else 0)
    spec = {"holderIdentity": identity, "leaseDurationSeconds": int(DURATION_S), "renewTime": now,
            "leaseTransitions": changes}  # fmt: skip
    return spec | ({"acquireTime": now} if is_new else {})
