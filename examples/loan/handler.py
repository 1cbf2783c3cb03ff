"""Plain Python: the hints say what may come in, and what comes out is sent as JSON."""

from dataclasses import dataclass


@dataclass
class Plan:
    """What a loan costs."""

    monthly: float
    payments: int
    interest: float


def handle(principal: float, rate_percent: float, years: int = 20) -> Plan:
    """Return the plan of an annuity loan."""
    payments = years * 12
    rate = rate_percent / 1200
    monthly = principal * rate / (1 - (1 + rate) ** -payments) if rate else principal / payments
    return Plan(round(monthly, 2), payments, round(monthly * payments - principal, 2))
