"""How alerts are looked for and told, as the operator has it."""

import msgspec

from dayfly.model.egress import PUBLIC, parse_grant
from dayfly.model.errors import InvalidSpec

LEAST_EVERY_S, MOST_EVERY_S = 1.0, 3_600.0


class AlertSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of the installation."""

    every_s: float = 15.0
    """How often rules are looked at."""
    allow: tuple[str, ...] = (PUBLIC,)
    """Where namespaces' own receivers may lead, written as a function's `allow`; see model/egress.py."""

    def check(self) -> None:
        """Refuse what cannot work. Raises InvalidSpec."""
        if not LEAST_EVERY_S <= self.every_s <= MOST_EVERY_S:
            raise InvalidSpec(f"interval: must be from {LEAST_EVERY_S:g} to {MOST_EVERY_S:g} seconds")
        for text in self.allow:
            parse_grant(text)
