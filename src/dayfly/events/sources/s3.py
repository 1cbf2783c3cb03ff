"""Objects that come into a bucket, change or go.

The bucket is listed again and again, and compared with what was seen; what was delivered is noted on the disk, so that
after a restart neither is an object delivered once more nor one missed that came meanwhile. A bucket that is listed for
the first time is only noted, unless the trigger wants what is there as well.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime

import httpx2
import msgspec

from dayfly.control.clock import Clock
from dayfly.events.cursors import Cursor
from dayfly.events.pause import pause
from dayfly.events.port import Deliver, Lost, Source
from dayfly.events.sources.batch import hand_on_all
from dayfly.events.sources.listing import MAX_PAGE_BYTES, Listed, Page, Unreadable, code_of, page_of
from dayfly.events.sources.sigv4 import encoded, query_of, signed
from dayfly.events.sources.tls import context_for
from dayfly.events.sources.trouble import lost
from dayfly.model.errors import StoreUnavailable
from dayfly.model.event import Event
from dayfly.model.trigger import TriggerSpec
from dayfly.model.trigger_secret import Credentials
from dayfly.model.trigger_source import S3Source

CREATED, REMOVED = "com.dayfly.s3.object.created", "com.dayfly.s3.object.removed"
BATCH = 16
MAX_OBJECTS = 100_000
"""How many objects are told apart: their keys are held in memory."""
ANSWER_S = 30.0


def build(spec: TriggerSpec, credentials: Credentials, clock: Clock, *, cursor: Cursor) -> Source:
    """Return the bucket that the trigger names."""
    assert isinstance(spec.source, S3Source)
    return Bucket(spec.source, credentials, clock, cursor)


class Bucket:
    """One bucket, or what is below a prefix in it."""

    def __init__(self, source: S3Source, credentials: Credentials, clock: Clock, cursor: Cursor) -> None:
        self._source = source
        self._credentials = credentials
        self._clock = clock
        self._cursor = cursor
        self._endpoint = source.endpoint.rstrip("/")
        self._address = f"{self._endpoint}/{source.bucket}"
        self._seen: dict[str, str] = {}

    async def run(self, deliver: Deliver, ready: Callable[[], None]) -> None:
        """See the port."""
        context = await asyncio.to_thread(context_for, self._address, self._credentials)
        try:
            # Neither a proxy of the environment nor a redirect of the server leads elsewhere.
            async with httpx2.AsyncClient(verify=context, timeout=ANSWER_S, trust_env=False) as client:
                seen = await self._cursor.seen()
                if seen is None and self._source.start == "latest":
                    await self._note_all(client)
                elif seen is None:
                    await self._cursor.note({})
                self._seen = self._seen if seen is None else seen
                ready()
                while True:
                    await self._look(client, deliver)
                    await pause(self._clock, self._source.interval_s)
        except httpx2.HTTPError as fault:
            raise lost(self._address, _cause(fault)) from None
        except (StoreUnavailable, Unreadable) as fault:
            raise Lost(f"{self._address}: {fault}") from fault

    async def _note_all(self, client: httpx2.AsyncClient) -> None:
        async for page in self._pages(client):
            marks = {each.key: each.mark for each in page.objects}
            self._seen |= marks
            self._check(len(self._seen))
        # All at once: of a bucket that was noted by half the rest would be taken for new.
        await self._cursor.note(self._seen)

    async def _look(self, client: httpx2.AsyncClient, deliver: Deliver) -> None:
        there: set[str] = set()
        async for page in self._pages(client):
            there.update(each.key for each in page.objects)
            self._check(len(there))
            fresh = [each for each in page.objects if self._seen.get(each.key) != each.mark]
            for start in range(0, len(fresh), BATCH):
                await self._take(fresh[start : start + BATCH], deliver)
        gone = sorted(self._seen.keys() - there)
        for start in range(0, len(gone), BATCH):
            await self._lose(gone[start : start + BATCH], deliver)

    async def _take(self, fresh: list[Listed], deliver: Deliver) -> None:
        if "created" in self._source.events:
            await hand_on_all(deliver, [self._created(each) for each in fresh if self._wanted(each.key)])
        marks = {each.key: each.mark for each in fresh}
        self._seen |= marks
        await self._cursor.note(marks)

    async def _lose(self, gone: list[str], deliver: Deliver) -> None:
        if "removed" in self._source.events:
            await hand_on_all(deliver, [self._removed(key) for key in gone if self._wanted(key)])
        for key in gone:
            del self._seen[key]
        await self._cursor.note(dict.fromkeys(gone))

    def _wanted(self, key: str) -> bool:
        return key.endswith(self._source.suffix)

    def _check(self, count: int) -> None:
        if count > MAX_OBJECTS:
            raise Lost(
                f"{self._address}: more than {MAX_OBJECTS} objects are there: give a prefix, or have the server tell of"
                " them by a webhook"
            )

    async def _pages(self, client: httpx2.AsyncClient) -> AsyncIterator[Page]:
        token = ""
        while True:
            query = {"list-type": "2", "encoding-type": "url", "prefix": self._source.prefix}
            if token:
                query["continuation-token"] = token
            page = page_of(await self._ask(client, query))
            yield page
            if not page.next:
                return
            if page.next == token:
                raise Unreadable("it gives the same page again and again")
            token = page.next

    async def _ask(self, client: httpx2.AsyncClient, query: dict[str, str]) -> bytes:
        path, host = f"/{self._source.bucket}", self._endpoint.partition("://")[2]
        headers = {"accept-encoding": "identity", "user-agent": "dayfly"}
        if self._credentials.user:
            now = datetime.fromtimestamp(self._clock.unix_ms() / 1000, UTC)
            headers |= signed(
                "GET", host, path, query, credentials=self._credentials, region=self._source.region, now=now
            )
        url = f"{self._endpoint}{encoded(path)}?{query_of(query)}"
        async with client.stream("GET", url, headers=headers) as answer:
            body = bytearray()
            async for chunk in answer.aiter_raw():
                body += chunk
                if len(body) > MAX_PAGE_BYTES:
                    raise Unreadable(f"a page of its listing has more than {MAX_PAGE_BYTES // 2**20} MiB")
            if answer.status_code != 200:
                raise Lost(f"{self._address}: the server refused: {code_of(bytes(body)) or answer.status_code}")
            return bytes(body)

    def _created(self, listed: Listed) -> Event:
        told = {"bucket": self._source.bucket, **msgspec.to_builtins(listed)}
        return self._event(CREATED, listed.key, listed.mark, told, listed.modified)

    def _removed(self, key: str) -> Event:
        return self._event(REMOVED, key, self._seen[key], {"bucket": self._source.bucket, "key": key}, "")

    def _event(self, kind: str, key: str, mark: str, told: dict[str, object], time: str) -> Event:
        return Event(
            id=hashlib.sha256(f"{kind} {mark} {key}".encode()).hexdigest()[:32],
            source=self._address,
            type=kind,
            subject=key,
            time=time,
            content_type="application/json",
            data=msgspec.json.encode(told),
        )


def _cause(fault: BaseException) -> BaseException:
    """Return what the system said, which the library wraps several times."""
    if isinstance(fault, httpx2.TimeoutException):
        return TimeoutError()
    deepest: BaseException = fault
    while (inner := deepest.__cause__ or deepest.__context__) is not None:
        deepest = inner
    return deepest if isinstance(deepest, OSError) else ConnectionError()
