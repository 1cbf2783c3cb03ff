"""What others write: changes of a Function's spec by kubectl or a GitOps controller, as wishes to be carried out.

A spec that differs from the one that was deployed last, in a generation that was not looked at yet, is a wish for a
deployment; other replicas alone (`kubectl scale`) are one for that many. Whoever carries a wish out says so with
`settled` or `refused`, and it does not come again. A wish that was read but not settled comes again after a restart.
"""

import functools
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

import msgspec

from dayfly.cluster.connection import Connection
from dayfly.cluster.kinds import FUNCTION, Object
from dayfly.cluster.records import MAX_SOURCE_BYTES, Archive, Condition, FunctionStatus, FunctionWish
from dayfly.cluster.refusals import Changed
from dayfly.cluster.stamp import stamp
from dayfly.cluster.watch import Event, follow_each
from dayfly.model.errors import DayflyError, InvalidSpec, NotFound, StoreUnavailable
from dayfly.model.function import FunctionSpec
from dayfly.model.names import FunctionKey, FunctionName
from dayfly.model.rollout import Canary
from dayfly.model.scaling import MAX_REPLICAS
from dayfly.storage.kubernetes import function_objects as objects
from dayfly.storage.kubernetes.conditions import READY, merged, reason_of
from dayfly.storage.kubernetes.patience import patiently
from dayfly.storage.kubernetes.seen import Key, SeenObjects, author_of, key_of
from dayfly.storage.kubernetes.shelf import ATTEMPTS, overtaken

PROGRESSING = "Progressing"
_WISH = tuple(FunctionWish.__struct_fields__)


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody wants of a function."""

    key: FunctionKey
    generation: int
    digest: str
    """Of the spec that it was read from, for `settled`."""
    spec: FunctionSpec | None = None
    """The deployment; None when nothing but the replicas is to change, or the function is to go."""
    source: dict[str, str] = {}
    """The code's files, where they are in the object."""
    archive: Archive | None = None
    """Where the code is to be fetched, where it is neither in the object nor in the spec as a bundle or an image."""
    canary: Canary | None = None
    replicas: int | None = None
    """Replicas set by hand; None leaves them to the scaler."""
    is_gone: bool = False
    """Whether the object was deleted: everything that was made for the function is to go."""
    was_missed: bool = False
    """Whether it was deleted while no control plane worked."""
    author: str = ""
    """Which program wrote the object, and when, as the object has it."""


