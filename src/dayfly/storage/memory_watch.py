"""What watches, in memory: the port's executable specification."""

from collections.abc import Callable, Mapping

from dayfly.model.errors import StoreUnavailable
from dayfly.storage.watch import WatchKey, WatchKind, WatchStore


class MemoryWatch(WatchStore):
    """Everything in a dictionary. `broken` tells, with a text, that every call is to fail, for tests."""

    def __init__(self, broken: Callable[[], str] = str) -> None:
        self._broken = broken
        self._texts: dict[tuple[WatchKind, WatchKey], str] = {}

    async def kept(self, kind: WatchKind) -> dict[WatchKey, str]:
        """Return every text of a kind, ordered by namespace and name."""
        self._check()
        return {key: text for (of, key), text in sorted(self._texts.items()) if of == kind}

    async def keep(self, kind: WatchKind, texts: Mapping[WatchKey, str | None]) -> None:
        """Keep these texts beside the others, and take away those that are None."""
        self._check()
        for key, text in texts.items():
            if text is None:
                self._texts.pop((kind, key), None)
            else:
                self._texts[kind, key] = text

    def _check(self) -> None:
        if text := self._broken():
            raise StoreUnavailable(text)
