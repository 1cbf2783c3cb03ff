"""Generators as answers: each piece goes out when it comes, no faster than the caller reads.

The head is written with the first piece, so that a generator which raises before it can still be answered with a 500.
Later there is no way to say so but to cut the connection, which leaves the chunked answer visibly unfinished.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from typing import TYPE_CHECKING, Any

from dayfly.runtimes.python import answers, output
from dayfly.runtimes.python.answers import Answer
from dayfly.runtimes.python.calls import Context, Request
from dayfly.runtimes.python.failures import failure

if TYPE_CHECKING:
    from dayfly.runtimes.python.connection import Connection


class Pump:
    """Moves one streamed answer from its iterator to its connection."""

    def __init__(self, connection: "Connection", request: Request, context: Context, reply: Answer) -> None:
        self._connection = connection
        self._request = request
        self._context = context
        self._reply = reply
        self._begun = False

    async def run(self) -> None:
        """Stream an iterator of either kind on the loop; a plain one is asked for its pieces on a thread."""
        output.current.set(self._context)
        pieces = self._reply.body
        if isinstance(pieces, Iterator):
            loop = asyncio.get_running_loop()
            await asyncio.to_thread(lambda: self.run_on_thread(loop)())
            return
        assert isinstance(pieces, AsyncIterator)
        try:
            async for value in pieces:
                await self._send(value)
        except (asyncio.CancelledError, ConnectionResetError):
            self._connection.fail_stream()
        except BaseException as error:  # as a plain call: whatever is raised is the answer's end
            self._fail(error)
        else:
            self._end()
        finally:
            close = getattr(pieces, "aclose", None)
            if close is not None:
                with contextlib.suppress(RuntimeError):  # it is still being closed by the cancellation
                    await close()
            output.end_call(self._context)

    def run_on_thread(self, loop: asyncio.AbstractEventLoop) -> Callable[[], None]:
        """Stream a plain iterator from a thread; return what is left to do on the loop."""
        output.current.set(self._context)
        pieces = self._reply.body
        assert isinstance(pieces, Iterator)
        try:
            for value in pieces:
                asyncio.run_coroutine_threadsafe(self._send(value), loop).result()
        except ConnectionResetError:
            return self._connection.fail_stream
        except BaseException as error:  # as above
            return self._failing(error)
        else:
            return self._end
        finally:
            close = getattr(pieces, "close", None)
            if close is not None:
                close()
            output.end_call(self._context)
            output.current.set(None)

    def _failing(self, error: BaseException) -> Callable[[], None]:
        return lambda: self._fail(error)

    async def _send(self, value: Any) -> None:
        data, suggested = answers.piece(value)
        if not self._begun:
            self._begin(suggested)
        if self._request.verb != b"HEAD":
            self._connection.chunk(data)
        await self._connection.drained()

    def _begin(self, suggested: bytes) -> None:
        self._begun = True
        reply = self._reply if self._reply.content_type else self._reply._replace(content_type=suggested)
        self._connection.begin_stream(self._request, reply)

    def _end(self) -> None:
        if not self._begun:
            self._connection.finish(self._request, self._reply._replace(body=b""))
        elif self._request.verb == b"HEAD":
            self._connection.done(self._request.keep_alive)
        else:
            self._connection.end_stream(self._request)

    def _fail(self, error: BaseException) -> None:
        token = output.current.set(self._context)
        reply = failure(error, self._request, self._context)
        output.current.reset(token)
        if self._begun:
            self._connection.fail_stream()
        else:
            self._connection.finish(self._request, reply)
