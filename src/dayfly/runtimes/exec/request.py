"""A request as a program gets it: variables, named as both of OpenFaaS's watchdogs name them, and input.

    Http_Method, Http_Path, Http_Host
    Http_Query                                  as sent; absent without one
    Http_ContentLength, Http_Content_Length     the body's length in bytes, -1 when the caller did not say it
    Http_Transfer_Encoding                      chunked, or absent
    Http_NAME                                   each header, `-` as `_`, in Go's spelling: Http_X_Call_Id

Whoever calls chooses headers, and must not choose variables. So a header whose name has `_` in it is left out, as it
could pass for one that the gateway sets; so is one whose variable is among the first ones above; and so is `Proxy`,
which libraries read back from the environment as the proxy to use.
"""

import msgspec

from dayfly.runtimes.python.handler import Message, Refused

_LEFT_OUT = {"Method", "Path", "Host", "Query", "Contentlength", "Content-Length", "Transfer-Encoding", "Proxy"}


def variables(scope: Message) -> dict[str, str]:
    """Return the variables of an ASGI `scope`. Raises Refused for a path that no variable can hold."""
    headers = _headers(scope)
    if "\0" in scope["path"]:
        raise Refused(400, "invalid_request", "the path holds a NUL byte (%00), which no variable can hold")
    found = {
        f"Http_{name.replace('-', '_')}": values[0]
        for name, values in headers.items()
        if name not in _LEFT_OUT and "_" not in name
    }
    found |= {"Http_Method": scope["method"], "Http_Path": scope["path"], "Http_Host": headers.get("Host", [""])[0]}
    chunked = headers.get("Transfer-Encoding")
    length = "-1" if chunked else headers.get("Content-Length", ["0"])[0]
    found |= {"Http_ContentLength": length, "Http_Content_Length": length}
    if chunked:
        found["Http_Transfer_Encoding"] = chunked[0]
    if scope["query_string"]:
        found["Http_Query"] = scope["query_string"].decode("utf-8", "surrogateescape")
    return found


def marshalled(scope: Message, body: bytes) -> bytes:
    """Return headers and body as the JSON that `marshal_request` asks for."""
    return msgspec.json.encode({"header": _headers(scope, "replace"), "body": {"raw": body}})


def content_type(scope: Message) -> str:
    """Return the content type of the request, nothing when it names none."""
    return _headers(scope).get("Content-Type", [""])[0]


def timeout_text(scope: Message) -> str:
    """Return the header `X-Timeout`, by which a caller may ask for less time than the function gives."""
    return _headers(scope).get("X-Timeout", [""])[0]


def canonical(name: str) -> str:
    """Return a header's name in Go's spelling: `x-call-id` as `X-Call-Id`."""
    return "-".join(part[:1].upper() + part[1:].lower() for part in name.split("-"))


def _headers(scope: Message, errors: str = "surrogateescape") -> dict[str, list[str]]:
    """Return all values of each header; what is no UTF-8 comes back as it was when it is written to an environment."""
    found: dict[str, list[str]] = {}
    for name, value in scope["headers"]:
        found.setdefault(canonical(name.decode("latin-1")), []).append(value.decode("utf-8", errors))
    return found
