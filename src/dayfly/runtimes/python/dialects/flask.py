"""OpenFaaS's templates that stand on Flask: `handle(req)` of python3-flask, `handle(event, context)` of python3-http.

What Flask's views may return is understood: a body, (body, status), (body, headers), (body, status, headers), a dict
or list as JSON, a Response. Text is HTML unless a header says otherwise, as there. A handler of one parameter gets the
body as text, or as bytes where the environment says RAW_BODY=true.

Where the handler's module has imported Flask it is called inside an application of Flask's, with a request context, so
that `request`, `jsonify`, `abort` and what else Flask has work. Where it has not, Flask need not be there at all.
"""

import inspect
import os
import sys
from collections.abc import Callable, Mapping
from typing import Any

from dayfly.runtimes.python import answers
from dayfly.runtimes.python.answers import Answer
from dayfly.runtimes.python.calls import Context, Request
from dayfly.runtimes.python.dialects import event, wsgi
from dayfly.runtimes.python.handler import Handler, HandlerUnfit, Kind

HTML = "text/html; charset=utf-8"
_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]


def adapt(function: Any) -> Handler:
    """Return the handler for `function`. Raises HandlerUnfit."""
    if not callable(function):
        raise HandlerUnfit(f"the handler is a {type(function).__name__}, which cannot be called")
    call = function if event.takes(function) >= 2 else _with_body(function)
    if inspect.iscoroutinefunction(function):
        return Handler("async", call, answer)
    if "flask" in sys.modules:
        return wsgi.adapt(_application(call))
    kind: Kind = "sync"
    return Handler(kind, call, answer)


def answer(result: Any) -> Answer:
    """Return the answer that a view's result means without Flask. Raises TypeError, ValueError."""
    if isinstance(result, tuple) and 2 <= len(result) <= 3:
        return answers.answer(_response(result))
    if isinstance(result, str):
        return answers.answer({"body": result, "headers": {"Content-Type": HTML}})
    if isinstance(result, dict) and isinstance(result.get("body"), str) and result.keys() <= _KEYS:
        return answers.answer(result | {"headers": _with_html(result.get("headers"))})
    return answers.answer(result)


_KEYS = {"statusCode", "headers", "body"}


def _response(result: tuple[Any, ...]) -> dict[str, Any]:
    """What a tuple says, as `python3-http` writes it; a bare dict or list in it stays what becomes JSON."""
    body, *rest = result
    status = next((each for each in rest if not isinstance(each, Mapping | list)), 200)
    headers = next((each for each in rest if isinstance(each, Mapping | list)), None)
    said = _with_html(headers) if isinstance(body, str) else headers
    return {"statusCode": int(str(status).split()[0]), "headers": said, "body": body}


def _with_html(headers: Any) -> list[tuple[str, Any]]:
    pairs = list(headers.items() if isinstance(headers, Mapping) else headers or ())
    return pairs if any(str(name).lower() == "content-type" for name, _ in pairs) else [*pairs, ("Content-Type", HTML)]


def _with_body(function: Callable[[Any], Any]) -> Callable[[Request, Context], Any]:
    if os.environ.get("RAW_BODY", "").lower() == "true":
        return lambda request, _context: function(request.body)
    return lambda request, _context: function(request.body.decode("utf-8", "replace"))


def _application(call: Callable[[Request, Context], Any]) -> Any:
    """An application of Flask's whose one view, at every path, is the handler."""
    flask: Any = sys.modules["flask"]
    app = flask.Flask("function", static_folder=None)

    def view(**_path: str) -> Any:
        request, context = flask.request.environ[wsgi.CALL]
        result = call(request, context)
        if result is None:
            return ""
        if isinstance(result, dict) and ("statusCode" in result or (result and result.keys() <= _KEYS)):
            body = result.get("body")
            return "" if body is None else body, int(result.get("statusCode", 200)), result.get("headers") or {}
        return result

    for rule in ("/", "/<path:path>"):
        app.add_url_rule(rule, rule, view, methods=_METHODS, provide_automatic_options=False)
    app.config["PROPAGATE_EXCEPTIONS"] = True
    return app
