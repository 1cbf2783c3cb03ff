"""One thread that writes what an event loop hands it, so that nothing there waits for a disk.

What is handed over stands on a list whose bounds its store knows. The thread takes all of it at once, as one
transaction; whoever waits for what was handed over before is told when it is in the file, or lost.
"""

import asyncio
import logging
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from dayfly.model.errors import StoreUnavailable
from dayfly.model.names import NamespaceName
from dayfly.observe.losses import Losses

_log = logging.getLogger("dayfly.observe")
Item = TypeVar("Item")


class Writer(Generic[Item]):
    """Writes what is `pending`, from `start` to `close`. All methods but `tell` are for the event loop that started it.

    What the thread does is its store's: `write` a batch, which can be empty, with all that is due, when told that
    somebody waits, and say why it was lost; `forget` a namespace; `tend` to what else there is, told whether this is
    the end, and say in how many seconds it wants to be asked again, None for not before there is something to write.
    `wants` says, with `changed` held, that there is something to tend to now. `what` is how the platform's log calls
    what is written; after the first piece of a burst the rest is waited for `linger_s`.
    """

    def __init__(
        self,
        what: str,
        write: Callable[[list[Item], bool], StoreUnavailable | None],
        forget: Callable[[NamespaceName], StoreUnavailable | None],
        tend: Callable[[bool], float | None],
        *,
        wants: Callable[[], bool] = lambda: False,
        linger_s: float = 0.0,
    ) -> None:
        self.changed = threading.Condition()
        """Held by whoever looks at what waits, or changes it; notified of what the thread does not wait for yet."""
        self.pending: list[Item] = []
        self.weight = 0
        """How much is pending, as its store weighs it."""
        self.is_closed = True
        self.dropped = 0
        """How much was lost, as its store counts it."""
        self._what, self._write, self._forget, self._tend = what, write, forget, tend
        self._wants = wants
        self._linger_s = linger_s
        self._forgetting: list[tuple[NamespaceName, asyncio.Future[None]]] = []
        self._waiters: list[asyncio.Future[None]] = []
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def start(self) -> None:
        """Write from now on."""
        self._loop = asyncio.get_running_loop()
        self.is_closed = False
        self._thread = threading.Thread(target=self._run, name=f"{self._what}-writer", daemon=True)
        self._thread.start()

    async def close(self) -> bool:
        """Write what is pending and end; return whether it was open."""
        thread, self._thread = self._thread, None
        if thread is None:
            return False
        with self.changed:
            self.is_closed = True
            self.changed.notify()
        await asyncio.to_thread(thread.join)
        return True

    async def flush(self) -> None:
        """Return when all that was handed over up to now is in the file, or lost."""
        with self.changed:
            if self.is_closed:
                return
            done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiters.append(done)
            self.changed.notify()
        await done

    async def forget(self, namespace: NamespaceName) -> None:
        """Remove what is of the namespace of all that was handed over up to now. Raises StoreUnavailable."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        with self.changed:
            self.check_open()
            self._forgetting.append((namespace, done))
            self.changed.notify()
        await done

    def check_open(self) -> None:
        """Raise StoreUnavailable where nothing is written, or nothing any more; with `changed` held."""
        if self.is_closed:
            raise StoreUnavailable(f"the store of {self._what} is closed")

    def tell(self, callback: Callable[..., None], *news: object) -> None:
        """Have the event loop call back with the news; for the thread."""
        assert self._loop is not None
        try:
            self._loop.call_soon_threadsafe(callback, *news)
        except RuntimeError:
            # The loop was closed without close(): nobody is left to be told, but what was written is in the file.
            _log.debug("a writer outlived its event loop")

    def _run(self) -> None:
        losses, rest_s = Losses(self._what, self.dropped), self._tend(False)
        while True:
            with self.changed:
                self.changed.wait_for(self._is_called, timeout=rest_s)
                if self.pending:
                    self.changed.wait_for(self._is_urgent, timeout=self._linger_s)
                batch, self.pending, self.weight = self.pending, [], 0
                forgetting, self._forgetting = self._forgetting, []
                waiters, self._waiters = self._waiters, []
                is_closing = self.is_closed
            failure = self._write(batch, bool(forgetting or waiters or is_closing))
            if batch:
                losses.tell(self.dropped, failure)
            for namespace, done in forgetting:
                self.tell(settle, done, self._forget(namespace))
            for done in waiters:
                self.tell(settle, done, None)
            rest_s = self._tend(is_closing)
            if is_closing and not batch:
                return

    def _is_called(self) -> bool:
        return bool(self.pending) or self._is_urgent()

    def _is_urgent(self) -> bool:
        return bool(self._forgetting or self._waiters or self.is_closed) or self._wants()


def settle(done: "asyncio.Future[None]", failure: StoreUnavailable | None) -> None:
    """Let the one who waits go on, or hear of the failure; on the loop's thread."""
    if done.done():
        return
    if failure is None:
        done.set_result(None)
    else:
        done.set_exception(failure)
