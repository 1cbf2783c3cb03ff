"""Small texts by name, in ConfigMaps of Dayfly's own namespace: what is ours alone and nobody would write by hand.

A shelf has one ConfigMap or, where much is to be on it, several, over which names are spread. What one ConfigMap holds
changes at once or not at all.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping

import msgspec

from dayfly.cluster.connection import Connection
from dayfly.cluster.kinds import CONFIG_MAP, Object
from dayfly.cluster.refusals import AlreadyThere, Changed
from dayfly.model.errors import NotFound, StoreUnavailable

SHELF, PART = "dayfly.dev/shelf", "dayfly.dev/part"
"""The labels that say which shelf a ConfigMap is of, and which part of it."""
ATTEMPTS = 20
"""How often a write is tried that somebody else's write overtakes each time."""
Texts = dict[str, str]


class Shelf:
    """A part of the shelf of this name in the namespace `home`. All methods raise StoreUnavailable."""

    def __init__(self, connection: Connection, home: str, name: str, boards: int = 1, part: str = "") -> None:
        self._connection = connection
        self._home = home
        self._name = name
        self._boards = boards
        self._part = part

    async def all(self) -> Texts:
        """Return everything on it."""
        return dict(await self.every(self._labels))

    async def every(self, labels: str = "") -> list[tuple[str, str]]:
        """Return all names and texts of all parts, or of those that labels select."""
        listing = await self._connection.list(CONFIG_MAP, self._home, labels=labels or f"{SHELF}={self._name}")
        return [pair for obj in listing.items for pair in _read(obj).items()]

    async def get(self, name: str) -> str | None:
        """Return what goes by the name; None when nothing does."""
        try:
            obj = await self._connection.get(CONFIG_MAP, self._board(name), self._home)
        except NotFound:
            return None
        return _read(obj).get(name)

    async def put(self, texts: Mapping[str, str | None]) -> None:
        """Keep these texts beside the others, and take away those that are None."""
        boards: dict[str, dict[str, str | None]] = {}
        for name, text in texts.items():
            boards.setdefault(self._board(name), {})[_key(name)] = None if text is None else _written(name, text)
        for board, data in boards.items():
            try:
                await self._connection.patch(CONFIG_MAP, board, {"data": data}, self._home)
            except NotFound:
                kept = {key: text for key, text in data.items() if text is not None}
                await self._create(board, kept)

    async def change(self, decide: Callable[[Texts], Texts]) -> Texts:
        """Replace all on a shelf of one board by what `decide` makes of it; return that. It may be called again."""
        board = self._board("")
        for _ in range(ATTEMPTS):
            try:
                found = await self._connection.get(CONFIG_MAP, board, self._home)
            except NotFound:
                found = None
            before = _read(found) if found is not None else {}
            after = decide(dict(before))
            data = {_key(name): _written(name, text) for name, text in after.items()}
            try:
                if found is None:
                    await self._connection.create(CONFIG_MAP, self._object(board, data))
                elif after != before:
                    await self._connection.replace(CONFIG_MAP, {**found, "data": data})
            except (Changed, AlreadyThere, NotFound):
                continue
            return after
        raise overtaken(f"the shelf {self._name}")

    async def clear(self) -> None:
        """Take everything away."""
        await self._connection.delete_all(CONFIG_MAP, self._home, labels=self._labels)

    async def _create(self, board: str, data: Texts) -> None:
        try:
            await self._connection.create(CONFIG_MAP, self._object(board, data))
        except AlreadyThere:
            await self._connection.patch(CONFIG_MAP, board, {"data": data}, self._home)

    def _object(self, board: str, data: Texts) -> Object:
        labels = {SHELF: self._name, PART: self._part}
        return CONFIG_MAP.object(board, self._home, metadata={"labels": labels}, data=data)

    def _board(self, name: str) -> str:
        number = int(_key(name)[:4], 16) % self._boards
        part = f"-{self._part}" if self._part else ""
        return f"dayfly-{self._name}{part}" + (f"-{number}" if self._boards > 1 else "")

    @property
    def _labels(self) -> str:
        return f"{SHELF}={self._name},{PART}={self._part}"


def overtaken(what: str) -> StoreUnavailable:
    """Return the refusal of a write that others' writes overtook again and again."""
    return StoreUnavailable(
        f"{what} was changed by somebody else during each of {ATTEMPTS} attempts to write it",
        hint="look for a second control plane, or a controller that writes Dayfly's resources in a loop",
    )


def _key(name: str) -> str:
    """A ConfigMap's keys are letters, digits and a few signs; names may be anything."""
    return hashlib.sha256(name.encode()).hexdigest()[:32]


def _written(name: str, text: str) -> str:
    return msgspec.json.encode((name, text)).decode()


def _read(obj: Object) -> Texts:
    values: Iterable[str] = (obj.get("data") or {}).values()
    try:
        return dict(msgspec.json.decode(value, type=tuple[str, str]) for value in values)
    except msgspec.MsgspecError as error:
        raise StoreUnavailable(
            f"the ConfigMap {obj['metadata']['name']} cannot be read: {error}",
            hint="something else than Dayfly wrote it; restore it from a backup, or delete it",
        ) from error
