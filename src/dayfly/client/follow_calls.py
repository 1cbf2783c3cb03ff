"""The API's calls about what changes, without their transport; see `calls`. `event_lines` reads what they answer."""

from dayfly.client.calls import Call, nothing
from dayfly.client.queue_calls import call_path
from dayfly.model.names import parse_namespace


def follow_functions(namespace: str) -> Call[None]:
    """The functions of a namespace, or of all, and what changes in them."""
    query = (("namespace", parse_namespace(namespace)),) if namespace else ()
    return Call("GET", "/v1/functions/live", nothing, query=query, expected=(200,))


def follow_call(call_id: str) -> Call[None]:
    """Where a queued call stands, until it is over."""
    return Call("GET", call_path(call_id) + "/events", nothing, expected=(200,))
