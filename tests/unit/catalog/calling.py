"""A store function called as a replica calls it, without the replica."""

import importlib.util
import time
from collections.abc import Callable
from importlib import resources
from typing import Any

import msgspec

from dayfly.model.names import DEFAULT_NAMESPACE, FunctionKey, FunctionName, ReplicaId
from dayfly.model.replica import StartOrder
from dayfly.runtimes.python.answers import Answer
from dayfly.runtimes.python.calls import Context, Event, Facts
from dayfly.runtimes.python.dialects import event

Call = Callable[..., Answer]


def function(name: str) -> Call:
    """Return what calls the function: `call(body, path=…, query=…, headers=…)`."""
    path = resources.files("dayfly.catalog") / "functions" / name / "handler.py"
    spec = importlib.util.spec_from_file_location(f"store_{name}", str(path))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    handler = event.adapt(module.handle)
    order = StartOrder(
        replica=ReplicaId("replica001"), key=FunctionKey(DEFAULT_NAMESPACE, FunctionName(name)), revision=1,
        lang="python", dialect="auto", handler="handler", code_dir="/", timeout_s=5.0,
    )  # fmt: skip

    def call(body: str | bytes = b"", *, path: str = "/", query: str = "", **headers: str) -> Answer:
        lines = [(key.replace("_", "-").encode(), value.encode()) for key, value in headers.items()]
        target = f"{path}?{query}" if query else path
        data = body.encode() if isinstance(body, str) else body
        request = Event(b"POST", target.encode(), lines, data, True)
        context = Context(Facts(order), request, time.monotonic())
        return handler.answer(handler.invoke(request, context))

    return call


def header(answer: Answer, name: str) -> str:
    """Return the value of one of the answer's headers, or nothing."""
    lines = dict(line.split(b": ", 1) for line in answer.headers.lower().splitlines())
    return lines.get(name.lower().encode(), b"").decode()


def text(answer: Answer) -> str:
    """Return the answer's body as text."""
    assert isinstance(answer.body, bytes)
    return answer.body.decode()


def data(answer: Answer) -> Any:
    """Return what the answer's body is the JSON of."""
    return msgspec.json.decode(text(answer))
