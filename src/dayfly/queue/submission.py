"""Submissions: what a gateway hands over to the queue, read into a call.

The gateway has found the function and dropped every header that only it may set; what it says itself comes as
`X-Dayfly-Terms`. What callers say of a queued call is read here:

| header | means |
|---|---|
| X-Callback-Url | where the answer is posted to |
| X-Delay | how long the call waits at least, as a duration: `10m` |
| X-Priority | `high`, `normal` or `low` |
| Idempotency-Key | calls of a function with one key run once, within a day |

A call whose caller waits for the answer is direct. Of these only the last counts; the others are the function's. Its
key is good for the function, or for the scope that the gateway says: a route and who came by it. Keys of the platform's
own calls, which anybody can guess, are good in a scope that no caller comes by.
"""

import hashlib
import re
from collections.abc import Mapping

import msgspec

from dayfly.http1.head import RequestHead
from dayfly.model.depth import HEADER
from dayfly.model.errors import InvalidRequest, InvalidSpec
from dayfly.model.names import is_call_id
from dayfly.model.quantities import parse_duration
from dayfly.model.queued import PRIORITIES, Priority, QueuedCall, Request
from dayfly.model.retry import RetryPolicy
from dayfly.queue.callback import parse_callback

PATH, DIRECT_PATH = b"/call/", b"/direct/"
TERMS, SCOPE, NAMED = b"x-dayfly-terms", b"x-dayfly-scope", b"x-dayfly-named"
DEPTH = HEADER.lower().encode()
HEAD_BYTES = 131_072
"""The most that the queue reads of a head: what a gateway lets pass, with what it adds."""
PLATFORM = "platform"
"""The scope of the platform's own keys."""
MAX_DELAY_S = 30 * 86_400.0
MAX_KEY = 128
_OURS = frozenset((b"x-call-id", b"x-delay", b"x-priority", b"idempotency-key", TERMS, SCOPE, NAMED))
_OURS_DIRECT = frozenset((b"x-call-id", TERMS, SCOPE, NAMED))
_ONCE = RetryPolicy(attempts=1)
_KEY = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]{0,126}[\x21-\x7e])?")


class Terms(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the function's author says of its queued calls."""

    retry: RetryPolicy = RetryPolicy()
    concurrency: int = 0
    callbacks: tuple[str, ...] = ()
    """Hosts that anybody's callbacks may go to."""


class Submission(msgspec.Struct, frozen=True):
    """A call to be accepted."""

    call: QueuedCall
    request: Request
    key: str
    """With whom it is good for."""
    digest: str
    """Of what the key came with."""
    named: bool = False
    """Whether its id is of its caller's choice, and may be another call's."""
    callbacks: tuple[str, ...] = ()
    """Hosts that the function's author has listed for callbacks, whoever asks for them."""


def read_submission(head: RequestHead, body: bytes, now_unix_ms: int) -> Submission:
    """Return what the gateway hands over. Raises InvalidRequest for what its caller got wrong."""
    said = {name.lower(): value.decode("latin-1") for name, value in head.headers}
    direct = head.target.startswith(DIRECT_PATH)
    name, slash, rest = head.target.removeprefix(DIRECT_PATH if direct else PATH).decode().partition("/")
    call_id, key = said.get(b"x-call-id", ""), said.get(b"idempotency-key", "")
    if not name or not slash or not is_call_id(call_id) or (direct and not key):
        raise InvalidRequest("A submission names a function and a call id; one of a direct call has a key")
    if key and not _KEY.fullmatch(key):
        raise InvalidRequest(f"Idempotency-Key: must be 1 to {MAX_KEY} characters of printable ASCII")
    ours = _OURS_DIRECT if direct else _OURS
    lines = b"".join(b"%b: %b\r\n" % header for header in head.headers if header[0].lower() not in ours)
    call = QueuedCall(
        id=call_id,
        function=name,
        target="/" + rest,
        accepted_unix_ms=now_unix_ms,
        due_unix_ms=now_unix_ms,
        retry=_ONCE,
        size_bytes=len(lines) + len(body),
        method=head.method.decode(),
        direct=direct,
        depth=_depth(said.get(DEPTH, "")),
    )
    if direct:
        digest = _digest(head.method, rest, body, said.get(b"authorization", ""))
        return Submission(call, Request(lines, body), f"{said.get(SCOPE) or name}\n\n{key}", digest, NAMED in said)
    digest = hashlib.sha256(head.target + b"\n" + body).hexdigest()
    whole = _whole(name, key, said.get(SCOPE, "")) if key else ""
    terms = msgspec.json.decode(said.get(TERMS, "{}"), type=Terms)
    call = _later(call, said, terms)
    return Submission(call, Request(lines, body), whole, digest, NAMED in said, terms.callbacks)


def _digest(method: bytes, rest: str, body: bytes, credential: str) -> str:
    """Return what tells a request from others. A function may look at a credential itself, and answers its owner."""
    content = b"%b /%b\n%b" % (method, rest.encode(), body)
    if credential:
        content = hashlib.sha256(credential.encode("latin-1")).digest() + content
    return hashlib.sha256(content).hexdigest()


def _whole(name: str, key: str, scope: str) -> str:
    """Return a queued call's key with whom it is good for. No text that a caller may send has a newline in it."""
    return f"{name}\n{key}" if scope == PLATFORM else f"{name}\n\n\n{key}"


def is_platforms(key: str) -> bool:
    """Whether a key, with whom it is good for, is one of the platform's own calls."""
    return "\n\n" not in key


def _later(call: QueuedCall, said: Mapping[bytes, str], terms: Terms) -> QueuedCall:
    callback = said.get(b"x-callback-url", "")
    if callback:
        parse_callback(callback)
    return msgspec.structs.replace(
        call,
        due_unix_ms=call.due_unix_ms + round(_delay_s(said.get(b"x-delay", "")) * 1000),
        priority=_priority(said.get(b"x-priority", "")),
        callback=callback,
        retry=terms.retry,
        concurrency=terms.concurrency,
    )


def _delay_s(text: str) -> float:
    try:
        delay_s = parse_duration(text) if text else 0.0
    except InvalidSpec as error:
        raise InvalidRequest(f"X-Delay: {error}") from None
    if delay_s > MAX_DELAY_S:
        raise InvalidRequest(f"X-Delay: {text[:40]!r} is more than 30 days (720h)")
    return delay_s


def _depth(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() else 0  # the gateway has refused what is no number


def _priority(text: str) -> Priority:
    wanted = text.strip().lower() or "normal"
    for priority in PRIORITIES:
        if priority == wanted:
            return priority
    raise InvalidRequest(f"X-Priority: {text[:40]!r} must be one of {', '.join(PRIORITIES)}")
