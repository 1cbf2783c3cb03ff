"""Noticing that something was saved, by looking at the inodes of all files again and again.

That works wherever a folder can be read: over a network, in a container's mount, with whatever way an editor writes.
A look costs microseconds a file, and its price decides how often it is taken, so that a large folder costs some
hundredths of a processor too. What is looked at is what would be packed, so that a save of anything else goes
unnoticed.

A change is told once two looks in a row have seen the same: an editor may be writing still, and a checkout changes many
files. After a second of unrest it is told all the same, for something may be writing there for ever.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

import msgspec

from dayfly.client.walk import Fingerprint

LOOK_S = 0.1
"""How often to look, in seconds."""
SETTLE_S = 0.02
"""How soon to look again after a change was seen."""
LONGEST_UNREST_S = 1.0
_SHARE = 0.05
"""How much of a processor looking may take."""

Looks = Mapping[str, Fingerprint]


class Change(msgspec.Struct, frozen=True):
    """What was saved since the last change was told."""

    files: tuple[str, ...]
    """Relative to the folder."""
    saved_unix_s: float
    """When the newest of them was saved; 0 where that cannot be told."""


async def changes(
    look: Callable[[], Looks],
    known: Looks,
    *,
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    now: Callable[[], float] = time.monotonic,
) -> AsyncIterator[dict[str, Change]]:
    """Yield what changed, by the names that `look` gives, whenever something has; `known` is what was there before.

    `look` is called on a thread.
    """
    pause_s = LOOK_S
    while True:
        await sleep(pause_s)
        began = now()
        seen = await asyncio.to_thread(look)
        pause_s = max(LOOK_S, (now() - began) / _SHARE)
        if seen == known:
            continue
        unrest_s = 0.0
        while unrest_s < LONGEST_UNREST_S:
            await sleep(SETTLE_S)
            unrest_s += SETTLE_S
            before, seen = seen, await asyncio.to_thread(look)
            if seen == before:
                break
        found = {name: _change(known.get(name, ()), seen[name]) for name in seen if seen[name] != known.get(name)}
        known = seen
        if found:
            yield found


def _change(before: Fingerprint, after: Fingerprint) -> Change:
    changed = set(before) ^ set(after)
    files = sorted({str(mark[0]) for mark in changed})
    # name, inode, time, size, mode: of files only
    times = [mark[2] for mark in set(after) - set(before) if len(mark) > 2 and isinstance(mark[2], int)]
    return Change(tuple(files), max(times) / 1e9 if times else 0.0)
