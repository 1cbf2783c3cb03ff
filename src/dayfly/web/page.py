"""The console: one page, built from `ui/`, on an origin of its own, under the strictest policy it can live with.

What functions answer is served elsewhere, so that it can never script this page (threat T4). The page keeps the
credential in the tab's session storage and sends it as a header: a cookie would be sent to every port of the host.
"""

from importlib import resources

from starlette.requests import Request
from starlette.responses import Response

from dayfly.api.routes import Routes
from dayfly.api.services import Services

HEADERS: tuple[tuple[bytes, bytes], ...] = (
    (
        b"content-security-policy",
        b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        b"frame-ancestors 'none'; base-uri 'none'; form-action 'self'; require-trusted-types-for 'script'; "
        b"trusted-types svelte-trusted-html",
    ),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cache-control", b"no-store"),
)
"""On every answer of the console's listener."""

routes = Routes()


def _file(name: str) -> bytes:
    return resources.files("dayfly.web").joinpath("static", name).read_bytes()


_PAGE, _STYLE, _SCRIPT = _file("console.html"), _file("console.css"), _file("console.js")


@routes.route("GET", "/", access="public", scope="open", summary="The console's page", media_type="text/html")
async def console_page(_services: Services, _request: Request) -> Response:
    """Return the page; it holds no data of the installation."""
    return Response(_PAGE, media_type="text/html")


@routes.route(
    "GET", "/console.css", access="public", scope="open", summary="The console's style", media_type="text/css"
)
async def style(_services: Services, _request: Request) -> Response:
    """Return the style sheet."""
    return Response(_STYLE, media_type="text/css")


@routes.route(
    "GET", "/console.js", access="public", scope="open", summary="The console's script", media_type="text/javascript"
)
async def script(_services: Services, _request: Request) -> Response:
    """Return the script."""
    return Response(_SCRIPT, media_type="text/javascript")
