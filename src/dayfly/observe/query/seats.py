"""Who may have a query answered now: few at a time, and of one tenant one, so that nobody's questions wait for long."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from dayfly.model.errors import LimitExceeded

AT_ONCE = 2
WAITING = 20
"""Of one tenant; dashboards ask many things at once."""
WAIT_S = 60.0


class _Tenant:
    def __init__(self) -> None:
        self.turn = asyncio.Semaphore(1)
        self.inside = 0


class Seats:
    """Seats for `at_once` queries."""

    def __init__(self, at_once: int = AT_ONCE, waiting: int = WAITING, wait_s: float = WAIT_S) -> None:
        self._all = asyncio.Semaphore(at_once)
        self._waiting = waiting
        self._wait_s = wait_s
        self._tenants: dict[str, _Tenant] = {}

    @contextlib.asynccontextmanager
    async def seat(self, tenant: str) -> AsyncIterator[None]:
        """Hold a seat. Raises LimitExceeded where too many of the tenant wait already, or when it takes too long."""
        known = self._tenants.setdefault(tenant, _Tenant())
        if known.inside > self._waiting:
            raise LimitExceeded("Too many queries wait to be answered", hint="Ask one after the other", retry_after_s=5)
        known.inside += 1
        try:
            async with contextlib.AsyncExitStack() as held:
                try:
                    async with asyncio.timeout(self._wait_s):
                        await held.enter_async_context(known.turn)
                        await held.enter_async_context(self._all)
                except TimeoutError:
                    raise LimitExceeded("Other queries took too long to be answered", retry_after_s=5) from None
                yield
        finally:
            known.inside -= 1
            if not known.inside:
                self._tenants.pop(tenant, None)
