"""Looking names up for many who do not know each other, by a resolver that may not answer.

The C library asks for as long as it likes and cannot be told to give up, and whoever keeps a name decides whether it is
answered. So each look-up has a thread of its own, for as long as it takes, and nobody has more than a few of them: who
asks for what is never answered keeps himself waiting, and nobody else.
"""

import asyncio
import contextlib
import functools
import ipaddress
import socket
import threading
from collections.abc import Callable
from weakref import WeakValueDictionary

from dayfly.runtimes.jail.egress.policy import Address

LOOKUP_S = 8.0
"""How long to wait: long enough for a second resolver where the first one does not answer for five seconds."""
OF_ALL, OF_ONE = 256, 4
"""Look-ups that are under way at a time."""
Resolve = Callable[[str, int], list[Address]]


class Unreachable(Exception):
    """Nobody answers there; the text says what happened."""


def resolve(name: str, port: int) -> list[Address]:
    """Return the addresses that a name has, each once, by the machine's resolver. Raises OSError."""
    found = socket.getaddrinfo(name.encode("ascii"), port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(ipaddress.ip_address(str(entry[4][0]).partition("%")[0]) for entry in found))


class Lookups:
    """The look-ups of one process."""

    def __init__(self, resolve: Resolve = resolve) -> None:
        self._resolve = resolve
        self._all = asyncio.Semaphore(OF_ALL)
        self._shares: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()

    async def find(self, who: str, name: str, port: int) -> list[Address]:
        """Return the addresses of a name that `who` asks for. Raises Unreachable."""
        share = self._shares.setdefault(who, asyncio.Semaphore(OF_ONE))
        try:
            async with asyncio.timeout(LOOKUP_S):
                with contextlib.ExitStack() as taken:
                    for places in (share, self._all):
                        await places.acquire()
                        taken.callback(places.release)
                    answer = self._begin(name, port, taken.pop_all().close)
                return await answer
        except TimeoutError:
            raise Unreachable(f"{name} cannot be looked up: no resolver answers within {LOOKUP_S:g}s") from None
        except OSError as error:
            raise Unreachable(f"{name} cannot be looked up: {error.strerror or error}") from None

    def _begin(self, name: str, port: int, done: Callable[[], None]) -> "asyncio.Future[list[Address]]":
        """Return the answer that is to come; `done` is called at the end, however long after anybody waits for it."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[list[Address]] = loop.create_future()

        def end(found: list[Address] | OSError) -> None:
            done()
            if answer.done():
                return
            if isinstance(found, OSError):
                answer.set_exception(found)
            else:
                answer.set_result(found)

        def work() -> None:
            try:
                found: list[Address] | OSError = self._resolve(name, port)
            except OSError as error:
                found = error
            except ValueError:  # a byte that no name has
                found = OSError("that is no name")
            with contextlib.suppress(RuntimeError):  # The loop has ended meanwhile.
                loop.call_soon_threadsafe(functools.partial(end, found))

        try:
            threading.Thread(target=work, daemon=True).start()  # Nobody's end is to wait for a resolver.
        except RuntimeError as error:
            end(OSError(f"this machine has no thread for it: {error}"))
        return answer
