"""`def handle(event, context)`: the default dialect, OpenFaaS's python3-http.

Coroutine functions are awaited; generator functions of both kinds are streamed (see answers.py for what may be
returned). A handler that takes the event alone is called with the event alone.
"""

import inspect
from collections.abc import Callable
from typing import Any

from dayfly.runtimes.python.answers import answer
from dayfly.runtimes.python.calls import Context, Request
from dayfly.runtimes.python.handler import Handler, HandlerUnfit, Kind


def adapt(function: Any) -> Handler:
    """Return the handler for `function`. Raises HandlerUnfit."""
    if not callable(function):
        raise HandlerUnfit(f"the handler is a {type(function).__name__}, which cannot be called")
    kind: Kind = "async" if inspect.iscoroutinefunction(function) else "sync"
    return Handler(kind, function if takes(function) >= 2 else _alone(function), answer)


def _alone(function: Callable[..., Any]) -> Callable[[Request, Context], Any]:
    return lambda event, _context: function(event)


def takes(function: Callable[..., Any]) -> int:
    """Return how many positional parameters a handler has, 2 for any number. Raises HandlerUnfit for none."""
    parameters = inspect.signature(function).parameters.values()
    if any(each.kind is each.VAR_POSITIONAL for each in parameters):
        return 2
    count = sum(each.kind in (each.POSITIONAL_ONLY, each.POSITIONAL_OR_KEYWORD) for each in parameters)
    if count == 0:
        raise HandlerUnfit("the handler takes no parameter; write handle(event, context)")
    return count
