"""The buckets of a gateway: bounded, and each client's own."""

from dayfly.gateway.rates import Buckets
from dayfly.model.route_entry import RateEntry

RATE = RateEntry(calls=1, window_s=60.0)


def test_no_more_clients_are_remembered_than_fit_and_the_longest_quiet_go_first() -> None:
    buckets = Buckets(most=3)
    for client in "abc":
        assert buckets.take("r", RATE, client, 0.0).allowed
    assert not buckets.take("r", RATE, "a", 1.0).allowed
    assert buckets.take("r", RATE, "d", 1.0).allowed  # b goes
    assert len(buckets) == 3
    assert [buckets.take("r", RATE, client, 2.0).allowed for client in "acdb"] == [False, False, False, True]


def test_a_client_has_a_bucket_at_each_route() -> None:
    buckets = Buckets()
    assert [buckets.take(route, RATE, "a", 0.0).allowed for route in ("r", "s", "r")] == [True, True, False]
