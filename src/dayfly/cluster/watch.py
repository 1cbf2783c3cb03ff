"""Following objects: what is there, and then every change of it, for as long as somebody listens.

First everything is listed; then a watch begins at the list's version and goes on, over time-outs, lost connections and
an API server that is away, at the version of the last event or bookmark. When the API does not know any more what
changed since (410), everything is listed anew, and what differs from what was known becomes events: an object that went
meanwhile is told as gone. So a listener sees each object's newest state in the order of the API's versions; states
between may be left out, and none is told twice.

`Follower` decides and knows no clock and no connection; `follow` carries out.
"""

import asyncio
import logging
import random
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from contextlib import aclosing
from typing import Literal

import msgspec

from dayfly.cluster.connection import Connection, Listing
from dayfly.cluster.kinds import Kind, Object, name_of, namespace_of, version_of
from dayfly.cluster.refusals import Expired, refused
from dayfly.model.errors import DayflyError, InternalError, StoreUnavailable

log = logging.getLogger("dayfly.cluster")

WATCH_S = 290
"""After so long the server ends a watch, and it is resumed: what a server forgot to tell is noticed then."""
FIRST_WAIT_S = 0.25
LONGEST_WAIT_S = 15.0
SHORTEST_WATCH_S = 1.0
"""A watch that ends sooner without a word is a failure: resuming it at once would be a busy loop."""


class Event(msgspec.Struct, frozen=True):
    """What became of an object: `put` (it is there, and so it is), `gone` (so it was), or `synced`, of none in
    particular: everything that was there when listening began, or began anew, has been told."""

    type: Literal["put", "gone", "synced"]
    object: Object = {}


class _Line(msgspec.Struct):
    type: str
    object: Object


_LINE = msgspec.json.Decoder(_Line)
Place = tuple[str, str]


class Follower:
    """What is known of the objects, and what is to be done next. `jitter` returns a number from 0 to 1."""

    def __init__(self, jitter: Callable[[], float] = random.random) -> None:
        self.since = ""
        """Where the next watch begins; empty when everything must be listed first."""
        self._jitter = jitter
        self._known: dict[Place, Object] = {}
        self._failures = 0
        self._began = 0.0
        self._is_silent = True

    def listed(self, listing: Listing) -> list[Event]:
        """Take in a list of everything; return what is new by it."""
        found = {_place(each): each for each in listing.items}
        gone = [Event("gone", known) for place, known in self._known.items() if place not in found]
        put = [Event("put", each) for place, each in found.items() if self._is_news(place, each)]
        self._known = found
        self.since = listing.version
        self._failures = 0
        return [*gone, *sorted(put, key=_order), Event("synced")]

    def began(self, now: float) -> None:
        """Note when a watch began, in seconds."""
        self._began, self._is_silent = now, True

    def told(self, line: bytes) -> Event | None:
        """Take in a line of a watch; return what it tells, None where that is nothing. Raises Expired and others."""
        try:
            event = _LINE.decode(line)
        except msgspec.MsgspecError as error:
            raise StoreUnavailable(f"the cluster's watch told something unreadable: {error}") from error
        if event.type == "ERROR":
            status = event.object
            raise refused("to go on with a watch", status.get("code", 500), status.get("reason", ""),
                          status.get("message", ""))  # fmt: skip
        self.since = version_of(event.object)
        self._is_silent = False
        self._failures = 0
        place = _place(event.object) if event.type != "BOOKMARK" else ("", "")
        match event.type:
            case "BOOKMARK":
                return None
            case "DELETED":
                return Event("gone", event.object) if self._known.pop(place, None) is not None else None
            case "ADDED" | "MODIFIED":
                is_news = self._is_news(place, event.object)
                self._known[place] = event.object
                return Event("put", event.object) if is_news else None
        raise InternalError(f"the cluster's watch told {event.type!r}, which is nothing that we know")

    def ended(self, now: float) -> float:
        """Return how many seconds to wait before what is next, after a watch that the server ended."""
        return self._wait() if self._is_silent and now - self._began < SHORTEST_WATCH_S else 0.0

    def failed(self, error: DayflyError) -> float:
        """Return how many seconds to wait before what is next, after a list or a watch that failed."""
        if isinstance(error, Expired):
            self.since = ""
            if not self._failures:
                self._failures = 1
                return 0.0
        return max(self._wait(), error.retry_after_s)

    def _wait(self) -> float:
        longest = min(LONGEST_WAIT_S, FIRST_WAIT_S * 2.0 ** min(self._failures, 16))
        self._failures += 1
        # Half of it at least, so that nobody hammers; the rest by chance, so that many do not come at once.
        return longest * (0.5 + 0.5 * self._jitter())

    def _is_news(self, place: Place, obj: Object) -> bool:
        known = self._known.get(place)
        return known is None or version_of(known) != version_of(obj)


async def follow(
    connection: Connection, kind: Kind, namespace: str = "", *, labels: str = "", fields: str = "",
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep, follower: Follower | None = None,
) -> AsyncGenerator[Event, None]:  # fmt: skip
    """Yield events of objects of a namespace or, with none named, of all, that match selectors; it ends never.

    An API server that is away is waited for; nothing is raised for it. Close the generator to end it.
    """
    state, loop, is_away = follower or Follower(), asyncio.get_running_loop(), False
    what = f"{kind.plural} of {namespace or 'all namespaces'}"
    while True:
        try:
            if not state.since:
                for event in state.listed(await connection.list(kind, namespace, labels=labels, fields=fields)):
                    yield event
            if is_away:
                log.info("%s are followed again", what)
                is_away = False
            state.began(loop.time())
            lines = connection.lines(
                kind, namespace, state.since, labels=labels, fields=fields, timeout_s=WATCH_S
            )  # fmt: skip
            async with aclosing(lines):
                async for line in lines:
                    if (told := state.told(line)) is not None:
                        yield told
            wait = state.ended(loop.time())
        except StoreUnavailable as error:
            wait = state.failed(error)
            if wait and not is_away:
                log.warning("%s cannot be followed at the moment: %s", what, error)
                is_away = True
        if wait:
            await sleep(wait)


async def follow_each(
    connection: Connection, kind: Kind, namespaces: Iterable[str], *, labels: str = "", fields: str = ""
) -> AsyncGenerator[Event, None]:
    """Yield events of objects of several namespaces, as `follow` does; each has a `synced` of its own."""
    told: asyncio.Queue[Event | Exception] = asyncio.Queue(maxsize=1)

    async def listen(namespace: str) -> None:
        try:
            async with aclosing(follow(connection, kind, namespace, labels=labels, fields=fields)) as events:
                async for event in events:
                    await told.put(event)
        except Exception as error:  # raised where the events are read
            await told.put(error)

    tasks = [asyncio.create_task(listen(namespace)) for namespace in namespaces]
    try:
        while True:
            event = await told.get()
            if isinstance(event, Exception):
                raise event
            yield event
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _place(obj: Object) -> Place:
    return namespace_of(obj), name_of(obj)


def _order(event: Event) -> tuple[int, str]:
    """Older changes first; versions are numbers in every API server there is, but need not be."""
    version = version_of(event.object)
    return (int(version) if version.isdigit() else 0), version
