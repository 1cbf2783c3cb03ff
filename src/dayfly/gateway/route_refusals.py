"""Refusals of routes: what a caller is told before any function is asked."""

from dayfly.gateway.refusals import Refusal

CLOSED = Refusal(
    503,
    "route_closed",
    "This route's callers cannot be checked at the moment, so nobody gets through.",
    "`dayfly route describe` tells whoever made the route why.",
    retry_after_s=5,
)


def wrong_method(method: bytes, allow: tuple[bytes, ...]) -> Refusal:
    """The route at this path does not take the method."""
    words = b", ".join(allow).decode()
    return Refusal(405, "method_not_allowed", f"{method.decode()} is not taken here; {words} is.")
