"""Times as objects have them: when something was, for people to read. Nothing is decided by them."""

from datetime import UTC, datetime


def stamp() -> str:
    """Return the time, to the second, as RFC 3339 has it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def fine_stamp() -> str:
    """Return the time to the microsecond, as Leases have it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
