"""The API's calls about the records of calls without their transport; see `calls`."""

import msgspec

from dayfly.client.calls import JSON, Call, reads
from dayfly.client.log_lines import LogLines
from dayfly.client.queue_calls import call_path
from dayfly.model.invocation import Invocation
from dayfly.model.log import LogLine
from dayfly.model.names import NamespaceName, parse_function_name
from dayfly.model.payload import CallPayload
from dayfly.model.replay import Replay, ReplayOrder
from dayfly.model.rollup import Rollup, Span


class Wanted(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Which calls are wanted, as the API reads it."""

    function: str = ""
    failed: bool = False
    since: str = ""
    until: str = ""
    slow: str = ""
    status: str = ""
    trigger: str = ""
    limit: int = 100
    before: int = 0
    after: int = 0


def list_records(namespace: NamespaceName, wanted: Wanted) -> Call[list[Invocation]]:
    """A namespace's calls, the newest first."""
    if wanted.function:
        parse_function_name(wanted.function)
    query = [(name, _text(value)) for name, value in msgspec.to_builtins(wanted).items()]
    return Call("GET", f"/v1/namespaces/{namespace}/records", reads(list[Invocation]), query=tuple(query))


def list_rollups(namespace: NamespaceName, by: Span, function: str, since: str, limit: int) -> Call[list[Rollup]]:
    """What a namespace's calls came to in each minute or hour, the newest first."""
    query = [("by", by), ("limit", str(limit))]
    query += [("function", parse_function_name(function))] if function else []
    query += [("since", since)] if since else []
    return Call("GET", f"/v1/namespaces/{namespace}/rollups", reads(list[Rollup]), query=tuple(query))


def get_records(call_id: str) -> Call[list[Invocation]]:
    """What is recorded of a call, the oldest attempt first."""
    return Call("GET", call_path(call_id) + "/records", reads(list[Invocation]))


def get_payloads(call_id: str) -> Call[list[CallPayload]]:
    """What is kept of what a call was sent and answered, the oldest attempt first."""
    return Call("GET", call_path(call_id) + "/payloads", reads(list[CallPayload]))


def replay_call(namespace: NamespaceName, call_id: str, order: ReplayOrder) -> Call[Replay]:
    """A call made once more."""
    path = f"/v1/namespaces/{namespace}{call_path(call_id).removeprefix('/v1')}/replay"
    return Call("POST", path, reads(Replay), content=msgspec.json.encode(order), content_type=JSON)


def get_call_log(call_id: str) -> Call[list[LogLine]]:
    """What was printed while a call was worked on."""

    def read(body: bytes) -> list[LogLine]:
        lines = LogLines(LogLine)
        return [*lines.feed(body), *lines.finish()]

    return Call("GET", call_path(call_id) + "/logs", lambda reply: read(reply.body))


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
