"""Direct calls: a function called by way of the API, for a page that must not be on the function's own origin.

Both the call and its answer travel as one line of JSON, then the body as it is. So what a function answers, its status
and headers among it, is data for whoever called and never an answer of the API itself.
"""

import re

import msgspec

from dayfly.model.errors import InvalidRequest

MEDIA_TYPE = "application/vnd.dayfly.call"
MAX_HEAD_BYTES = 32_768
MAX_BODY_BYTES = 32 * 2**20
"""Of a call's body and of its answer's."""
MAX_CALLS = 8
"""Of a namespace's functions at a time: bodies are held in memory, which a tenant must not take from the others."""
_MAX_METHOD = 40
_METHOD = re.compile(r"[A-Z]+(?:-[A-Z]+)*")
_TARGET = re.compile(r"/[!-\"$-~]*")
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"[\t -~\x80-\xff]*")
OURS = frozenset(
    (
        "connection", "content-length", "expect", "forwarded", "host", "keep-alive", "te", "trailer",
        "transfer-encoding", "upgrade", "x-call-id", "x-duration-seconds", "x-real-ip", "x-start-time",
    )
)  # fmt: skip
OUR_PREFIXES = ("proxy-", "x-forwarded-", "x-function-", "x-dayfly-")


def is_ours(name: str) -> bool:
    """Whether a header of this name is set by the platform, and by nobody else."""
    return name.lower() in OURS or name.lower().startswith(OUR_PREFIXES)


def is_method(text: str) -> bool:
    """Whether a function can be called with this method. Gateways know a part of those; docs/http.md."""
    return len(text) <= _MAX_METHOD and _METHOD.fullmatch(text) is not None and text != "CONNECT"


class DirectCall(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to ask a function; its body follows."""

    method: str = "POST"
    target: str = "/"
    """Path and query, as the function is to see them."""
    headers: tuple[tuple[str, str], ...] = ()

    def check(self) -> None:
        """Refuse what cannot be sent as it is. Raises InvalidRequest."""
        if not is_method(self.method):
            raise InvalidRequest(f"method: {self.method[:80]!r} is not a word of capital letters, or it is CONNECT")
        if not _TARGET.fullmatch(self.target):
            raise InvalidRequest("target: must begin with / and hold visible ASCII characters only, percent-encoded")
        for name, value in self.headers:
            if not _NAME.fullmatch(name) or not _VALUE.fullmatch(value):
                raise InvalidRequest(f"headers: {name[:80]!r} cannot be a header, or its value cannot be sent")
            if is_ours(name):
                raise InvalidRequest(f"headers: {name[:80]} is set by the platform, and by nobody else")
            if name.lower() == "idempotency-key":  # a key takes the queue, and this call does not go by it
                raise InvalidRequest(
                    f"headers: {name} has no effect on a call from the console, which would run each time",
                    hint="Call the function with its key at its own address, /function/NAME.",
                )


class DirectAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What came back; its body follows."""

    status: int
    headers: tuple[tuple[str, str], ...]
    """Those of the function, names in lower case; or of the gateway, where the function did not answer."""
    call_id: str
    seconds: float
    """From the call's start to its answer's end, as the control plane saw it."""
    of_function: bool
    """Whether the function answered: if not, the gateway says why in the body, a problem document."""
