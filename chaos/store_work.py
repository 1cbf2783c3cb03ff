"""Sixty changes of everything that the control plane keeps, in a process that may be killed at any system call.

    python -m chaos.store_work FOLDER [patient]

The process says `begin N` before a change and `done N` once it was acknowledged, or `refused N CODE FUNCTIONS` with the
number of functions that can be read then; a patient one tries again until the change is taken. What must be there
afterwards is said by the same list of changes, played into the store in memory.
"""

import asyncio
import contextlib
import gzip
import hashlib
import io
import os
import sys
import tarfile
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import msgspec

from dayfly.api import admin_file
from dayfly.api.admin_file import AdminRecord
from dayfly.build.prepare import Prepare
from dayfly.model.errors import DayflyError, NotFound
from dayfly.model.function import Function, FunctionSpec, Revision
from dayfly.model.names import BundleDigest, FunctionKey, parse_function_key
from dayfly.storage.blobs import FileBlobs
from dayfly.storage.memory import MemoryStore
from dayfly.storage.port import StateStore
from dayfly.storage.sqlite import SqliteStore

CHANGES = 60
_FUNCTIONS = 5
_ATTEMPTS, _AGAIN_S = 100, 0.1
RESTART_EVERY = 25
"""The store is closed and opened between changes, as by a restart: that writes the log into the database."""


class Kept(msgspec.Struct):
    """Everything that is kept: the state, and the names of what lies in files."""

    store: StateStore
    bundles: set[str] = msgspec.field(default_factory=set)
    unpacked: set[str] = msgspec.field(default_factory=set)
    user: str = ""


class Owner:
    """The real thing below one folder."""

    def __init__(self, folder: Path) -> None:
        for name in ("code", "layers"):
            (folder / name).mkdir(exist_ok=True)
        self.credentials = folder / "credentials" / "admin.json"
        self.store = SqliteStore(folder / "state.db")
        self.blobs = FileBlobs(folder / "blobs")
        self.prepare = Prepare(self.blobs, folder / "code", folder / "layers", sys.executable)


Change = tuple[Callable[[Owner], Awaitable[object]], Callable[[Kept], Awaitable[object]]]
"""What is done, and what it comes to."""


def changes() -> list[Change]:
    """Return all changes, the same in every process."""
    return [_change(number) for number in range(CHANGES)]


def life_of(number: int) -> int:
    """Return in which of the store's lives, between two openings, the change is made."""
    return number // RESTART_EVERY


def is_state(number: int) -> bool:
    """Whether the change is one of the database, and not of the files beside it."""
    return number % 6 in (1, 3, 4) or deletes(number)


def deletes(number: int) -> bool:
    """Whether the change removes a function; one that was never kept takes no writing."""
    return number % 18 == 17


def _change(number: int) -> Change:
    round_, kind = divmod(number, 6)
    name = f"f{round_ % _FUNCTIONS}"
    data = _archive({"handler.py": b"x = %d\n" % round_, "folder/more.py": b"y" * 9000})
    spec = FunctionSpec(name=name, bundle=f"sha256:{hashlib.sha256(data).hexdigest()}", env={"PAD": "x" * 3000})
    if kind == 0:
        return _upload(spec, data)
    if kind == 1:
        return _stored(lambda store: store.put(_function(spec, round_ + 1, None)))
    if kind == 2:
        return _unpack(spec)
    if kind == 3:
        return _stored(lambda store: store.put(_function(spec, round_ + 1, round_)))
    if kind == 4:
        return _stored(lambda store: store.save_totals({f"{name}.openfaas-fn": number}, ["gone"]))
    if deletes(number):
        return _delete(parse_function_key(name))
    return _password(f"user{round_}")


def _archive(files: dict[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return gzip.compress(packed.getvalue(), mtime=0)


def _function(spec: FunctionSpec, number: int, replicas: int | None) -> Function:
    revision = Revision(number=number, spec=spec, created_unix_ms=number)
    return Function(key=spec.key, revision=revision, created_unix_ms=0, replicas=replicas)


def _stored(change: Callable[[StateStore], Awaitable[object]]) -> Change:
    return (lambda owner: change(owner.store)), (lambda kept: change(kept.store))


def _delete(key: FunctionKey) -> Change:
    async def delete(store: StateStore) -> None:
        with contextlib.suppress(NotFound):  # the disk had refused to keep it
            await store.delete(key)

    return _stored(delete)


def _upload(spec: FunctionSpec, data: bytes) -> Change:
    digest = BundleDigest(spec.bundle)

    async def chunks() -> AsyncIterator[bytes]:
        yield data

    async def note(kept: Kept) -> None:
        kept.bundles.add(digest.removeprefix("sha256:"))

    return (lambda owner: owner.blobs.put(digest, chunks(), 1 << 20)), note


def _unpack(spec: FunctionSpec) -> Change:
    async def note(kept: Kept) -> None:
        kept.unpacked.add(spec.bundle.removeprefix("sha256:"))

    return (lambda owner: owner.prepare.prepare(spec)), note


def _password(user: str) -> Change:
    # A real hash takes a tenth of a second, and here only the file's fate matters.
    record = AdminRecord(user=user, n=2**15, r=8, p=1, salt=b"s" * 16, hash=b"h" * 32)

    async def save(owner: Owner) -> None:
        admin_file.save(owner.credentials, record)

    async def note(kept: Kept) -> None:
        kept.user = user

    return save, note


async def expected(done: list[int]) -> Kept:
    """Return what must be there after these changes."""
    kept = Kept(MemoryStore())
    played = changes()
    for number in done:
        await played[number][1](kept)
    return kept


async def work(folder: Path, *, patient: bool) -> None:
    """Make all changes, one after the other, and say how each went."""
    owner = Owner(folder)
    await owner.store.open()
    for number, (change, _) in enumerate(changes()):
        if number and number % RESTART_EVERY == 0:
            await owner.store.close()
            owner = Owner(folder)
            await owner.store.open()
        _say(f"begin {number}")
        for _ in range(_ATTEMPTS if patient else 1):
            if await _made(change, owner, number):
                break
            await asyncio.sleep(_AGAIN_S)
    await owner.store.close()


async def _made(change: Callable[[Owner], Awaitable[object]], owner: Owner, number: int) -> bool:
    try:
        await change(owner)
    except DayflyError as error:
        _say(f"refused {number} {error.code} {len(await owner.store.all())}")
        return False
    _say(f"done {number}")
    return True


def _say(text: str) -> None:
    os.write(1, text.encode() + b"\n")


if __name__ == "__main__":
    asyncio.run(work(Path(sys.argv[1]), patient="patient" in sys.argv[2:]))
