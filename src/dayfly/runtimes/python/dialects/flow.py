"""`async def flow(ctx, input)`: a flow as code, which is run anew for each turn of the flow (see replay.py)."""

import inspect
import traceback
from typing import Any

import msgspec

from dayfly.model.flow_turn import VERSION, Answer, Failure, Turn
from dayfly.runtimes.python import answers
from dayfly.runtimes.python.calls import Context, Request
from dayfly.runtimes.python.handler import Handler, HandlerUnfit, Refused
from dayfly.runtimes.python.replay import Failed, NotAFlow, play

_TURN = msgspec.json.Decoder(Turn)


def adapt(function: Any) -> Handler:
    """Return the handler for `function`. Raises HandlerUnfit."""
    if not inspect.iscoroutinefunction(function) or len(inspect.signature(function).parameters) != 2:
        raise HandlerUnfit("a flow's code is `async def flow(ctx, input)`")

    def invoke(request: Request, _context: Context) -> Any:
        try:
            turn = _TURN.decode(request.body)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            detail = "the function is the code of a flow: `dayfly flow run` runs it, and a plain call does not"
            raise Refused(400, "invalid_request", detail) from error
        if turn.version != VERSION:
            raise Refused(400, "invalid_request", f"turns have the form {VERSION} here, and this one has another")
        try:
            return answers.to_json(play(function, turn))
        except NotAFlow as error:
            return _failed(Failure(code="not_a_flow", message=str(error)))
        except Failed as error:
            return _failed(Failure(code=error.code, message=str(error), status=error.status, body=error.body))
        except Exception as error:  # the author's code may raise whatever there is
            traceback.print_exc()
            return _failed(Failure(code="exception", message=f"{type(error).__name__}: {error}"))

    # On a thread: the code gets an event loop of its own, and there is one already where functions run otherwise.
    return Handler("threads", invoke, _answer)


def _failed(failure: Failure) -> bytes:
    return msgspec.json.encode(Answer(state="failed", error=failure))


def _answer(body: Any) -> answers.Answer:
    return answers.Answer(200, answers.JSON, body)
