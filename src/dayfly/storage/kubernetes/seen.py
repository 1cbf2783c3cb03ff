"""What was taken over of objects that others write, kept over restarts and from one control plane to the next.

On a shelf of Dayfly's own namespace is, of each object of a kind, which one it was and in what state it was looked at
last. So a change that came while no control plane worked is told from one that is known, and that an object went is
noticed although nothing is left of it.
"""

import logging
from collections.abc import Iterator

import msgspec

from dayfly.cluster.connection import Connection
from dayfly.cluster.kinds import MANAGER, Kind, Object, name_of, namespace_of
from dayfly.model.errors import DayflyError, StoreUnavailable
from dayfly.model.names import NamespaceName
from dayfly.storage.kubernetes.shelf import Shelf

log = logging.getLogger("dayfly.storage")
MAX_SPEC_BYTES = 4_096
"""A longer spec is not kept, and what of it differs is not known once the control plane is another."""
_BOARDS = 16
_BEGUN = "begun"
"""Is on the shelf once everything that was there at first has been seen; no object's name is without a space."""
Key = tuple[NamespaceName, str]


class Seen(msgspec.Struct, frozen=True):
    """An object as it was last looked at."""

    uid: str
    generation: int
    spec: Object | None = None
    """None where it is too long to be kept."""


class SeenObjects:
    """The objects of one kind. `open` it before anything is asked of it. Methods that wait raise StoreUnavailable."""

    def __init__(self, connection: Connection, home: str, kind: Kind, *, with_specs: bool = True) -> None:
        self._shelf = Shelf(connection, home, "seen", _BOARDS, part=kind.plural)
        self._with_specs = with_specs
        self._known: dict[Key, Seen] = {}
        self.has_begun = False
        """Whether what was there when Dayfly came first has been seen; only what comes after that is a change."""

    async def open(self) -> None:
        """Read the shelf."""
        texts = await self._shelf.all()
        self.has_begun = texts.pop(_BEGUN, None) is not None
        self._known = dict(self._read(texts))

    async def begin(self) -> None:
        """Note that all that was there at first has been seen, and keep it. Idempotent."""
        if not self.has_begun:
            texts: dict[str, str | None] = {_name(key): _text(seen) for key, seen in self._known.items()}
            await self._shelf.put(texts | {_BEGUN: ""})
            self.has_begun = True

    def get(self, key: Key) -> Seen | None:
        """Return what the name stood for; None where it stood for nothing."""
        return self._known.get(key)

    def keys(self) -> set[Key]:
        """Return all names that stood for something."""
        return set(self._known)

    def is_known(self, obj: Object) -> bool:
        """Whether the object was looked at in the state that it is in."""
        seen, meta = self._known.get(key_of(obj)), obj["metadata"]
        return seen is not None and (seen.uid, seen.generation) == (meta["uid"], meta["generation"])

    async def put(self, key: Key, obj: Object | None) -> None:
        """Keep that the name stands for this object, or for none. Idempotent."""
        if obj is None:
            if self.has_begun and key in self._known:
                await self._shelf.put({_name(key): None})
            self._known.pop(key, None)
            return
        if self.is_known(obj):
            return
        spec = obj.get("spec") if self._with_specs else None
        if spec is not None and len(msgspec.json.encode(spec)) > MAX_SPEC_BYTES:
            spec = None
        seen = Seen(obj["metadata"]["uid"], obj["metadata"]["generation"], spec)
        try:
            if self.has_begun:
                await self._shelf.put({_name(key): _text(seen)})
        except StoreUnavailable:
            raise
        except DayflyError as error:  # the shelf is full
            log.warning("that %s of %s was seen is not kept over a restart: %s", key[1], key[0], error)
        self._known[key] = seen

    def _read(self, texts: dict[str, str]) -> Iterator[tuple[Key, Seen]]:
        for name, text in texts.items():
            namespace, _, rest = name.partition(" ")
            try:
                yield (NamespaceName(namespace), rest), msgspec.json.decode(text, type=Seen)
            except msgspec.MsgspecError as error:
                raise StoreUnavailable(
                    f"what was seen of {rest} of the namespace {namespace} cannot be read: {error}",
                    hint="something else than Dayfly wrote its ConfigMap; delete it",
                ) from error


class OwnWrites:
    """What this control plane wrote itself, of the objects of one kind: nobody else's change."""

    def __init__(self) -> None:
        self._wrote: dict[Key, tuple[str, int]] = {}
        self._removed: set[Key] = set()

    def wrote(self, obj: Object) -> None:
        """Note an object as it came back from a write."""
        key = key_of(obj)
        self._wrote[key] = obj["metadata"]["uid"], obj["metadata"]["generation"]
        self._removed.discard(key)

    def removed(self, key: Key) -> None:
        """Note that the object was removed."""
        self._wrote.pop(key, None)
        self._removed.add(key)

    def is_ours(self, key: Key, obj: Object | None) -> bool:
        """Whether that the name stands for this, or for nothing, is by a write of ours."""
        if obj is None:
            return key in self._removed
        self._removed.discard(key)
        return self._wrote.get(key) == (obj["metadata"]["uid"], obj["metadata"]["generation"])


def key_of(obj: Object) -> Key:
    """Return by what the object is known."""
    return NamespaceName(namespace_of(obj)), name_of(obj)


def author_of(obj: Object) -> str:
    """Return which program wrote last what people write, and when, as the object itself has it; empty for none.

    It is the name that the program gave itself. Who ran it is not to be seen in an object.
    """
    entries = [each for each in obj["metadata"].get("managedFields") or () if each.get("subresource") != "status"]
    if not entries:
        return ""
    last = max(entries, key=lambda each: (str(each.get("time", "")), each.get("manager") != MANAGER))
    return f"{last.get('manager', '')} at {last.get('time', '')}"


def _text(seen: Seen) -> str:
    return msgspec.json.encode(seen).decode()


def _name(key: Key) -> str:
    return f"{key[0]} {key[1]}"
