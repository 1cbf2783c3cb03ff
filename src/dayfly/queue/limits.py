"""Limits of the queue: what it takes, keeps and does at a time. They are settings of the installation."""

import msgspec

from dayfly.model.egress import PUBLIC, parse_grant
from dayfly.model.errors import InvalidSpec

_MOST_DAYS = 3650
MAX_PART_BYTES = 15 * 2**20
"""The store takes messages of 16 MiB."""


class QueueLimits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All sizes in bytes."""

    calls: int = 100_000
    """Calls in the queue, the dead ones among them. Beyond it: 429; for one function beyond half of it."""
    store_bytes: int = 1_073_741_824
    """What their requests may take on the disk together, 1 GiB. Beyond it: 429; for one function beyond half of it."""
    body_bytes: int = 1_048_576
    """The largest body of a call, 1 MiB as in OpenFaaS; beyond it: 413. A function's own max_body counts if it is
    less."""
    answer_bytes: int = 8_388_608
    """The largest answer that is kept and passed on to a callback, 8 MiB; of a larger one only the status is."""
    concurrency: int = 50
    """Calls that run at a time, of all functions."""
    dead_days: int = 14
    """How long a dead letter is kept that nobody redrives or purges."""
    accept_unknown: bool = False
    """Whether a call of a function that does not exist gets a 202, as in OpenFaaS; it ends among the dead."""
    callback_allow: tuple[str, ...] = (PUBLIC,)
    """Where callbacks may go, written as a function's `allow`; see model/egress.py."""

    def check(self) -> None:
        """Refuse what cannot work. Raises InvalidSpec."""
        amounts = (self.calls, self.store_bytes, self.body_bytes, self.answer_bytes, self.concurrency)
        if not 1 <= self.dead_days <= _MOST_DAYS:
            raise InvalidSpec(f"dead_days: {self.dead_days} must be from 1 to {_MOST_DAYS}")
        if min(amounts) < 1 or max(self.body_bytes, self.answer_bytes) > MAX_PART_BYTES:
            raise InvalidSpec(
                f"every limit of the queue is 1 or more, body_bytes and answer_bytes at most {MAX_PART_BYTES}"
            )
        for text in self.callback_allow:
            parse_grant(text)

    @property
    def calls_of_one(self) -> int:
        """Calls of one function."""
        return max(1, self.calls // 2)

    @property
    def store_bytes_of_one(self) -> int:
        """What the requests of one function may take together; a single one may take more."""
        return self.store_bytes // 2

    @property
    def concurrency_of_one(self) -> int:
        """Calls of one function that run at a time, when its author says nothing."""
        return max(1, self.concurrency * 3 // 4)
