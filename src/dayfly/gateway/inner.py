"""The inner listener: on a socket of this account, for the platform's own calls."""

from dayfly.gateway.apart import ApartCall, ApartPlan
from dayfly.gateway.listener import Meaning, PublicListener
from dayfly.gateway.plan import Plan
from dayfly.gateway.routes import route
from dayfly.http1.head import RequestHead
from dayfly.http1.refusal import Refusal, malformed
from dayfly.http1.roles import Receiver
from dayfly.http1.server import ServerConnection
from dayfly.model.apart import apart_in


class InnerListener(PublicListener):
    """Serves the queue with calls that a gateway has let pass before, and calls of replicas apart; nothing else."""

    def _plan(self, head: RequestHead, peer: bytes) -> Meaning:
        del peer
        try:
            named = apart_in(head.target)
        except ValueError as unreadable:
            raise malformed(f"In the target {unreadable}.") from unreadable
        target = route(head.target if named is None else named[1])
        if target is None or target.queued:
            return False
        return Plan(head, target, None, self.secure) if named is None else ApartPlan(head, target, named[0])

    def _other(self, connection: ServerConnection, head: RequestHead, plan: Meaning) -> Receiver:
        if not isinstance(plan, ApartPlan):
            return super()._other(connection, head, plan)
        if head.length:
            self._bound(connection, plan)
        return ApartCall(connection, head, self, plan)

    def _own(self, connection: ServerConnection, head: RequestHead) -> Receiver:
        del connection, head
        raise Refusal(404, "not_found", "Functions are called here, and nothing else.")
