"""The state store in a cluster: a Function object for each function, and a Revision object for each of its revisions.

A write makes first what only it will refer to (the Function's bare object, Revisions), and then, guarded by the version
that it read, the Function's status: with that one write it is true. Then the spec is made to say the same, unless
somebody has changed it meanwhile, which is a wish that comes next. A write that is broken off leaves objects that
nothing refers to; `collect` removes them once they have lain about for longer than a write can take.
"""

import asyncio
import secrets
import string
from collections import defaultdict
from collections.abc import Collection, Mapping

import msgspec

from dayfly.cluster.connection import Connection
from dayfly.cluster.kinds import FUNCTION, REVISION, Object, name_of, namespace_of
from dayfly.cluster.records import RevisionStatus
from dayfly.cluster.refusals import AlreadyThere, Changed
from dayfly.model.errors import NotFound, StoreUnavailable
from dayfly.model.function import Function, Revision
from dayfly.model.names import BundleDigest, FunctionKey, NamespaceName
from dayfly.storage.kubernetes import function_objects as objects
from dayfly.storage.kubernetes.shelf import ATTEMPTS, Shelf, overtaken
from dayfly.storage.port import StateStore

LEFTOVER_S = 600.0
"""How long what nothing refers to must have been seen before it is removed: no write takes so long."""
_CACHED = 4096


