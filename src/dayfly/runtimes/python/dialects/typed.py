"""`def f(a: int, b: str = "x") -> Model`: a JSON object in, checked against the hints, JSON out.

The parameters become the fields of a struct that msgspec decodes the body into; a wrong or missing field is answered
with 422 and its path, text that is no JSON object with 400. A call without a body takes the fields from the query.
Dataclasses, msgspec structs, enums, dates, UUIDs and pydantic models may be used as hints. A function that brings its
own msgspec is decoded with that one, since its structs are not ours.
"""

import copy
import functools
import inspect
import sys
import typing
from collections.abc import Callable
from typing import Any

import msgspec

from dayfly.runtimes.python.answers import Answer, answer, to_json
from dayfly.runtimes.python.calls import Context, Query, Request, split_target
from dayfly.runtimes.python.handler import Handler, HandlerUnfit, Kind, Refused


def adapt(function: Any) -> Handler:
    """Return the handler for `function`. Raises HandlerUnfit for hints that cannot be decoded."""
    if not callable(function):
        raise HandlerUnfit(f"the handler is a {type(function).__name__}, which cannot be called")
    # A function's own copy of the library, when it imported one: ours was taken out of sys.modules.
    codec: Any = sys.modules.get("msgspec", msgspec)
    fields = _fields(function, codec)
    arguments = codec.defstruct("Arguments", fields, forbid_unknown_fields=True)
    try:
        decode = codec.json.Decoder(arguments, dec_hook=_model).decode
    except TypeError as error:
        raise HandlerUnfit(f"the handler's hints cannot be decoded from JSON: {error}") from None
    names = [field[0] for field in fields]

    def invoke(request: Request, _context: Context) -> Any:
        try:
            if request.body:
                values = decode(request.body)
            else:
                values = codec.convert(_flat(request), arguments, strict=False, dec_hook=_model)
        except codec.ValidationError as error:
            raise Refused(422, "invalid_request", str(error)) from None
        except codec.DecodeError as error:
            raise Refused(400, "invalid_request", f"the body is not JSON: {error}") from None
        return function(**{name: getattr(values, name) for name in names})

    kind: Kind = "async" if inspect.iscoroutinefunction(function) else "sync"
    return Handler(kind, invoke, _answer_with(codec))


def _fields(function: Callable[..., Any], codec: Any) -> list[tuple[Any, ...]]:
    try:
        hints = typing.get_type_hints(function, include_extras=True)
        signature = inspect.signature(function)
    except (NameError, TypeError, ValueError) as error:
        raise HandlerUnfit(f"the handler's hints cannot be read: {error}") from None
    fields: list[tuple[Any, ...]] = []
    for each in signature.parameters.values():
        if each.kind not in (each.POSITIONAL_OR_KEYWORD, each.KEYWORD_ONLY):
            raise HandlerUnfit(f"parameter {each.name!r}: a typed handler takes parameters by name only")
        hint = hints.get(each.name, Any)
        if each.default is each.empty:
            fields.append((each.name, hint))
        else:  # copied for each call, so that a list changed by one call is not the next one's default
            fields.append((each.name, hint, codec.field(default_factory=functools.partial(copy.copy, each.default))))
    return sorted(fields, key=len)  # those without a default first


def _flat(request: Request) -> dict[str, Any]:
    query = Query(split_target(request.target)[1])
    return {name: values[0] if len(values := query.getlist(name)) == 1 else values for name in query}


def _model(kind: type, value: Any) -> Any:
    """Decode what msgspec does not know: a pydantic model."""
    validate = getattr(kind, "model_validate", None)
    if validate is None:
        raise NotImplementedError(f"{kind.__name__} cannot be decoded from JSON")
    return validate(value)


def _answer_with(codec: Any) -> Callable[[Any], Answer]:
    own = codec is not msgspec

    def encode(result: Any) -> Answer:
        if hasattr(result, "__next__") or hasattr(result, "__anext__") or (isinstance(result, bytes)):
            return answer(result)
        if own and isinstance(result, codec.Struct):
            return answer(None)._replace(content_type=b"application/json", body=codec.json.encode(result))
        return Answer(200, b"application/json", to_json(result))

    return encode
