"""The brake on guessing, with a clock that is only a number."""

import pytest

from dayfly.decide.attempts import MAX_PEERS, Attempts, peer_of


def test_a_peer_waits_after_its_failures_until_its_window_has_passed() -> None:
    attempts = Attempts(limit=3, window_s=60)
    for now in (0.0, 1.0, 2.0):
        assert attempts.wait_s("192.0.2.1", now) == 0
        attempts.failed("192.0.2.1", now)
    assert attempts.wait_s("192.0.2.1", 2.0) == 58
    assert attempts.wait_s("192.0.2.2", 2.0) == 0
    assert attempts.wait_s("192.0.2.1", 60.0) == 0
    attempts.failed("192.0.2.1", 61.0)
    assert attempts.wait_s("192.0.2.1", 61.0) == 0


def test_the_longest_quiet_peers_are_forgotten_first() -> None:
    attempts = Attempts(limit=1)
    attempts.failed("10.0.0.1", 0.0)
    for number in range(MAX_PEERS):
        attempts.failed("10.0.0.2", 0.0)
        attempts.failed(f"2001:db8:0:{number:x}::1", 0.0)
    assert len(attempts) == MAX_PEERS
    assert attempts.wait_s("10.0.0.1", 0.0) == 0
    assert attempts.wait_s("10.0.0.2", 0.0) > 0


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("192.0.2.1", " 192.0.2.1 ", True),
        ("192.0.2.1", "::ffff:192.0.2.1", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("2001:db8::1", "2001:db8::ffff:2", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("", "nonsense", True),
    ],
)
def test_who_is_one_peer(one: str, other: str, same: bool) -> None:
    assert (peer_of(one) == peer_of(other)) is same
