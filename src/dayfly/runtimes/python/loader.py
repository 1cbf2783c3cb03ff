"""Finding the author's handler, and finding out what it is.

`handler` in a deployment is MODULE or MODULE:ATTRIBUTE. With a dialect named, the attribute defaults to that dialect's
usual names; the first that exists is taken:

    python, python-classic, python-flask   handle, handler, main
    python-typed             handle, handler, main, else the only public function of the module
    asgi, wsgi               app, application, api, handler, asgi_app / wsgi_app
    flow                     flow, handle, handler, main

With dialect `auto` the module is looked at, in this order:

 1. ATTRIBUTE, when given; else `handle`, then `app`, `application`, `api`, then `handler`, `main`, `flow`; else the
    only public function defined in the module; else the module is refused.
 2. A coroutine function of two parameters, the first called `ctx`: flow. A function: two parameters, the first called
    `event` or neither of them annotated: python. One parameter, called `req` or `request` or `text` or `body`, without
    annotation or annotated `str` and nothing returned but `str`: python-classic. Else, when every parameter is
    annotated or has a default: python-typed. One other parameter: python-classic.
 3. Not a function: three parameters when called, and a coroutine function: asgi. An object with `wsgi_app`, or two
    parameters when called: wsgi.
"""

import importlib
import inspect
from collections.abc import Callable
from types import FunctionType, ModuleType
from typing import Any

from dayfly.model.function import Dialect
from dayfly.model.replica import StartOrder
from dayfly.runtimes.python import onward
from dayfly.runtimes.python.dialects import asgi, classic, event, flask, flow, typed, wsgi
from dayfly.runtimes.python.handler import Handler, HandlerUnfit

__all__ = ["HandlerUnfit", "detect", "find", "load"]

_FUNCTIONS = ("handle", "handler", "main")
_APPLICATIONS = ("app", "application", "api", "handler")
_NAMES: dict[Dialect, tuple[str, ...]] = {
    "auto": ("handle", "app", "application", "api", "handler", "main", "flow"),
    "python": _FUNCTIONS,
    "python-classic": _FUNCTIONS,
    "python-flask": _FUNCTIONS,
    "python-typed": _FUNCTIONS,
    "asgi": (*_APPLICATIONS, "asgi_app"),
    "wsgi": (*_APPLICATIONS, "wsgi_app"),
    "flow": ("flow", *_FUNCTIONS),
}
_TEXT_NAMES = {"req", "request", "text", "body"}

_ADAPT: dict[Dialect, Callable[[Any], Handler]] = {
    "python": event.adapt,
    "python-classic": classic.adapt,
    "python-flask": flask.adapt,
    "python-typed": typed.adapt,
    "asgi": asgi.adapt,
    "wsgi": wsgi.adapt,
    "flow": flow.adapt,
}


def load(order: StartOrder) -> Handler:
    """Import the module and return its handler. Raises HandlerUnfit, and whatever the import raises."""
    onward.install()
    module_name, _, attribute = order.handler.partition(":")
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name != module_name:
            raise
        raise HandlerUnfit(f"there is no module {module_name!r} in the function's folder") from None
    found = find(module, attribute, order.dialect)
    dialect = detect(found) if order.dialect == "auto" else order.dialect
    return _ADAPT[dialect](found)


def find(module: ModuleType, attribute: str, dialect: Dialect) -> Any:
    """Return the object of `module` that handles calls. Raises HandlerUnfit."""
    if attribute:
        found: Any = module
        for part in attribute.split("."):
            if not hasattr(found, part):
                raise HandlerUnfit(f"the module {module.__name__!r} has no {attribute!r}")
            found = getattr(found, part)
        return found
    for name in _NAMES[dialect]:
        if callable(getattr(module, name, None)):
            return getattr(module, name)
    if dialect in ("auto", "python-typed"):
        functions = _public_functions(module)
        if len(functions) == 1:
            return functions[0]
    raise HandlerUnfit(
        f"the module {module.__name__!r} has none of {', '.join(_NAMES[dialect])};"
        " name the handler as MODULE:ATTRIBUTE in the deployment"
    )


def detect(found: Any) -> Dialect:
    """Return the dialect that `found` speaks, by the rules at the top of this module. Raises HandlerUnfit."""
    if not callable(found):
        raise HandlerUnfit(f"the handler is a {type(found).__name__}, which cannot be called")
    if hasattr(found, "wsgi_app"):
        return "wsgi"
    if not inspect.isroutine(found) and not inspect.isclass(found):
        return _detect_application(found)
    parameters = _positional(found)
    if len(parameters) == 3 and [each.name for each in parameters] == ["scope", "receive", "send"]:
        return "asgi"
    if [each.name for each in parameters] == ["environ", "start_response"]:
        return "wsgi"
    if len(parameters) == 2 and parameters[0].name == "ctx" and inspect.iscoroutinefunction(found):
        return "flow"
    return _detect_function(parameters, inspect.signature(found))


def _detect_function(parameters: list[inspect.Parameter], signature: inspect.Signature) -> Dialect:
    bare = [each.annotation is each.empty for each in parameters]
    if len(parameters) == 2 and (parameters[0].name == "event" or all(bare)):
        return "python"
    if len(parameters) == 1 and parameters[0].name in _TEXT_NAMES:
        if (bare[0] or parameters[0].annotation in (str, "str")) and signature.return_annotation in (
            signature.empty,
            str,
            "str",
            None,
            "None",
        ):
            return "python-classic"
        if bare[0]:
            return "python-classic"
    if all(not empty or each.default is not each.empty for empty, each in zip(bare, parameters, strict=True)):
        return "python-typed"
    if len(parameters) == 1:
        return "python-classic"
    raise HandlerUnfit(
        "the handler's signature fits no dialect; write handle(event, context), handle(req), a function with type"
        " hints on every parameter, or name the dialect in the deployment"
    )


def _detect_application(found: Any) -> Dialect:
    call = type(found).__call__
    count = len(_positional(found))
    if count == 3 or inspect.iscoroutinefunction(call):
        return "asgi"
    if count == 2:
        return "wsgi"
    raise HandlerUnfit(f"the handler is a {type(found).__name__}, neither an ASGI nor a WSGI application")


def _positional(found: Any) -> list[inspect.Parameter]:
    try:
        signature = inspect.signature(found)
    except (TypeError, ValueError) as error:
        raise HandlerUnfit(f"the handler's signature cannot be read: {error}") from None
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return [each for each in signature.parameters.values() if each.kind in kinds]


def _public_functions(module: ModuleType) -> list[Any]:
    return [
        value
        for name, value in vars(module).items()
        if isinstance(value, FunctionType) and not name.startswith("_") and value.__module__ == module.__name__
    ]
