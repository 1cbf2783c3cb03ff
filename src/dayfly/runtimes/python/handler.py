"""What every dialect becomes: something the host can call without knowing the dialect.

A dialect turns an object found in the author's module into one of two things. A `Handler` takes a request and returns a
result, now or when awaited, and knows how to make an answer of it. An `Application` speaks ASGI and gets the
connection's streams themselves.
"""

from collections.abc import Awaitable, Callable
from typing import Any, Literal, Protocol

from dayfly.runtimes.python.answers import Answer
from dayfly.runtimes.python.calls import Context, Request

Kind = Literal["sync", "async", "threads"]
"""Plain function; coroutine function; a plain function that must always run on a thread."""


class HandlerUnfit(Exception):
    """The module can be imported, but what it holds cannot serve calls; the text says what to change."""


class Refused(Exception):
    """The call cannot be served because of what the caller sent; becomes problem+json, and is not logged."""

    def __init__(self, status: int, code: str, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail


class Handler:
    """A function of the author's, wrapped so that every dialect looks the same."""

    def __init__(
        self,
        kind: Kind,
        invoke: Callable[[Request, Context], Any],
        answer: Callable[[Any], Answer],
    ) -> None:
        self.kind = kind
        self.invoke = invoke
        self.answer = answer
        self.application: Application | None = None


Message = dict[str, Any]


class Application(Protocol):
    """An ASGI application."""

    def __call__(
        self,
        scope: Message,
        receive: Callable[[], Awaitable[Message]],
        send: Callable[[Message], Awaitable[None]],
    ) -> Awaitable[None]:
        """Serve one scope."""
