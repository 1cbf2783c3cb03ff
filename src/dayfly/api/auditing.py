"""Every change that somebody asks for, by whichever listener and dialect, in the audit log.

`ListenerApp` has every changing request carried out by `audited`, so that no handler can forget it, and tells of every
refusal by `refused`. What differs is read from the desired state before and after; `audit_subjects.py` says what is
looked at. Two who change the same thing at one moment may each find the other's change in what differs.
"""

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from dayfly.api.audit_subjects import Subject, action_of, subject_of
from dayfly.api.credentials import named_in
from dayfly.api.guard import peer_address
from dayfly.api.routes import Route
from dayfly.api.services import Services
from dayfly.decide.audit_chain import differences
from dayfly.model.access import Principal
from dayfly.model.audit import AuditDraft, Begun
from dayfly.model.errors import DayflyError

SIGNED = "signature"
"""Who asked where a signature over the body let somebody in."""


async def audited(services: Services, request: Request, route: Route, principal: Principal | None) -> Response:
    """Carry out a changing request and answer it once its entry is on the disk.

    Raises what the handler raises, and StoreUnavailable: before anything was changed where the log takes nothing, and
    after it where it takes nothing any more.
    """
    subject = await subject_of(route, request)
    draft = AuditDraft(
        who=principal.name if principal is not None else SIGNED,
        role=principal.role if principal is not None else "",
        address=peer_address(request)[:60],
        action=subject.action,
        namespace=subject.namespace,
        target=subject.target,
    )
    begun = await services.audit.begin(draft)
    before = await subject.look(services)
    try:
        response = await route.handler(services, request)
    except Exception as error:
        # Also for a client that went away, and for our bugs: what they left changed is told. Whoever is cancelled may
        # not wait, and leaves the note.
        await _end(services, request, begun, subject, before, _status(error))
        raise
    await _end(services, request, begun, subject, before, response.status_code)
    return response


async def refused(services: Services, request: Request, route: Route | None, principal: Principal | None,
                  error: DayflyError) -> None:  # fmt: skip
    """Write that a credential was not good, or that somebody may not do what was asked."""
    if principal is None and not request.headers.get("authorization", "").partition(" ")[2].strip():
        return  # Nobody tried: a browser that has not signed in yet.
    if principal is None:
        action, who = "sign-in.failed", named_in(request.headers.get("authorization", ""))
    elif route is not None and route.is_change:
        action, who = action_of(route), principal.name
    else:
        return
    await services.audit.refused(
        AuditDraft(
            who=who,
            role=principal.role if principal is not None else "",
            address=peer_address(request)[:60],
            action=action,
            namespace=(principal.namespace or "") if principal is not None else "",
            target=request.url.path[:300],
            status=error.status,
        )
    )


async def _end(
    services: Services, request: Request, begun: Begun, subject: Subject, before: object, status: int
) -> None:
    after = await subject.look(services)
    changes = (*differences(before, after), *subject.asked(request))
    await services.audit.end(begun, status, changes)


def _status(error: Exception) -> int:
    if isinstance(error, DayflyError):
        return error.status
    return 0 if isinstance(error, ClientDisconnect) else 500