class Wishes:
    """The Functions of all namespaces that the connection may look into; `seen` knows which there were."""

    def __init__(self, connection: Connection, seen: SeenObjects | None = None) -> None:
        self._api = connection
        self._seen = seen
        self._told: dict[str, int] = {}
        """The generation that was last told of, by uid."""
        self._there: set[Key] = set()

    async def follow(self) -> AsyncGenerator[Wish, None]:
        """Yield wishes as they are found, each once, for ever; a spec that is none is refused here, in its status."""
        async with aclosing(follow_each(self._api, FUNCTION, self._api.namespaces or ("",))) as events:
            if self._seen is not None:
                await patiently("what was seen of functions", self._seen.open)
            async for event in events:
                if event.type == "synced":
                    for key in await patiently("what was seen of functions", self._went):
                        yield Wish(key=key, generation=0, digest="", is_gone=True, was_missed=True)
                    continue
                wish = await patiently("a wish for a function", functools.partial(self._read, event))
                if wish is not None:
                    yield wish

    async def forget(self, key: FunctionKey) -> None:
        """Note that the function went, and everything with it. Raises StoreUnavailable."""
        if self._seen is not None:
            await self._seen.put((key.namespace, str(key.name)), None)

    async def settled(self, wish: Wish) -> None:
        """Note that the wish was carried out. Raises StoreUnavailable."""
        news = Condition(type=PROGRESSING, status="True", reason="Deployed", message="the spec was taken over")
        await self._note(wish, wish.digest, news)

    async def refused(self, wish: Wish, error: DayflyError) -> None:
        """Note that the wish cannot be carried out, and why; what was deployed before goes on."""
        hint = f" ({error.hint})" if error.hint else ""
        message = f"{error}{hint}"
        news = Condition(type=PROGRESSING, status="False", reason=reason_of(error), message=message)
        ready = Condition(type=READY, status="False", reason=news.reason, message=news.message)
        await self._note(wish, None, news, ready)

    async def delayed(self, wish: Wish, error: DayflyError) -> None:
        """Note why the wish is not carried out yet; it comes again after a restart. Raises StoreUnavailable."""
        news = Condition(
            type=PROGRESSING, status="False", reason=reason_of(error), message=f"{error}; it is tried again"
        )
        told = msgspec.structs.replace(news, observed_generation=wish.generation)
        await self._change(
            wish.key,
            lambda status: msgspec.structs.replace(status, conditions=merged(status.conditions, (told,), stamp())),
        )

    async def told(
        self, key: FunctionKey, *, ready: Condition, replicas: int, ready_replicas: int, selector: str, url: str
    ) -> None:
        """Keep what is known of a function's replicas where kubectl and the scale subresource look for it."""
        known = {"replicas": replicas, "ready_replicas": ready_replicas, "selector": selector, "url": url}

        def changed(status: FunctionStatus) -> FunctionStatus:
            news = msgspec.structs.replace(ready, observed_generation=status.observed_generation)
            conditions = merged(status.conditions, (news,), stamp())
            return msgspec.structs.replace(status, conditions=conditions, **known)

        await self._change(key, changed)

    async def _note(self, wish: Wish, digest: str | None, *news: Condition) -> None:
        told = tuple(msgspec.structs.replace(each, observed_generation=wish.generation) for each in news)

        def changed(status: FunctionStatus) -> FunctionStatus:
            fitting = tuple(each for each in told if each.type != READY or not status.revision)
            conditions = merged(status.conditions, fitting, stamp())
            return msgspec.structs.replace(
                status, observed_generation=max(status.observed_generation, wish.generation), conditions=conditions,
                observed_spec=status.observed_spec if digest is None else digest,
            )  # fmt: skip

        await self._change(wish.key, changed)

    async def _change(self, key: FunctionKey, decide: Callable[[FunctionStatus], FunctionStatus]) -> None:
        for _ in range(ATTEMPTS):
            try:
                obj = await self._api.get(FUNCTION, key.name, key.namespace)
                before = objects.status_of(obj)
                after = decide(before)
                if after != before:
                    await self._api.replace(FUNCTION, objects.with_status(obj, after), sub="status")
            except Changed:
                continue
            except NotFound:
                return  # nobody is left to be told
            return
        raise overtaken(f"the status of the function {key}")

    async def _read(self, event: Event) -> Wish | None:
        obj = event.object
        key, generation = objects.key_of(obj), obj["metadata"]["generation"]
        if event.type == "gone":
            self._told.pop(obj["metadata"]["uid"], None)
            self._there.discard(key_of(obj))
            return Wish(key=key, generation=generation, digest="", is_gone=True)
        status, uid = objects.status_of(obj), obj["metadata"]["uid"]
        await self._see(obj)
        is_known = max(status.observed_generation, self._told.get(uid, 0)) >= generation
        if is_known or objects.is_leftover(obj):
            return None
        digest = objects.digest_of(obj["spec"])
        bare = Wish(key=key, generation=generation, digest=digest, author=author_of(obj))
        wish = await self._wish(obj, status, bare)
        self._told[uid] = generation
        return wish

    async def _wish(self, obj: Object, status: FunctionStatus, bare: Wish) -> Wish | None:
        digest = bare.digest
        try:
            wish = msgspec.convert({name: obj["spec"][name] for name in _WISH if name in obj["spec"]}, FunctionWish)
            if status.revision and digest == status.observed_spec:
                if wish.replicas == status.wanted_replicas:
                    await self.settled(bare)
                    return None
                return msgspec.structs.replace(bare, replicas=_checked(wish.replicas))
            return msgspec.structs.replace(
                bare, spec=_deployment(obj, wish), source=wish.source, archive=wish.archive, canary=wish.canary,
                replicas=_checked(wish.replicas),
            )  # fmt: skip
        except StoreUnavailable:
            raise
        except DayflyError as error:
            await self.refused(bare, error)
        except msgspec.ValidationError as error:
            await self.refused(bare, InvalidSpec(f"spec: {error}"))
        return None

    async def _see(self, obj: Object) -> None:
        """Keep that there is such a function; its states are in its status."""
        self._there.add(key_of(obj))
        if self._seen is None:
            return
        known = self._seen.get(key_of(obj))
        if known is None or known.uid != obj["metadata"]["uid"]:
            await self._seen.put(key_of(obj), obj)

    async def _went(self) -> list[FunctionKey]:
        """Return the functions that were there and are not any more."""
        if self._seen is None:
            return []
        await self._seen.begin()
        gone: list[FunctionKey] = []
        for namespace, name in sorted(self._seen.keys() - self._there):
            try:
                await self._api.get(FUNCTION, name, namespace)
            except NotFound:
                gone.append(FunctionKey(namespace, FunctionName(name)))
        return gone


def _deployment(obj: Object, wish: FunctionWish) -> FunctionSpec:
    """Return the deployment that a spec asks for. Raises InvalidSpec, ValidationError."""
    own = {name: value for name, value in obj["spec"].items() if name not in _WISH}
    given = [name for name, code in (("source", wish.source), ("archive", wish.archive), ("bundle", own.get("bundle")))
             if code]  # fmt: skip
    if len(given) > 1 or not (given or own.get("image")):
        raise InvalidSpec("spec: give the code once: as image, source, archive or bundle")
    if not given and "runtime" not in own:
        own["runtime"] = "image"
    if sum(len(text.encode()) for text in wish.source.values()) > MAX_SOURCE_BYTES:
        raise InvalidSpec(f"spec.source: is larger than the {MAX_SOURCE_BYTES} bytes it may have; use spec.archive")
    for path in wish.source:
        if not path.isprintable() or path.startswith("/") or {"", ".", ".."} & {*path.split("/")} or "\\" in path:
            raise InvalidSpec(f"spec.source: {path[:100]!r} is not a path within the code")
    spec = objects.spec_of({**obj, "spec": own})
    spec.check()
    if wish.canary is not None:
        wish.canary.check()
    return spec


def _checked(replicas: int | None) -> int | None:
    if replicas is not None and not 0 <= replicas <= MAX_REPLICAS:
        raise InvalidSpec(f"spec.replicas: {replicas} must be from 0 to {MAX_REPLICAS}")
    return replicas
