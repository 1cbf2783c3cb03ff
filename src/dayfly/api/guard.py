"""Who may pass: asked before a handler runs, outside the router, and no by default (threats T1 and T4).

The one way around a credential is a route object that was declared public; a path's spelling is never looked at here.
"""

from starlette.requests import Request

from dayfly.api.credentials import Credentials
from dayfly.api.routes import Found
from dayfly.model.errors import Forbidden

_SAFE = {"GET", "HEAD", "OPTIONS"}
_OWN_SITES = {"same-origin", "none"}


async def admit(request: Request, found: Found, credentials: Credentials) -> None:
    """Return when the request may be answered. Raises Forbidden, Unauthenticated, LimitExceeded."""
    site = request.headers.get("sec-fetch-site", "none")
    if request.method not in _SAFE and site not in _OWN_SITES:
        raise Forbidden(
            "A page of another site sent this request", hint="Changes are taken from the console's own page"
        )
    if not found.open:
        await credentials.verify(request.headers.get("authorization", ""), peer_address(request))


def peer_address(request: Request) -> str:
    """Return the caller's address: the gateway overwrites X-Forwarded-For with the peer that it sees."""
    forwarded = request.headers.get("x-forwarded-for", "")
    return forwarded.rpartition(",")[2].strip() or (request.client.host if request.client else "")
