"""What is to be done for a run now: the form that every way of writing a flow decides in."""

from typing import Any

import msgspec

from dayfly.model.flow_run import Entry


class Order(msgspec.Struct, frozen=True):
    """A function that is to be called; an attempt is one call, however often it is ordered."""

    path: str
    attempt: int
    function: str
    body: Any
    """Data, as `model.flow_data` makes a request's body of them."""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be done, in this order: write the entries, then see to it that just these calls are under way."""

    entries: tuple[Entry, ...] = ()
    orders: tuple[Order, ...] = ()
    """Calls that are wanted; what is under way and not among them is to be cancelled."""
    wake_unix_ms: int = 0
    """When to decide anew even if nothing happens; 0 for never."""
