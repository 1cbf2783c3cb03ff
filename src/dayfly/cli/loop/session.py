"""All functions that are being written, from the first deployment to Ctrl-C.

The stack file and what it reads are watched like the code: a function that comes to it is deployed, one that goes is
removed if it was not there before, one whose fields change is deployed anew.
"""

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from dayfly.cli.local_secrets import FOLDER
from dayfly.cli.loop.debugging import Adapter
from dayfly.cli.loop.function import Written
from dayfly.cli.loop.screen import Screen
from dayfly.cli.loop.watch import Looks, changes
from dayfly.cli.sources import Sources
from dayfly.client.asynchronous import AsyncClient
from dayfly.client.stack_function import StackFunction
from dayfly.client.walk import Fingerprint, fingerprint
from dayfly.model.errors import DayflyError, Unavailable

_FILES = ""
"""The name under which the stack file and its like are looked at; no function's."""
_LEAVE_S = 5.0


class Writing:
    """The functions and the tasks that serve them. `find` says which there are, now.

    A platform that does not `stay` is ours alone, and gets the functions' secrets from us too. Without
    `watches` what is saved later is not deployed; with `has_triggers` their triggers are kept in step as well.
    """

    def __init__(
        self,
        find: Callable[[], Sources],
        client: AsyncClient,
        screen: Screen,
        *,
        stays: bool,
        watches: bool = True,
        adapter: Adapter | None = None,
        has_triggers: bool = False,
    ) -> None:
        self._stays = stays
        self._watches = watches
        self._secrets = None if stays else Path(FOLDER)
        self._find = find
        self._client = client
        self._screen = screen
        self._adapter = adapter
        self._has_triggers = has_triggers
        self._sources = find()
        self._written: dict[str, Written] = {}
        self._tasks: dict[str, tuple[asyncio.Task[None], ...]] = {}
        self._broken: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def run(self) -> None:
        """Deploy everything and whatever is saved, until cancelled; then leave a platform that stays in order.

        Raises Unauthenticated, and what is a bug of ours.
        """
        known = self._look()
        try:
            for one in self._sources.functions:
                self._add(one)
            watching = asyncio.ensure_future(self._watch(known))
            try:
                await asyncio.wait((watching, self._broken), return_when=asyncio.FIRST_COMPLETED)
                (watching if watching.done() else self._broken).result()
            finally:
                watching.cancel()
        finally:
            await self._stop(list(self._written))
            if self._stays:
                await self._leave()

    async def _leave(self) -> None:
        try:
            async with asyncio.timeout(_LEAVE_S):
                await asyncio.gather(*(written.leave() for written in self._written.values()))
        except (TimeoutError, DayflyError) as error:
            why = str(error) or f"the platform did not answer within {_LEAVE_S:g}s"
            hint = "They still tell their callers tracebacks until they are deployed again with `dayfly deploy`."
            raise Unavailable(f"Not all functions could be left as `dayfly deploy` would: {why}", hint=hint) from error

    async def _watch(self, known: Looks) -> None:
        if not self._watches:
            await self._broken
        async for found in changes(self._look, known):
            if found.pop(_FILES, None) is not None:
                await self._reload()
            for key, change in found.items():
                if key in self._written:
                    self._written[key].saved(change)

    async def _reload(self) -> None:
        try:
            self._sources = self._find()
        except DayflyError as error:
            self._screen.lament("", error, "the functions stay as they were")
            return
        wanted = {str(one.spec.key): one for one in self._sources.functions}
        for key in [key for key in self._written if key not in wanted]:
            await self._drop(key)
        for key, one in wanted.items():
            if key not in self._written:
                self._add(one)
            elif one != self._written[key].one:
                self._written[key].one = one
                self._written[key].saved()

    async def _drop(self, key: str) -> None:
        """Write the function no longer: it is as it was before, or, where it was not there, gone."""
        await self._stop([key])
        written = self._written.pop(key)
        try:
            await (written.leave() if written.was_there else written.remove())
        except DayflyError as error:
            self._screen.lament(written.name, error)

    def _look(self) -> Looks:
        looks = {str(one.spec.key): self._fingerprint(one) for one in self._sources.functions}
        return {**looks, _FILES: tuple(_mark(path) for path in self._sources.files)}

    def _fingerprint(self, one: StackFunction) -> Fingerprint:
        """What tells that the function is to be deployed anew: its code, what is copied into it, its secrets."""
        copied = [mark for path, _ in one.copies for mark in (fingerprint(path) if path.is_dir() else (_mark(path),))]
        secrets = [_mark(self._secrets / name) for name in one.spec.secrets] if self._secrets is not None else []
        return (*fingerprint(one.folder), *copied, *secrets)

    def _add(self, one: StackFunction) -> None:
        key = str(one.spec.key)
        written = self._written[key] = Written(
            one, self._client, self._screen, self._adapter, self._secrets,
            is_final=not self._watches, has_triggers=self._has_triggers,
        )  # fmt: skip
        self._screen.expect([written.name])
        written.saved()
        self._tasks[key] = self._task(written.run()), self._task(written.follow())

    def _task(self, work: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        task = asyncio.ensure_future(work)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: "asyncio.Task[None]") -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None and not self._broken.done():
            self._broken.set_exception(error)

    async def _stop(self, keys: list[str]) -> None:
        tasks = [task for key in keys for task in self._tasks.pop(key, ())]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _mark(path: Path) -> tuple[str | int, ...]:
    try:
        found = path.stat()
    except OSError:
        return (str(path), "gone")
    return (str(path), found.st_ino, found.st_mtime_ns, found.st_size, found.st_mode)
