"""Alerts that fired, as they are kept when they have long been forgotten elsewhere."""

from typing import Literal

import msgspec

from dayfly.model.alert import Severity

MAX_PAST_ALERTS = 1_000
"""Of one answer."""


class PastAlert(msgspec.Struct, frozen=True, kw_only=True):
    """An alert from when it began to fire until it was resolved, as it was when it began."""

    number: int
    """Grows with every alert that is kept: the place to go on reading from."""
    id: str
    """Known by its labels and its rule's owner: one that fires again has the same."""
    rule: str
    namespace: str
    """Which one it is about; empty for the installation."""
    severity: Severity
    state: Literal["firing", "resolved"]
    labels: dict[str, str]
    value: float
    """The figure when it began to fire."""
    text: str
    """What was wrong, in a sentence."""
    fired_unix_ms: int
    resolved_unix_ms: int = 0
    """0 while it fires."""


class PastAlertQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which alerts are wanted: those that fired at any time from `since` to `until`, the newest first."""

    namespace: str | None = None
    """None for those about any and about the installation."""
    rule: str = ""
    """The rule's name, or what the label `alertname` says."""
    since_unix_ms: int = 0
    until_unix_ms: int = 2**63 - 1
    before: int = 0
    """Only lower numbers: the last one's, for the next page. 0 for all."""
    limit: int = 100
