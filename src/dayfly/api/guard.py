"""Who may pass, and how far: asked before a handler runs, outside the router, and no by default (threats T1, T2, T4).

The one way around a credential is a route object that was declared public or signed; a path's spelling is never looked
at here. With one, a request goes as far as its role and its namespace do: the first is a table, the second is what the
route's scope says that the request is about.
"""

from starlette.requests import Request

from dayfly.api.credentials import Credentials
from dayfly.api.routes import Found, Route
from dayfly.api.scope import Place, note_namespace, note_principal, own_namespace
from dayfly.model.access import OPEN, Principal, may
from dayfly.model.errors import Forbidden, Unauthenticated

_SAFE = {"GET", "HEAD", "OPTIONS"}
_OWN_SITES = {"same-origin", "none"}


async def admit(request: Request, found: Found, credentials: Credentials) -> Principal | None:
    """Return who asks, None where anybody may. Raises Forbidden, Unauthenticated, LimitExceeded."""
    site = request.headers.get("sec-fetch-site", "none")
    if request.method not in _SAFE and site not in _OWN_SITES:
        raise Forbidden(
            "A page of another site sent this request", hint="Changes are taken from the console's own page"
        )
    authorization = request.headers.get("authorization", "")
    # OpenFaaS's command line sends a scheme with nothing behind it when nobody has logged in.
    is_heeded = found.route is not None and found.route.heeds and bool(authorization.partition(" ")[2].strip())
    if found.open and not is_heeded:
        return None
    return await credentials.verify(authorization, peer_address(request))


async def permit(request: Request, route: Route, principal: Principal | None) -> None:
    """Return when the request may be carried out; keep with it who asks, and about which namespace.

    Raises Unauthenticated, Forbidden, and InvalidRequest when nobody can tell which namespace is meant.
    """
    if route.access in OPEN:
        return
    if principal is None:
        raise Unauthenticated("This call needs a credential")
    if not may(principal.role, route.access, route.method):
        raise Forbidden(f"The role {principal.role} may not do this")
    note_principal(request, principal)
    if route.scope == "installation" and not principal.is_everywhere:
        raise _not_for(principal, "This is about the whole installation")
    if isinstance(route.scope, Place):
        namespace = await route.scope.named(request) or own_namespace(principal)
        if not principal.sees(namespace):
            raise _not_for(principal, f"This is about the namespace {namespace}")
        note_namespace(request, namespace)


def peer_address(request: Request) -> str:
    """Return the caller's address: the gateway overwrites X-Forwarded-For with the peer that it sees."""
    forwarded = request.headers.get("x-forwarded-for", "")
    return forwarded.rpartition(",")[2].strip() or (request.client.host if request.client else "")


def _not_for(principal: Principal, what: str) -> Forbidden:
    return Forbidden(f"{what}, and the credential is for the namespace {principal.namespace}")
