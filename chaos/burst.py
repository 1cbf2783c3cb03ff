"""Calls that all begin at once, each on a connection of its own: a storm, or what is under way at a stop."""

import asyncio
import itertools
import threading
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from chaos.generator import answer_of
from chaos.ledger import Answered, Call, Sent, join
from chaos.wire import Connection, Failure, request_bytes

_numbers = itertools.count(1)


class Burst:
    """`count` simultaneous calls of `function`, made from the beginning of a `with` block; it ends with the last.

    `ms` is how long the function is asked to work, `timeout_s` when a call counts as failed.
    """

    def __init__(
        self, address: tuple[str, int], function: str, count: int, *, ms: int = 0, timeout_s: float = 60.0
    ) -> None:
        self.calls: Sequence[Call] = ()
        """The calls, once all have ended."""
        self._address = address
        self._function = function
        self._count = count
        self._ms = ms
        self._timeout_s = timeout_s
        self._prefix = f"burst{next(_numbers)}"
        self._thread = threading.Thread(target=self._run, name="burst")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        self._thread.join()

    def _run(self) -> None:
        async def all_at_once() -> list[Call]:
            return await asyncio.gather(*(self._call(number) for number in range(self._count)))

        self.calls = asyncio.run(all_at_once())

    async def _call(self, number: int) -> Call:
        host, port = self._address
        ident = f"{self._prefix}-{number}"
        body = ident.encode()
        path = f"/function/{self._function}" + (f"?ms={self._ms}" if self._ms else "")
        connection = Connection(number)
        sent = Sent(ident, self._function, time.monotonic(), number, fresh=True)
        try:
            async with asyncio.timeout(self._timeout_s):
                await connection.open(host, port)
                reply = await connection.exchange(request_bytes("POST", path, body, host))
            answered = answer_of(ident, body, reply, time.monotonic())
        except TimeoutError:
            answered = Answered(ident, time.monotonic(), "timeout")
        except Failure as failure:
            answered = Answered(ident, time.monotonic(), str(failure))
        finally:
            connection.close()
        return join(sent, answered)
