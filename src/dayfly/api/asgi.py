"""One listener's ASGI app: find the route, ask the guard, run the handler, tell errors, in this order.

Every attempt to change something, and every refusal of one, leaves a line in the log of who it was.
"""

import logging
from collections.abc import Iterable
from typing import get_args

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from dayfly.api.auditing import audited, refused
from dayfly.api.credentials import Credentials
from dayfly.api.guard import admit, permit
from dayfly.api.problems import refuse
from dayfly.api.routes import ErrorForm, Found, Method, Route, Router
from dayfly.api.services import Services
from dayfly.model.access import Principal
from dayfly.model.errors import DayflyError, InternalError, MethodNotAllowed, NotFound

_METHODS = {*get_args(Method), "OPTIONS", "PATCH", "TRACE"}
_SAFE = {"GET", "HEAD", "OPTIONS"}
_REFUSED = {401, 403, 429}
_log = logging.getLogger("dayfly.api")
_audit = logging.getLogger("dayfly.audit")


class ListenerApp:
    """An ASGI app of the routes; every answer carries `headers`, given as they go on the wire."""

    def __init__(
        self,
        routes: Iterable[Route],
        services: Services,
        credentials: Credentials,
        headers: tuple[tuple[bytes, bytes], ...],
    ) -> None:
        self.router = Router(routes)
        self._services = services
        self._credentials = credentials
        self._headers = headers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "lifespan":
            await _live(receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        else:
            await self._http(scope, receive, send)

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        found = self.router.find(request.method, scope.get("raw_path") or b"")
        scope["path_params"] = dict(found.parameters)

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                own = {name for name, _ in message["headers"]}
                extra = [header for header in self._headers if header[0] not in own]
                message = {**message, "headers": [*message["headers"], *extra]}
            elif message["type"] == "http.response.body" and request.method == "HEAD":
                message = {**message, "body": b""}
            await send(message)

        try:
            response = await self._answer(request, found)
        except ClientDisconnect:
            _log.info("client went away during its request path=%s", ascii(request.url.path[:200]))
            return
        await response(scope, receive, send_with_headers)

    async def _let_in(self, request: Request, found: Found) -> Principal | None:
        """Return who asks, None where anybody may. Raises as the guard does; who is refused is told of."""
        principal: Principal | None = None
        try:
            principal = await admit(request, found, self._credentials)
            if found.route is not None:
                await permit(request, found.route, principal)
        except DayflyError as error:
            if error.status in _REFUSED:
                await refused(self._services, request, found.route, principal, error)
            _tell(request, found, principal, error.status)
            raise
        return principal

    async def _answer(self, request: Request, found: Found) -> Response:
        form: ErrorForm = found.at_path[0].errors if found.at_path else "problem"
        principal: Principal | None = None
        try:
            principal = await self._let_in(request, found)
            if found.route is not None:
                if found.route.is_change:
                    response = await audited(self._services, request, found.route, principal)
                else:
                    response = await found.route.handler(self._services, request)
                _tell(request, found, principal, response.status_code)
                return response
            if found.at_path and request.method == "OPTIONS":
                return Response(status_code=204, headers={"Allow": found.allow})
            raise _lost(request, found)
        except DayflyError as error:
            _tell(request, found, principal, error.status)
            if error.status >= 500:
                _log.error("request failed method=%s path=%s reason=%s", request.method, ascii(request.url.path), error)
            return refuse(error, request, form)
        except ClientDisconnect:
            raise
        except Exception:
            # The border of the API: what no handler foresaw is our bug, and must neither end the process nor leak.
            _log.exception("bug in a handler method=%s path=%s", request.method, ascii(request.url.path))
            return refuse(InternalError("The platform failed; its log says why"), request, form)


def _tell(request: Request, found: Found, principal: Principal | None, status: int) -> None:
    looks = found.route is not None and found.route.access == "look"
    if principal is not None and request.method not in _SAFE and not looks:
        where, path = principal.namespace or "all namespaces", ascii(request.url.path[:200])
        _audit.info(
            "change principal=%r role=%s of=%r method=%s path=%s status=%d",
            principal.name, principal.role, where, ascii(request.method[:10]), path, status,
        )  # fmt: skip


def _lost(request: Request, found: Found) -> DayflyError:
    if found.at_path:
        method = request.method if request.method in _METHODS else "This method"
        return MethodNotAllowed(f"{method} is not for {request.url.path}; {found.allow} are", allow=found.allow)
    return NotFound(f"There is nothing at {request.url.path[:200]}")


async def _live(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": message["type"] + ".complete"})
        if message["type"] == "lifespan.shutdown":
            return
