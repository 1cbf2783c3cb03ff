"""Refusals: which part of OpenFaaS would have said it."""

import pytest

from dayfly.gateway import refusals
from dayfly.gateway.admission import Lane
from dayfly.gateway.metering import Meters
from dayfly.gateway.refusals import Refusal
from dayfly.http1.pool import Pool
from dayfly.http1.sieve import Sieve
from dayfly.model.table import Ended, Endpoint, Entry


def lane(*, ready: bool = False, removed: bool = False) -> Lane:
    endpoints = (Endpoint("r1", "unix:/r1", 1),) if ready else ()
    made = Lane(
        Entry(name="a", namespace="ns", max_inflight=2, endpoints=endpoints, failing="it does not start"),
        lambda address: Pool(address, Sieve(lambda _: False)),
        Meters(),
    )
    made.removed = removed
    return made


@pytest.mark.parametrize(
    ("refusal", "status", "part"),
    [
        (refusals.NO_TABLE, 503, b"proxy"),
        (refusals.queue_full(lane()), 429, b"faas-middleware"),
        (refusals.busy(lane(ready=True)), 429, b"faas-middleware"),
        (refusals.hold_over(lane(ready=True)), 429, b"faas-middleware"),
        (refusals.hold_over(lane()), 503, b"proxy"),
        (refusals.turned_away(lane()), 503, b"proxy"),
        (refusals.timed_out(lane()), 504, b"of-watchdog"),
        (refusals.lost(lane(), "it closed the connection"), 502, b"proxy"),
        (refusals.ended(lane(), Ended("r1", "function_crashed", "it ended", "See its log.")), 502, b"proxy"),
        (refusals.too_large(2, 1), 502, b"proxy"),
    ],
)
def test_what_is_no_failure_of_the_function_says_whose_it_is(refusal: Refusal, status: int, part: bytes) -> None:
    assert (refusal.status, refusal.internal) == (status, b"X-OpenFaaS-Internal: %b\r\n" % part)


@pytest.mark.parametrize(
    "refusal", [refusals.unknown(b"nobody"), refusals.unknown(b""), refusals.turned_away(lane(removed=True))]
)
def test_that_there_is_no_such_function_is_nobodys_failure(refusal: Refusal) -> None:
    assert (refusal.status, refusal.internal) == (404, b"")
