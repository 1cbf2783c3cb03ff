"""Files that somebody puts into a folder.

The folder is looked at again and again. A file counts once it was the same at two looks, so that one which is still
being written does not come in halves; whoever wants to be sure writes it elsewhere on the same disk, or under a name
that begins with a dot, and renames it. After it is delivered it is moved away, deleted or, where it is to stay, noted.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from dayfly.control.clock import Clock
from dayfly.events.cursors import Cursor
from dayfly.events.pause import pause
from dayfly.events.port import Deliver, Lost, Source, Undeliverable
from dayfly.events.sources.folder import MAX_FILES, Changed, Folder, Found, TooLarge, mime_type, quoted
from dayfly.events.sources.trouble import lost
from dayfly.model.errors import StoreUnavailable
from dayfly.model.event import Event
from dayfly.model.trigger import TriggerSpec
from dayfly.model.trigger_secret import Credentials
from dayfly.model.trigger_source import FilesSource

TYPE = "com.dayfly.file.arrived"
DONE, REFUSED = ".done", ".refused"
_log = logging.getLogger("dayfly.events")
P = ParamSpec("P")
R = TypeVar("R")


def build(spec: TriggerSpec, _credentials: Credentials, clock: Clock, *, cursor: Cursor) -> Source:
    """Return the folder that the trigger names."""
    assert isinstance(spec.source, FilesSource)
    return Files(spec.source, clock, cursor)


class Files:
    """One folder."""

    def __init__(self, source: FilesSource, clock: Clock, cursor: Cursor) -> None:
        self._source = source
        self._clock = clock
        self._cursor = cursor
        self._address = f"file://{quoted(source.folder)}"
        self._seen: dict[str, str] = {}
        self._left: dict[str, Found] = {}

    async def run(self, deliver: Deliver, ready: Callable[[], None]) -> None:
        """See the port."""
        folder = Folder(self._source.folder, self._source.pattern)
        try:
            if elsewhere := await _in_thread(folder.open):
                raise Lost(f"{self._address}: links lead elsewhere, to {elsewhere}: name that folder")
            if self._source.taken == "keep":
                self._seen = await self._cursor.seen() or {}
            ready()
            before: dict[str, Found] = {}
            while True:
                now = await _in_thread(folder.look)
                for name, found in now.items():
                    if before.get(name) == found and self._is_new(found):
                        await self._take(folder, found, deliver)
                await self._forget(now)
                before = now
                await pause(self._clock, self._source.interval_s)
        except StoreUnavailable as fault:
            raise Lost(f"{self._address}: {fault}") from fault
        except FileNotFoundError:
            raise Lost(f"{self._address}: there is no such folder") from None
        except OSError as fault:
            raise lost(self._address, fault) from None
        finally:
            folder.close()

    def _is_new(self, found: Found) -> bool:
        return self._seen.get(quoted(found.name)) != found.mark and self._left.get(found.name) != found

    async def _take(self, folder: Folder, found: Found, deliver: Deliver) -> None:
        place = DONE
        try:
            event = await _in_thread(self._event, folder, found)
            await deliver(event)
        except Changed:
            return  # It is looked at again.
        except PermissionError as fault:
            self._left[found.name] = found
            _log.warning(
                "a file cannot be read name=%s/%s reason=%s", self._address, quoted(found.name), fault.strerror
            )
            return
        except TooLarge:
            place = REFUSED
            limit = self._source.max_size
            _log.warning("a file is larger than %s name=%s/%s", limit, self._address, quoted(found.name))
        except Undeliverable:
            place = REFUSED  # Whoever runs the source has counted it.
        if self._source.taken == "keep":
            self._seen[quoted(found.name)] = found.mark
            await self._cursor.note({quoted(found.name): found.mark})
        elif self._source.taken == "delete" and place == DONE:
            await _in_thread(folder.delete, found)
        else:
            await _in_thread(folder.move, found, place)

    def _event(self, folder: Folder, found: Found) -> Event:
        name = quoted(found.name)
        data, content_type = b"", ""
        if self._source.body == "content":
            data, content_type = folder.read(found, self._source.size_bytes), mime_type(found.name)
        return Event(
            id=f"{name}/{found.mark}",
            source=self._address,
            type=TYPE,
            subject=found.name if found.name.isprintable() else name,
            content_type=content_type,
            data=data,
        )

    async def _forget(self, there: dict[str, Found]) -> None:
        self._left = {name: found for name, found in self._left.items() if name in there}
        if self._source.taken != "keep":
            return
        if len(there) == MAX_FILES:
            raise Lost(f"{self._address}: {MAX_FILES} files or more stay there, more than can be told apart")
        if gone := self._seen.keys() - {quoted(name) for name in there}:
            self._seen = {name: mark for name, mark in self._seen.items() if name not in gone}
            await self._cursor.note(dict.fromkeys(gone))


async def _in_thread(step: Callable[P, R], *args: P.args, **more: P.kwargs) -> R:
    """Run what blocks in a thread; whoever is cancelled waits for it, as it uses descriptors that are closed then."""
    running = asyncio.ensure_future(asyncio.to_thread(step, *args, **more))
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        await asyncio.wait((running,))
        raise
