"""Differences: whether anybody reads what the gateway accepted in another way than the gateway does.

Two things are shown to every witness: the client's own bytes, as far as they were accepted, and the bytes that the
gateway sends to a replica in their place. All must find the same requests: as many, with the same method, target, host,
framing and body. A witness that refuses what we accept is told of too, but for the cases listed here, which no reader
can take for another request.
"""

import itertools
from collections.abc import Sequence

from dayfly.gateway.ids import Ids
from dayfly.gateway.plan import Plan
from dayfly.gateway.routes import route
from dayfly.http1.framing import encode
from dayfly.http1.head import CHUNKED
from dayfly.http1.limits import Limits
from dayfly.http1.refusal import Refusal
from dayfly.runtimes.python.connection import MAX_PIPELINED
from fuzz.engine import Accepted, Verdict, read
from fuzz.witnesses import WITNESSES, Seen, Unreadable

LIMITS = Limits(body_bytes=1 << 20)
_IDS = Ids()


def seen_by_us(accepted: Accepted) -> Seen:
    """Return a request as the gateway understood it."""
    head = accepted.head
    return Seen(head.method, head.target, head.host, head.length, accepted.body)


def as_sent(accepted: Accepted) -> tuple[Seen, bytes] | None:
    """Return what a replica is sent for a request and must make of it; None when it is not a call of a function."""
    head = accepted.head
    try:
        target = route(head.target)
    except Refusal:
        return None
    if target is None:
        return None
    plan = Plan(head, target, b"127.0.0.1", False)
    sent = b"%b%bX-Start-Time: 1\r\n\r\n" % (plan.prefix, plan.ident(_IDS)[1])
    sent += encode(accepted.body, True) if head.length == CHUNKED else accepted.body
    return Seen(head.method, target.tail, head.host or b"localhost", head.length, accepted.body), sent


def differences(raw: bytes, verdict: Verdict | None = None) -> list[str]:
    """Return what anybody reads differently in a connection's bytes; empty when all agree."""
    verdict = verdict or read([raw], LIMITS)
    found: list[str] = []
    ours = [seen_by_us(each) for each in verdict.accepted]
    end = verdict.accepted[-1].end if verdict.accepted else 0
    found += _compare("llhttp", "the client's bytes", ours, raw[:end])
    if not _starts_with_empty_lines(raw, verdict.accepted):
        found += _compare("h11", "the client's bytes", ours, raw[:end])
    together: list[Seen] = []
    sent = b""
    for accepted in verdict.accepted:
        pair = as_sent(accepted)
        if pair is None:
            continue
        for name in WITNESSES:
            found += _compare(name, "what a replica is sent", [pair[0]], pair[1])
        if not accepted.head.upgrade and len(together) < MAX_PIPELINED:
            # A replica's connection carries one request after another; an offer of an upgrade is its last.
            together.append(pair[0])
            sent += pair[1]
    for name in WITNESSES if together else ():
        found += _compare(name, "what a replica is sent on one connection", together, sent)
    return found


def cut_differences(raw: bytes, cuts: Sequence[int]) -> list[str]:
    """Return how the verdict depends on where the network cuts the bytes; it must not."""
    whole = read([raw], LIMITS)
    bounds = [0, *sorted(cuts), len(raw)]
    pieces = [raw[start:end] for start, end in itertools.pairwise(bounds) if end > start]
    cut = read(pieces, LIMITS)
    one, other = [[seen_by_us(each) for each in verdict.accepted] for verdict in (whole, cut)]
    if one != other or whole.closed != cut.closed or bool(whole.status) != bool(cut.status):
        return [f"whole: {one} {whole.status} {whole.closed}; cut at {cuts}: {other} {cut.status} {cut.closed}"]
    return []


def _starts_with_empty_lines(raw: bytes, accepted: list[Accepted]) -> bool:
    # RFC 9112 2.2 lets a server skip an empty line before a request. llhttp does, h11 refuses.
    begins = [0, *[each.end for each in accepted[:-1]]]
    return any(raw[begin : begin + 2] == b"\r\n" for begin in begins)


def _compare(name: str, what: str, ours: list[Seen], data: bytes) -> list[str]:
    try:
        theirs = WITNESSES[name](data)
    except Unreadable as refused:
        return [f"{name} refuses {what}: {refused}"]
    if theirs[: len(ours)] != ours or len(theirs) > len(ours):
        return [f"{name} reads {what} as {theirs}, we as {ours}"]
    return []