class KubernetesStore(StateStore):
    """Desired state in a cluster; `home` is Dayfly's own namespace. The connection is closed by whoever opened it."""

    def __init__(self, connection: Connection, home: str) -> None:
        self._api = connection
        self._totals = Shelf(connection, home, "totals", boards=16)
        self._writing: defaultdict[FunctionKey, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._known: dict[tuple[str, str], Revision] = {}
        """Revisions by their function's uid and their object's name: they never change."""
        self._loose: dict[str, float] = {}
        """When objects that nothing refers to were first seen, by uid."""

    async def open(self) -> None:
        """Check that the cluster knows our kinds. Raises StoreUnavailable."""
        try:
            await self._api.list(FUNCTION, fields="metadata.name=dayfly")
        except NotFound as error:
            raise StoreUnavailable(
                f"the cluster {self._api.server} does not know Dayfly's resources", hint="run dayfly install"
            ) from error

    async def close(self) -> None:
        """Do nothing: every write that returned is in the cluster."""

    async def all(self) -> list[Function]:
        """Return every function of every namespace, ordered by key."""
        return await self._functions("")

    async def in_namespace(self, namespace: NamespaceName) -> list[Function]:
        """Return the namespace's functions ordered by name."""
        return await self._functions(namespace)

    async def get(self, key: FunctionKey) -> Function:
        """Return the function. Raises NotFound."""
        for _ in range(ATTEMPTS):
            obj = await self._object(key)
            revisions = {name: await self._revision(obj, name) for name in objects.needed(objects.status_of(obj))}
            there = {name: each for name, each in revisions.items() if each is not None}
            if (function := objects.function_of(obj, there)) is not None:
                return function
        raise StoreUnavailable(
            f"the function {key.name} of the namespace {key.namespace} has lost a revision",
            hint="a Revision object was deleted by hand; deploy the function anew, or restore the object from a backup",
        )

    async def put(self, function: Function) -> None:
        """Create or replace the function; its revision and its candidate's join the history when they are new."""
        async with self._writing[function.key]:
            for _ in range(ATTEMPTS):
                try:
                    await self._put(function)
                except (Changed, AlreadyThere):
                    continue
                return
        raise overtaken(f"the function {function.key}")

    async def delete(self, key: FunctionKey) -> None:
        """Remove the function and, by the cluster's own collection, its revisions. Raises NotFound."""
        async with self._writing[key]:
            obj = await self._object(key)
            try:
                await self._api.delete(FUNCTION, key.name, key.namespace, uid=obj["metadata"]["uid"])
            except (NotFound, Changed) as error:
                raise _missing(key) from error

    async def revisions(self, key: FunctionKey) -> list[Revision]:
        """Return the function's revisions, newest first. Raises NotFound."""
        obj = await self._object(key)
        kept = objects.status_of(obj).revisions
        found = (await self._listed(key.namespace, f"{objects.FUNCTION_LABEL}={key.name}"))[key.namespace]
        there = [found[name] for name in kept.values() if name in found]
        return sorted(there, key=lambda revision: -revision.number)

    async def served(self, key: FunctionKey) -> set[int]:
        """Return the numbers of the revisions kept that were ever the one that serves. Raises NotFound."""
        return set(objects.status_of(await self._object(key)).served)

    async def bundles(self) -> set[BundleDigest]:
        """Return the bundles of all revisions kept."""
        kept = _kept((await self._api.list(FUNCTION)).items)
        found = await self._listed("")
        specs = [each.spec for space, ours in found.items() for name, each in ours.items() if (space, name) in kept]
        return {BundleDigest(spec.bundle) for spec in specs if spec.bundle}

    async def pin(self, key: FunctionKey, number: int, image: str) -> None:
        """Keep what the revision's image was found to be."""
        if name := await self._name_of_revision(key, number):
            try:
                patch = {"status": {"image": image}}
                await self._api.patch(REVISION, name, patch, key.namespace, sub="status")
            except NotFound:
                return  # it went meanwhile

    async def pinned(self, key: FunctionKey, number: int) -> str:
        """Return what was last kept; empty when nothing was."""
        try:
            if name := await self._name_of_revision(key, number):
                obj = await self._api.get(REVISION, name, key.namespace)
                return msgspec.convert(obj.get("status") or {}, RevisionStatus).image
        except NotFound:
            return ""
        return ""

    async def totals(self) -> dict[str, int]:
        """Return what was last kept."""
        return {name: int(text) for name, text in (await self._totals.all()).items()}

    async def save_totals(self, totals: Mapping[str, int], gone: Collection[str] = ()) -> None:
        """Keep these totals beside the others and forget those `gone`."""
        texts: dict[str, str | None] = {name: str(count) for name, count in totals.items()}
        await self._totals.put(texts | dict.fromkeys(gone))

    async def collect(self, now: float) -> int:
        """Remove what writes that were broken off have left, of what was there LEFTOVER_S ago; return how much.

        `now` is in seconds of a clock that never goes back. Call it from time to time, by one at a time.
        """
        functions = (await self._api.list(FUNCTION)).items
        kept = _kept(functions)
        loose = [(FUNCTION, each) for each in functions if objects.is_leftover(each)]
        revisions = (await self._api.list(REVISION)).items
        loose += [(REVISION, each) for each in revisions if (namespace_of(each), name_of(each)) not in kept]
        seen = {each["metadata"]["uid"]: self._loose.get(each["metadata"]["uid"], now) for _, each in loose}
        self._loose = seen
        removed = 0
        for kind, each in loose:
            if now - seen[each["metadata"]["uid"]] >= LEFTOVER_S:
                guards = {"uid": each["metadata"]["uid"], "version": each["metadata"]["resourceVersion"]}
                try:
                    await self._api.delete(kind, name_of(each), namespace_of(each), **guards)
                    removed += 1
                except (NotFound, Changed):
                    continue  # somebody needs it after all, or has removed it
        return removed

    async def _put(self, function: Function) -> None:
        key = function.key
        try:
            obj = await self._api.get(FUNCTION, key.name, key.namespace)
        except NotFound:
            try:
                obj = await self._api.create(FUNCTION, objects.new_object(function))
            except NotFound as error:
                raise NotFound(
                    f"the cluster has no namespace {key.namespace}", hint=f"dayfly namespace create {key.namespace}"
                ) from error
        try:
            await self._commit(obj, function)
        except NotFound as error:
            raise Changed(f"the function {key} was removed by somebody else") from error

    async def _commit(self, obj: Object, function: Function) -> None:
        """Make the function true by its object, as it was read. Raises Changed, NotFound."""
        key = function.key
        status = objects.status_of(obj)
        is_wish = status.observed_generation != obj["metadata"]["generation"] and (
            objects.digest_of(obj["spec"]) not in (status.observed_spec, objects.digest_of(objects.mirrored(function)))
        )
        names = dict(status.revisions)
        fresh = [each for each in (function.revision, function.newest) if str(each.number) not in names]
        for revision in {each.number: each for each in fresh}.values():
            names[str(revision.number)] = await self._keep(obj, revision)
        is_newest = not is_wish and function.newest in fresh
        mirror = objects.mirrored(function) if is_newest else objects.with_replicas(obj["spec"], function.replicas)
        if is_wish:
            mirror = obj["spec"]
        after = objects.changed_status(status, function, names)
        if is_newest:
            after = msgspec.structs.replace(after, observed_spec=objects.digest_of(mirror))
        if mirror == obj["spec"] and not is_wish:
            after = msgspec.structs.replace(after, observed_generation=obj["metadata"]["generation"])
        if after != status:
            obj = await self._api.replace(FUNCTION, objects.with_status(obj, after), sub="status")
        await self._prune(key.namespace, names, after.revisions)
        if mirror != obj["spec"]:
            await self._mirror(obj, mirror)

    async def _keep(self, owner: Object, revision: Revision) -> str:
        """Make the revision's object and return its name.

        A name that is taken is that of a write that was broken off, or of one that goes on elsewhere: nobody knows
        which, so it is left alone.
        """
        name = f"{name_of(owner)}-{revision.number}"
        while True:
            try:
                await self._api.create(REVISION, objects.revision_object(owner, revision, name))
            except AlreadyThere:
                letters = "".join(secrets.choice(string.ascii_lowercase) for _ in range(5))
                name = f"{name_of(owner)}-{revision.number}-{letters}"
            else:
                return name

    async def _prune(self, namespace: str, before: Mapping[str, str], kept: Mapping[str, str]) -> None:
        for number in before.keys() - kept.keys():
            try:
                await self._api.delete(REVISION, before[number], namespace)
            except NotFound:
                continue

    async def _mirror(self, obj: Object, spec: Object) -> None:
        """Have the spec say what is true; one that somebody has changed meanwhile is left as it is."""
        try:
            obj = await self._api.replace(FUNCTION, {**obj, "spec": spec})
            status = objects.status_of(obj)
            seen = msgspec.structs.replace(status, observed_generation=obj["metadata"]["generation"])
            await self._api.replace(FUNCTION, objects.with_status(obj, seen), sub="status")
        except (Changed, NotFound):
            return

    async def _object(self, key: FunctionKey) -> Object:
        """Return the object of a function that is true. Raises NotFound."""
        try:
            obj = await self._api.get(FUNCTION, key.name, key.namespace)
        except NotFound as error:
            raise _missing(key) from error
        if not objects.status_of(obj).revision:
            raise _missing(key)
        return obj

    async def _revision(self, owner: Object, name: str) -> Revision | None:
        place = owner["metadata"]["uid"], name
        if place not in self._known:
            try:
                found = objects.revision_of(await self._api.get(REVISION, name, namespace_of(owner)))
            except NotFound:
                return None
            if len(self._known) >= _CACHED:
                self._known.clear()
            self._known[place] = found
        return self._known[place]

    async def _functions(self, namespace: str) -> list[Function]:
        listing = await self._api.list(FUNCTION, namespace)
        there = [each for each in listing.items if objects.status_of(each).revision]
        found = await self._listed(namespace)
        functions = []
        for each in there:
            function = objects.function_of(each, found[namespace_of(each)])
            if function is None:  # it was deployed, or went, between the two lists
                try:
                    function = await self.get(objects.key_of(each))
                except NotFound:
                    continue
            functions.append(function)
        return sorted(functions, key=lambda function: function.key)

    async def _listed(self, namespace: str, labels: str = "") -> dict[str, dict[str, Revision]]:
        """Return revisions by their namespaces and their objects' names."""
        found: dict[str, dict[str, Revision]] = defaultdict(dict)
        for each in (await self._api.list(REVISION, namespace, labels=labels)).items:
            found[namespace_of(each)][name_of(each)] = objects.revision_of(each)
        return found

    async def _name_of_revision(self, key: FunctionKey, number: int) -> str:
        try:
            return objects.status_of(await self._object(key)).revisions.get(str(number), "")
        except NotFound:
            return ""


def _kept(functions: list[Object]) -> set[tuple[str, str]]:
    """Return the places of all revisions that the functions keep."""
    return {(namespace_of(each), name) for each in functions for name in objects.status_of(each).revisions.values()}


def _missing(key: FunctionKey) -> NotFound:
    return NotFound(f"there is no function {key.name} in the namespace {key.namespace}")
