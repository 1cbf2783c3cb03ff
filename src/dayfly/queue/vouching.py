"""Vouching: whether a caller may have a callback made at all (threat T9).

A callback is a request that this installation makes to where a stranger says. So it takes more than being able to call:
a credential that is good for calls of the function, a host that the function's author has listed, or an installation
whose operator lets anybody. Where it may lead in the end is for `queue.callback` to judge, whoever asked for it.

The credential is the control plane's to judge. It goes no further: neither to the function nor to the disk.
"""

from typing import Protocol

import msgspec

from dayfly.http1.head import RequestHead
from dayfly.model.callback_hosts import ANNOTATION, CallbackHosts
from dayfly.model.errors import Forbidden, LimitExceeded, Unavailable
from dayfly.queue.asking import Lost, Socket, Unreached
from dayfly.queue.callback import parse_callback
from dayfly.queue.submission import Submission

_HINT = (
    "Send a credential that may call the function (`Authorization`), have its author list the host in "
    f"{ANNOTATION}, or set DAYFLY_CALLBACK_ANONYMOUS=true, which lets anybody, as OpenFaaS does."
)
_GOOD, _LIMITED = range(200, 300), 429


class Judge(Protocol):
    """Says whether a credential is good for calls of a function."""

    async def __call__(self, function: str, authorization: bytes, peer: bytes, /) -> bool:
        """Return whether it is. Raises Unavailable, LimitExceeded."""
        ...


class Vouching:
    """Lets callbacks be asked for; with `anybody`, by anybody."""

    def __init__(self, judge: Judge, *, anybody: bool) -> None:
        self._judge = judge
        self._anybody = anybody

    async def check(self, given: Submission, head: RequestHead) -> Submission:
        """Return the submission as it may be accepted. Raises Forbidden, Unavailable, LimitExceeded."""
        if not given.call.callback or self._anybody:
            return given
        target = parse_callback(given.call.callback)
        if CallbackHosts(given.callbacks).have(target.host, target.port, secure=target.secure):
            return given
        authorization = _value(head, b"authorization")
        peer = _value(head, b"x-forwarded-for")
        if authorization and await self._judge(given.call.function, authorization, peer):
            return _without_credential(given)
        listed = f" The function lists {', '.join(given.callbacks)}." if given.callbacks else ""
        who = (
            "The credential is not good for calls of"
            if authorization
            else "Without a credential no callback is made for"
        )
        raise Forbidden(f"{who} {given.call.function} to {target.authority}.{listed}", hint=_HINT)


class ControlJudge:
    """Asks the control plane."""

    def __init__(self, api: Socket) -> None:
        self._api = api

    async def __call__(self, function: str, authorization: bytes, peer: bytes, /) -> bool:
        """Return whether the credential is good for calls of the function."""
        name, _, namespace = function.rpartition(".")
        path = b"/v1/namespaces/%b/functions/%b/may-call" % (namespace.encode(), name.encode())
        head = b"GET %b HTTP/1.1\r\nHost: queue\r\nAuthorization: %b\r\nX-Forwarded-For: %b\r\n\r\n"
        try:
            answer = await self._api.ask(head % (path, authorization, peer), b"", b"GET")
        except (Unreached, Lost) as away:
            raise Unavailable(
                f"The control plane, which knows the credential, does not answer: {away}", retry_after_s=1
            ) from None
        if answer.status == _LIMITED:
            raise LimitExceeded("Too many credentials that are not good came from there", retry_after_s=1)
        return answer.status in _GOOD


def _value(head: RequestHead, wanted: bytes) -> bytes:
    return next((value for name, value in head.headers if name.lower() == wanted), b"")


def _without_credential(given: Submission) -> Submission:
    kept = [line for line in given.request.lines.split(b"\r\n") if not line.lower().startswith(b"authorization:")]
    return msgspec.structs.replace(given, request=msgspec.structs.replace(given.request, lines=b"\r\n".join(kept)))
