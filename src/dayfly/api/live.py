"""The list of functions, live: server-sent events of what looks different, for whoever keeps the list open.

A client gets the whole list and then, at most each second, what has changed in it; where nothing has, a comment now and
then, by which a connection that is no more is found out. Browsers' EventSource sends no credential in a header, so a
page reads the events from a plain request.
"""

import time
from collections.abc import AsyncGenerator, Mapping
from functools import partial

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from dayfly.api.decoding import read_query
from dayfly.api.info import visible
from dayfly.api.responses import Lines
from dayfly.api.routes import Routes
from dayfly.api.scope import principal_of
from dayfly.api.services import Services
from dayfly.model.errors import NotFound
from dayfly.model.glance import Glance, GlanceNews
from dayfly.model.names import FunctionKey

_ALIVE_S = 15.0
_ALIVE = b": nothing new\n\n"

routes = Routes()


class LiveQuery(msgspec.Struct, frozen=True):
    """Which functions are wanted."""

    namespace: str = ""
    """Those of this namespace; empty for all that the credential is good for."""


@routes.route(
    "GET", "/v1/functions/live", access="deploy", scope="visible", summary="Follow the list of functions",
    query=LiveQuery, response=GlanceNews, media_type="text/event-stream", streams=True,
)  # fmt: skip
async def live(services: Services, request: Request) -> Response:
    """Send the list and then what changes in it, until the client goes or its credential is good no more."""
    asked = read_query(request, LiveQuery).namespace
    if asked and asked not in visible(services, request):
        raise NotFound(f"there is no namespace {asked[:80]}")
    principal = principal_of(request)
    services.seats.check(principal.name)
    events = _events(services, request, asked, principal.name)
    return Lines(events, media_type="text/event-stream", watch=partial(services.tokens.watch, principal))


async def _events(services: Services, request: Request, asked: str, who: str) -> AsyncGenerator[bytes, None]:
    with services.seats.taken(who):
        known: Mapping[FunctionKey, Glance] = {}
        names: tuple[str, ...] = ()
        said_s = float("-inf")
        open_, first = True, True
        while open_:
            namespaces = tuple(visible(services, request))
            seen = await services.glances.look(services)
            now = {key: seen[key] for key in seen if key.namespace in namespaces and asked in ("", key.namespace)}
            changed = tuple(glance for key, glance in now.items() if known.get(key) != glance)
            gone = tuple((key.namespace, key.name) for key in known if key not in now)
            if first or changed or gone or namespaces != names:
                said_s = time.monotonic()
                yield _event(GlanceNews(namespaces=namespaces, functions=changed, gone=gone))
            elif time.monotonic() - said_s > _ALIVE_S:
                said_s = time.monotonic()
                yield _ALIVE
            known, names, first = now, namespaces, False
            open_ = await services.glances.pause()


def _event(news: GlanceNews) -> bytes:
    return b"event: functions\ndata: " + msgspec.json.encode(news) + b"\n\n"
