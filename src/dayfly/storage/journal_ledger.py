"""The ledger in a journal that outlives the control plane: a board for each day, under `day.NUMBER`.

Each addition writes the newest board anew, with all that it had and with every mark: growth and marks are kept both or
not at all. A board that may or may not have been kept is written as it was before anything else is. Growth of a day
before is put on the newest board, too; an hour's figures are what all boards say of it together. A board that cannot be
read counts as empty.
"""

import asyncio
import logging
import zlib
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import msgspec

from dayfly.model.allowance import Used
from dayfly.model.errors import StoreUnavailable
from dayfly.model.names import FunctionKey, FunctionName, NamespaceName
from dayfly.storage.journal import Journal, write_restored
from dayfly.storage.ledger import KEPT_DAYS_HOURS, KEPT_HOURS, Growth, Ledger

LAYOUT = 1
_AT_A_TIME = 32
_log = logging.getLogger("dayfly.storage")
Hours = dict[tuple[FunctionKey, int], Used]


class _Board(NamedTuple):
    hours: Hours
    marks: dict[str, int]


_EMPTY = _Board({}, {})


class _Written(msgspec.Struct, frozen=True):
    rows: Sequence[tuple[str, str, int, int, float, float]]
    """Namespace, name, hour, calls, seconds of a processor, GiB times seconds."""
    marks: dict[str, int]


class JournalLedger(Ledger):
    """The ledger in a journal."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._days: set[int] | None = None
        self._newest = _EMPTY
        """The board of the last of the days; nobody but us writes it."""
        self._in_doubt: int | None = None
        """The board of which nobody knows whether it was kept."""
        self._turn = asyncio.Lock()

    async def open(self) -> None:
        """Take it over. Raises StoreUnavailable."""
        await self._journal.take_over(LAYOUT)
        days = {int(name.rpartition(".")[2]) for name in await self._journal.heads("day.*")}
        self._newest = await self._board(max(days)) if days else _EMPTY
        self._days = days

    async def close(self) -> None:
        """Nothing is to be done: the journal is somebody else's."""

    async def add(self, growth: Iterable[Growth], marks: Mapping[str, int]) -> None:
        """Add to what is known."""
        async with self._turn:
            days, grown = self._opened(), list(growth)
            await self._settle()
            day = max((*days, *(each.hour // 24 for each in grown)), default=0)
            hours = dict(self._newest.hours) if day in days else {}
            for each in grown:
                _count(hours, each.key, each.hour, each.used)
            await self._write(day, _Board(hours, {**self._newest.marks, **marks}))

    async def marks(self) -> dict[str, int]:
        """Return how far calls were counted."""
        self._opened()
        return dict(self._newest.marks)

    async def used(
        self, since_hour: int, until_hour: int, namespace: NamespaceName | None = None
    ) -> dict[FunctionKey, Used]:
        """Return what each function used."""
        found: dict[FunctionKey, Used] = {}
        for board in (await self._boards(since_hour // 24)).values():
            for (key, hour), used in board.hours.items():
                if since_hour <= hour < until_hour and namespace in (None, key.namespace):
                    found[key] = found.get(key, Used()).plus(used)
        return found

    async def forget(self, namespace: NamespaceName) -> None:
        """Let go of the namespace's."""
        async with self._turn:
            for day, board in (await self._boards()).items():
                hours = {at: used for at, used in board.hours.items() if at[0].namespace != namespace}
                marks = {name: mark for name, mark in board.marks.items() if name.rpartition(".")[2] != namespace}
                if (hours, marks) != (board.hours, board.marks):
                    await self._write(day, _Board(hours, marks))

    async def tidy(self, now_hour: int) -> None:
        """Make days of old hours, and let go of what is too old."""
        async with self._turn:
            days = self._opened()
            for day, board in (await self._boards()).items():
                hours: Hours = {}
                for (key, hour), used in board.hours.items():
                    if hour >= now_hour - KEPT_DAYS_HOURS:
                        _count(hours, key, hour if hour >= now_hour - KEPT_HOURS else hour // 24 * 24, used)
                if not hours and day != max(days):
                    await self._journal.drop(f"day.{day}")
                    days.discard(day)
                elif hours != board.hours:
                    await self._write(day, _Board(hours, board.marks))

    def _opened(self) -> set[int]:
        if self._days is None:
            raise StoreUnavailable("the ledger is not open")
        return self._days

    async def _write(self, day: int, board: _Board) -> None:
        self._in_doubt = day
        await write_restored(self._journal, self._restore, f"day.{day}", b"", _packed(board))
        self._in_doubt = None
        days = self._opened()
        days.add(day)
        if day == max(days):
            self._newest = board

    async def _restore(self) -> None:
        """Write anew what is known: the queue's servers came back without their disks."""
        days = self._opened()
        await self._journal.take_over(LAYOUT)
        if days:
            newest = max(days)
            await self._journal.write_as_owner(f"day.{newest}", b"", _packed(self._newest))
            days.intersection_update({newest})
        _log.error("the queue's servers lost what functions used; of the last day it was written anew")

    async def _settle(self) -> None:
        """Undo an addition that may have been kept: whoever made it heard that it was not, and makes it again."""
        days, day = self._opened(), self._in_doubt
        if day is None:
            return
        if day not in days:
            await self._journal.settle()
            await self._journal.drop(f"day.{day}")
        elif day == max(days):
            await self._write(day, self._newest)
        self._in_doubt = None

    async def _boards(self, since_day: int = 0) -> dict[int, _Board]:
        """Return the boards of these days, the oldest first; no board has anything of a later day than its own."""
        days, newest = sorted(self._opened()), self._newest
        room = asyncio.Semaphore(_AT_A_TIME)

        async def one(day: int) -> _Board:
            async with room:
                return newest if day == days[-1] else await self._board(day)

        wanted = [day for day in days if day >= since_day]
        return dict(zip(wanted, await asyncio.gather(*map(one, wanted)), strict=True))

    async def _board(self, day: int) -> _Board:
        note = await self._journal.last(f"day.{day}")
        if note is None:
            return _EMPTY
        try:
            written = msgspec.msgpack.decode(zlib.decompress(note.body), type=_Written)
        except (zlib.error, msgspec.MsgspecError) as error:
            _log.error(
                "what functions used on a day cannot be read, and counts as nothing day=%s reason=%s", day, error
            )
            return _EMPTY
        hours: Hours = {}
        for namespace, name, hour, calls, cpu_s, gib_s in written.rows:
            key = FunctionKey(NamespaceName(namespace), FunctionName(name))
            _count(hours, key, hour, Used(calls=calls, cpu_seconds=cpu_s, gib_seconds=gib_s))
        return _Board(hours, written.marks)


def _packed(board: _Board) -> bytes:
    rows = [
        (key.namespace, key.name, hour, used.calls, used.cpu_seconds, used.gib_seconds)
        for (key, hour), used in board.hours.items()
    ]
    return zlib.compress(msgspec.msgpack.encode(_Written(rows, board.marks)), 1)


def _count(hours: Hours, key: FunctionKey, hour: int, used: Used) -> None:
    hours[key, hour] = hours.get((key, hour), Used()).plus(used)
