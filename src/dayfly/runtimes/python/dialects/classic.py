"""`def handle(req: str) -> str`: OpenFaaS's first Python template. The body as text in, text out."""

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
    return Handler(kind, _with_text(function), answer)


def _with_text(function: Callable[[str], Any]) -> Callable[[Request, Context], Any]:
    return lambda request, _context: function(request.body.decode("utf-8", "replace"))
