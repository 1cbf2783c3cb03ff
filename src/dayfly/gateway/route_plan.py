"""Plans of requests that a route leads to a function."""

from dayfly.gateway.cors import answer_lines, preflight_lines
from dayfly.gateway.plan import Plan
from dayfly.gateway.routes import FunctionRoute
from dayfly.gateway.rules import RouteRule
from dayfly.http1.head import RequestHead


class RoutePlan:
    """A request by a route: the plan of the call, one for each function that may get it.

    `lines` are those that the route adds to every answer; `preflight` is what a browser is told that asks before it
    sends the request itself, in the function's place.
    """

    __slots__ = ("lines", "plans", "preflight", "rule")

    def __init__(self, head: RequestHead, rule: RouteRule, peer: bytes, secure: bool, *, asks: bool) -> None:
        gone = rule.gate.takes_away(head) if rule.gate is not None else frozenset()
        headers = [header for header in head.headers if header[0].lower() not in gone] if gone else head.headers
        target = FunctionRoute(rule.functions[0], rule.tail(head.target))
        first = Plan(head, target, peer, secure, headers, f"route {rule.entry.name}")
        first.prefix += rule.prefix_line
        self.rule = rule
        self.plans = [first, *(first.named(function) for function in rule.functions[1:])]
        cors = rule.entry.cors
        self.lines = answer_lines(cors, head) if cors is not None else b""
        self.preflight = b""
        if asks and cors is not None:
            self.preflight = preflight_lines(cors, head, rule.entry.methods, rule.credential_headers)

    def pick(self) -> Plan:
        """Return the plan of one call."""
        return self.plans[self.rule.pick()]


class WrongMethod:
    """A request at a route's path with a method that it does not take; `allow` names those that it does."""

    __slots__ = ("allow",)

    def __init__(self, allow: tuple[bytes, ...]) -> None:
        self.allow = allow
