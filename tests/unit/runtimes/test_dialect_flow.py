"""Flows as code, over HTTP as the platform speaks to them."""

import json
from typing import Any

FLOW = """
async def flow(ctx, input):
    if input == "spin":
        import asyncio
        await asyncio.sleep(1)
    if input == "raise":
        raise ValueError("no such order")
    if input == "object":
        return object()
    print("taken")
    return [input, await ctx.call("double", input)]
"""


def turn(given: Any, **fields: Any) -> bytes:
    known = {"dayfly_flow_turn": 1, "run": "r", "started_unix_ms": 1, "input": given, "wanted": [], "came": []}
    return json.dumps({**known, "seen": -1, **fields}).encode()


def test_a_turn_is_answered_with_what_is_wanted_or_came_out(serve: Any) -> None:
    served = serve(FLOW)
    first = json.loads(served.call(body=turn(2)).body)
    assert first["wanted"] == [{"do": "call", "function": "double", "body": 2, "timeout_s": 0.0}]
    came = [{"number": 1, "at_unix_ms": 5, "result": 4}]
    last = served.call(body=turn(2, wanted=first["wanted"], came=came, seen=0))
    assert json.loads(last.body) == {"state": "done", "result": [2, 4]}


def test_what_goes_wrong_is_told_as_the_flows_error(serve: Any) -> None:
    served = serve(FLOW)
    for given, code, text in (
        ("spin", "not_a_flow", "ctx.sleep"),
        ("raise", "exception", "ValueError: no such order"),
        ("object", "exception", "TypeError"),
    ):
        answer = json.loads(served.call(body=turn(given)).body)
        assert (answer["state"], answer["error"]["code"]) == ("failed", code)
        assert text in answer["error"]["message"]


def test_a_plain_call_is_told_how_flows_are_run(serve: Any) -> None:
    served = serve(FLOW)
    for body in (b"", b'{"a": 1}', b"\xff", turn(1, dayfly_flow_turn=2)):
        answer = served.call(body=body)
        assert (answer.status, json.loads(answer.body)["code"]) == (400, "invalid_request")
    assert b"dayfly flow run" in served.call(body=b"").body
