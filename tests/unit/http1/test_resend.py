"""When a request may be sent once more."""

import itertools

from dayfly.http1.resend import may_resend


def test_nothing_is_resent_after_a_byte_of_an_answer() -> None:
    for written, reused, whole, repeatable in itertools.product((False, True), repeat=4):
        assert not may_resend(written=written, answered=True, reused=reused, whole=whole, repeatable=repeatable)


def test_what_was_never_written_is_always_resent() -> None:
    for reused, whole, repeatable in itertools.product((False, True), repeat=3):
        assert may_resend(written=False, answered=False, reused=reused, whole=whole, repeatable=repeatable)


def test_what_was_written_is_resent_only_when_all_of_it_speaks_for_it() -> None:
    for reused, whole, repeatable in itertools.product((False, True), repeat=3):
        allowed = may_resend(written=True, answered=False, reused=reused, whole=whole, repeatable=repeatable)
        assert allowed is (reused and whole and repeatable)
