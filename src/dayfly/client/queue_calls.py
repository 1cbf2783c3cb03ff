"""The API's calls about queued calls without their transport; see `calls`."""

from collections.abc import Iterable, Mapping

import msgspec

from dayfly.client.calls import JSON, Call, function_path, reads
from dayfly.model.errors import InvalidName
from dayfly.model.names import FunctionKey, NamespaceName, is_call_id, parse_function_name
from dayfly.model.queued import CallStatus


class Which(msgspec.Struct, frozen=True, omit_defaults=True):
    """Which dead letters are meant, as the API reads it."""

    ids: tuple[str, ...] = ()
    function: str = ""


class _Moved(msgspec.Struct, frozen=True):
    calls: int


def submit(
    key: FunctionKey, body: bytes, path: str, query: Iterable[tuple[str, str]], headers: Mapping[str, str]
) -> Call[str]:
    """Queue a call; the answer is its id."""
    return Call(
        "POST",
        "/async-" + function_path(key, path).removeprefix("/"),
        lambda reply: reply.headers.get("x-call-id", ""),
        query=tuple(query),
        content=body,
        expected=(202,),
        headers=tuple(headers.items()),
        is_function=True,
    )


def get_call(call_id: str, wait_s: float) -> Call[CallStatus]:
    """How a call stands, when it is over or after so long."""
    query = (("wait", f"{wait_s:g}s"),) if wait_s else ()
    return Call("GET", call_path(call_id), reads(CallStatus), query=query)


def cancel_call(call_id: str) -> Call[CallStatus]:
    """Let a call be over."""
    return Call("DELETE", call_path(call_id), reads(CallStatus))


def list_calls(namespace: NamespaceName, state: str, function: str, limit: int) -> Call[list[CallStatus]]:
    """A namespace's calls in the queue, the oldest first."""
    query = [("limit", str(limit))]
    query += [("state", state)] if state else []
    query += [("function", parse_function_name(function))] if function else []
    return Call("GET", f"/v1/namespaces/{namespace}/calls", reads(list[CallStatus]), query=tuple(query))


def redrive(namespace: NamespaceName, which: Which) -> Call[int]:
    """Let dead letters begin anew."""
    return _move(namespace, "redrive", which)


def purge(namespace: NamespaceName, which: Which) -> Call[int]:
    """Let go of dead letters."""
    return _move(namespace, "purge", which)


def _move(namespace: NamespaceName, verb: str, which: Which) -> Call[int]:
    return Call(
        "POST",
        f"/v1/namespaces/{namespace}/dead-letters/{verb}",
        lambda reply: msgspec.json.decode(reply.body, type=_Moved).calls,
        content=msgspec.json.encode(which),
        content_type=JSON,
    )


def call_path(call_id: str) -> str:
    """The address of a call. Raises InvalidName."""
    if not is_call_id(call_id):
        raise InvalidName(f"{call_id[:80]!r} is not a call id")
    return f"/v1/calls/{call_id}"
