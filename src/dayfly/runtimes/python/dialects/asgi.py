"""ASGI application objects: FastAPI, Starlette, Litestar, Django's asgi module. The host speaks the protocol itself."""

from typing import Any

from dayfly.runtimes.python.answers import Answer, answer
from dayfly.runtimes.python.calls import Context, Request
from dayfly.runtimes.python.handler import Handler, HandlerUnfit


def adapt(application: Any) -> Handler:
    """Return the handler for `application`. Raises HandlerUnfit."""
    if not callable(application):
        raise HandlerUnfit(f"the handler is a {type(application).__name__}, not an ASGI application")
    handler = Handler("async", _never, _answer)
    handler.application = application
    return handler


def _never(_request: Request, _context: Context) -> Any:
    raise AssertionError("an ASGI application is run by the connection")


def _answer(result: Any) -> Answer:
    return answer(result)
