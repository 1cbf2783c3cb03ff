"""What the platform changes by itself, as somebody told it to before, in the audit log."""

from dayfly.control.plane import ControlPlane
from dayfly.control.triggers import Triggers
from dayfly.model.audit import PLATFORM, AuditDraft, Change
from dayfly.model.names import FunctionKey, NamespaceName
from dayfly.model.rollout import Outcome
from dayfly.observe.audit import AuditLog


def tell_of_platform(audit: AuditLog, plane: ControlPlane, triggers: Triggers) -> None:
    """Have canaries that ended by themselves written down, and triggers that went with their function.

    They are written right after, as calls depend on the first and nobody waits for the second.
    """

    def decided(key: FunctionKey, outcome: Outcome) -> None:
        told = (Change(path="candidate", before=outcome.revision), Change(path="reason", after=outcome.reason))
        action = f"function.{outcome.verdict}"
        audit.note_soon(
            AuditDraft(who=PLATFORM, action=action, namespace=key.namespace, target=key.name, status=200, changes=told)
        )

    def forsaken(namespace: NamespaceName, name: str) -> None:
        told = (Change(path="reason", after="it went with its function"),)
        audit.note_soon(
            AuditDraft(
                who=PLATFORM, action="trigger.remove", namespace=namespace, target=name, status=200, changes=told
            )
        )

    plane.on_rollout.append(decided)
    triggers.on_forsaken.append(forsaken)
