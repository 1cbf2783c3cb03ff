"""Telling in objects what is true of them: at once what matters, and every so often what may be another each second."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Generic, TypeVar

from dayfly.model.errors import DayflyError
from dayfly.model.names import NamespaceName

TELL_S = 1.0
"""How often it is looked whether objects still say what is true."""
DETAILS = 15
"""In each how many of these rounds the words of what is wrong are told anew."""
_log = logging.getLogger("dayfly.server")
Key = tuple[NamespaceName, str]
News = TypeVar("News")


class Telling(Generic[News]):
    """Keeps one kind's objects true to what `look` finds; when its `gist` is another that is told at once, else each
    `details` rounds. `what` says in the log what could not be told.
    """

    def __init__(
        self,
        tell: Callable[[Key, News], Awaitable[None]],
        look: Callable[[], Mapping[Key, News]],
        gist: Callable[[News], object],
        *,
        details: int,
        what: str,
    ) -> None:
        self._tell = tell
        self._look = look
        self._gist = gist
        self._details = details
        self._what = what
        self._said: dict[Key, News] = {}
        self._round = 0

    async def run(self) -> None:
        """Tell until cancelled."""
        while True:
            await asyncio.sleep(TELL_S)
            self._round += 1
            try:
                await self._tell_all()
            except DayflyError as error:
                _log.warning("%s cannot be told: %s", self._what, error)

    def forget(self, key: Key) -> None:
        """Nothing was told of what the name stands for now."""
        self._said.pop(key, None)

    async def _tell_all(self) -> None:
        now = self._look()
        self._said = {key: said for key, said in self._said.items() if key in now}
        for key, news in now.items():
            if key in self._said:
                said = self._said[key]
                if self._gist(said) == self._gist(news) and (said == news or self._round % self._details):
                    continue
            self._said[key] = news  # before it is told: what is forgotten meanwhile stays forgotten
            try:
                await self._tell(key, news)
            except BaseException:
                self.forget(key)
                raise


def telling_troubles(
    tell: Callable[[str, str, str], Awaitable[None]], troubles: Callable[[], Mapping[Key, str]]
) -> Telling[str]:
    """Return what keeps `Ready` of one kind's objects true; `troubles` tells what is wrong with each, empty if nothing.

    That something works, or does so no more, is told at once.
    """
    return Telling(
        lambda key, trouble: tell(*key, trouble), troubles, bool, details=DETAILS,
        what="what is true of routes, triggers and flows",
    )  # fmt: skip
