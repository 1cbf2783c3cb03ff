"""Routes, triggers, flows and tenants that somebody writes with kubectl: taken over as they come, and told of.

The watch tells only that there is something to look at. What counts is read anew, in turn with what comes over HTTP, so
that neither can undo the other. What may not be so is told in the object's status and left out until it, or what stood
against it, is another.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from contextlib import aclosing
from typing import Generic, Protocol, TypeVar

from dayfly.cluster.connection import Connection
from dayfly.cluster.kinds import Kind, Object, name_of, namespace_of
from dayfly.cluster.watch import Event, follow_each
from dayfly.model.errors import DayflyError, StoreUnavailable
from dayfly.model.names import NamespaceName
from dayfly.server.cluster.telling import Key
from dayfly.server.cluster.witness import Witness
from dayfly.storage.kubernetes.named import Looked
from dayfly.storage.kubernetes.patience import patiently
from dayfly.storage.kubernetes.seen import OwnWrites

AGAIN_S = 3.0
"""How often what was refused is looked at again: what stood against it may be gone."""
Thing = TypeVar("Thing")
Read = Callable[[], Awaitable[Thing | None]]


class Objects(Protocol[Thing]):
    """The objects of one kind; `Named` is one such."""

    own: OwnWrites

    async def look(self, namespace: str, name: str) -> Looked[Thing] | None:
        """Return what is there now; None where there is no such object. Raises StoreUnavailable."""

    async def judged(self, looked: Looked[Thing], error: DayflyError | None) -> None:
        """Tell of what was looked at that it is taken over, or why it is not. Raises StoreUnavailable."""


class Following(Generic[Thing]):
    """Keeps one kind in step with its objects.

    `follow` takes over what a name stands for now, or refuses it; `known` tells of what is taken over at the start;
    `opened` has a namespace be there before anything is put into it; `forget` hears of a name that stands for another
    object than it did, of which nothing was told yet.
    """

    def __init__(
        self,
        api: Connection,
        kind: Kind,
        objects: Objects[Thing],
        follow: Callable[[Key, Read[Thing]], Awaitable[None]],
        known: Callable[[], Iterable[Key]],
        opened: Callable[[NamespaceName], Awaitable[None]],
        witness: Witness,
        forget: Callable[[Key], None] = lambda _key: None,
    ) -> None:
        self._api = api
        self._kind = kind
        self._objects = objects
        self._follow = follow
        self._known = known
        self._opened = opened
        self._witness = witness
        self._forget = forget
        self._generations: dict[Key, tuple[str, int]] = {}
        """Of each object that is there: which it is, and its newest state that was looked at."""
        self._refused: set[Key] = set()

    async def run(self) -> None:
        """Follow until cancelled."""
        await patiently(f"what was seen of {self._kind.plural}", self._witness.open)
        again = asyncio.create_task(self._try_again())
        try:
            async with aclosing(follow_each(self._api, self._kind, self._api.namespaces or ("",))) as events:
                async for event in events:
                    await self._hear(event)
        finally:
            again.cancel()
            await asyncio.gather(again, return_exceptions=True)

    async def _hear(self, event: Event) -> None:
        if event.type == "synced":
            went = await patiently(
                f"what was seen of {self._kind.plural}", lambda: self._witness.began(self._generations)
            )
            for key in sorted({*self._known(), *went} - self._generations.keys()):
                await self._settle(key)  # it went while nobody looked
            return
        key, version = _key(event.object), _version(event.object)
        before = self._generations.get(key)
        if event.type == "gone":
            self._generations.pop(key, None)
        elif before == version:
            return
        else:
            self._generations[key] = version
            if before is None or before[0] != version[0]:
                self._forget(key)
        await self._settle(key)
        for other in sorted(self._refused - {key}):
            await self._settle(other)

    async def _try_again(self) -> None:
        while True:
            await asyncio.sleep(AGAIN_S)
            for key in sorted(self._refused):
                await self._settle(key)

    async def _settle(self, key: Key) -> None:
        """Look at what the name stands for until it is taken over or refused."""
        await patiently(f"the {self._kind.name.lower()} {key[1]} of {key[0]}", lambda: self._look(key))

    async def _look(self, key: Key) -> None:
        found: Looked[Thing] | None = None
        refusal: DayflyError | None = None
        was_read = False

        async def read() -> Thing | None:
            nonlocal found, was_read
            found = await self._objects.look(*key)
            await self._witness.note(key, found.object if found is not None else None)
            was_read = True
            if found is not None and found.error is not None:
                raise found.error
            return found.thing if found is not None else None

        try:
            if key in self._generations:
                await self._opened(key[0])
            await self._follow(key, read)
        except StoreUnavailable:
            raise
        except DayflyError as error:
            refusal = error
        (self._refused.add if refusal is not None else self._refused.discard)(key)
        if found is not None:
            await self._objects.judged(found, refusal)
        if was_read:
            await self._witness.took(key, found.object if found is not None else None, refusal)


def _key(obj: Object) -> Key:
    return NamespaceName(namespace_of(obj)), name_of(obj)


def _version(obj: Object) -> tuple[str, int]:
    return obj["metadata"]["uid"], obj["metadata"]["generation"]
