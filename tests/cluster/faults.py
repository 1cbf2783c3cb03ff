"""Requests that the double has seen, and what is to befall those that come."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Fault:
    """What befalls requests: a status, or a connection that drops before or after they were carried out, or never."""

    method: re.Pattern[str]
    path: re.Pattern[str]
    times: int
    status: int = 0
    retry_after_s: int = 0
    drop: str = ""
    skip: int = 0
    """How many of them are left alone first."""
    hit: int = 0
    """How often it struck."""


@dataclass(frozen=True)
class Seen:
    """A request that came."""

    method: str
    path: str
    query: str
    user: str
    body: Any = field(repr=False, default=None)

    @property
    def writes(self) -> bool:
        """Whether it was to change something."""
        return self.method != "GET"
