"""What an Alertmanager posts to its webhooks, in version 4, as far as it is read here.

Source: Prometheus' documentation of `webhook_config`. What else is in it is not looked at.
"""

from datetime import datetime

import msgspec


class TheirAlert(msgspec.Struct, frozen=True, rename="camel"):
    """One alert."""

    status: str
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    starts_at: datetime | None = None
    ends_at: datetime | None = None


class TheirMessage(msgspec.Struct, frozen=True, rename="camel"):
    """A message with alerts of one group."""

    alerts: tuple[TheirAlert, ...]
    version: str = "4"


class Heard(msgspec.Struct, frozen=True):
    """What became of a message."""

    alerts: int
    """How many alerts were taken from it."""
