"""What use costs: prices as an operator sets them, and the report made with them."""

import msgspec

from dayfly.model.allowance import Used
from dayfly.model.errors import InvalidSpec

_NAMES = ("call", "cpu_second", "gib_second")
MAX_DAYS = 400
"""How far back a report goes: nothing is kept for longer."""


class Prices(msgspec.Struct, frozen=True, kw_only=True):
    """What one of each costs; all of nothing where nobody has set prices, and then there are quantities alone."""

    call: float = 0.0
    cpu_second: float = 0.0
    gib_second: float = 0.0
    currency: str = ""

    @classmethod
    def parse(cls, text: str) -> "Prices":
        """Return what `call=0.0000002,cpu_second=0.00002,currency=EUR` means. Raises InvalidSpec."""
        given: dict[str, str] = {}
        for part in filter(None, (each.strip() for each in text.split(","))):
            name, equals, value = (each.strip() for each in part.partition("="))
            if name not in cls.__struct_fields__ or not equals or not value or name in given:
                raise InvalidSpec(f"{part[:60]!r} is not NAME=PRICE, once, of {', '.join(cls.__struct_fields__)}")
            given[name] = value
        try:
            prices = msgspec.convert(given, cls, strict=False)
        except msgspec.ValidationError as error:
            raise InvalidSpec(str(error)) from None
        if not all(0 <= getattr(prices, name) < 1e12 for name in _NAMES):
            raise InvalidSpec("a price must be a number from 0 on")
        if not prices.currency.isprintable() or len(prices.currency) > 8:
            raise InvalidSpec(f"currency: {prices.currency[:20]!r} must be at most eight characters, as EUR")
        return prices

    @property
    def are_set(self) -> bool:
        """Whether anything costs anything."""
        return any(getattr(self, name) for name in _NAMES)

    def of(self, used: Used) -> float:
        """Return what was used in money."""
        return self.call * used.calls + self.cpu_second * used.cpu_seconds + self.gib_second * used.gib_seconds


class FunctionCost(msgspec.Struct, frozen=True, kw_only=True):
    """What one function used and cost."""

    name: str
    namespace: str
    calls: int
    cpu_seconds: float
    gib_seconds: float
    cost: float


class CostReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a namespace's functions used and cost between two moments, each the beginning of an hour in UTC."""

    namespace: str
    since_unix_ms: int
    until_unix_ms: int
    prices: Prices
    functions: tuple[FunctionCost, ...]
    """Ordered by name; those that are gone too."""
