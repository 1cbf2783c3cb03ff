"""Secrets in the state's SQLite file, encrypted; the key to them is in another place.

    key file ──wraps──► data key, one a namespace ──encrypts──► content, one a secret
                        bound to the namespace                  bound to namespace, name and version

The first secret of all makes the key file. From then on it is never made anew while a secret needs a key that is not
there: whoever lost it is told so at every use, and the secrets stay as they are for the day it is found.

A change of keys goes namespace by namespace. The new key is in the file before anything is encrypted with it, beside
the old one; each namespace gets a new data key, and its secrets are written anew, in one step; and the old key leaves
the file once nothing needs it. Broken off at any moment, everything can be read.
"""

import asyncio
import logging
import sqlite3
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import NamedTuple

from dayfly.model.errors import SecretsLocked, StoreUnavailable
from dayfly.model.names import NamespaceName
from dayfly.model.secret import KeyRotation, Secret, SecretContent, SecretMode
from dayfly.storage.database import Database
from dayfly.storage.secrets import tables
from dayfly.storage.secrets.envelopes import Key, NotOurs
from dayfly.storage.secrets.key_file import KeyFile
from dayfly.storage.secrets.port import SecretStore, check_mode, check_room, missing

log = logging.getLogger("dayfly.storage")

_HINT = (
    "put the key file back, or name it with DAYFLY_SECRETS_KEY_FILE; if the key is lost for good, remove the secrets"
    " and create them again"
)


class KeyPlace(NamedTuple):
    """Where the key file is."""

    path: Path
    is_folder: bool
    """Whether the path is a folder, in which the installation has a file of its own."""

    def file(self, installation: str, state: Path) -> KeyFile:
        """Return the key file of the installation whose secrets are in `state`."""
        return KeyFile(self.path / f"{installation}.key" if self.is_folder else self.path, state)


class _NoKey(Exception):
    """A data key is wrapped with a key that was not read from the file yet."""


class SqliteSecrets(SecretStore):
    """The secrets in the database, with the key at `place`."""

    def __init__(self, database: Database, place: KeyPlace) -> None:
        self._database = database
        self._place = place
        self._file: KeyFile
        self._keys: dict[str, Key] = {}
        """Those of the file by fingerprint, the one that encrypts first. Never changed in place: a thread reads it."""
        self._writing = asyncio.Lock()
        """One change at a time: a key must not be retired that a write has just begun to use."""

    async def open(self) -> None:
        """Open; warn when a key is missing, or a change of keys was broken off."""
        await self._database.open()
        self._file = self._place.file(await self._database.run(tables.installation), self._database.path)
        if not await self._database.run(tables.wrappings):
            return
        try:
            await self._take_keys()
        except SecretsLocked as error:
            log.error("functions that use secrets will not start: %s (%s)", error, error.hint)
        if len(self._keys) > 1:
            log.warning("%s: a change of keys was not finished; rotate once more to finish it", self._file.path)

    async def close(self) -> None:
        """Finish pending writes and close the database. Idempotent."""
        await self._database.close()

    async def all(self) -> list[Secret]:
        """Return every secret of every namespace, ordered by namespace and name."""
        return await self._database.run(tables.every)

    async def put(
        self, namespace: NamespaceName, name: str, content: bytes, *, mode: SecretMode, unix_ms: int
    ) -> Secret:
        """Keep the content under this name. Raises Conflict, NotFound, LimitExceeded, SecretsLocked."""

        def write(db: sqlite3.Connection) -> Secret:
            found = tables.find(db, namespace, name)
            check_mode(namespace, name, mode, present=found is not None)
            if found is None:
                check_room(namespace, tables.count(db, namespace))
            data_key = self._data_key(db, namespace)
            if found is not None and _holds(data_key, *found, content):
                return found[0]
            secret = Secret(
                namespace=namespace,
                name=name,
                version=tables.count_up(db, namespace),
                created_unix_ms=found[0].created_unix_ms if found is not None else unix_ms,
                updated_unix_ms=unix_ms,
            )
            tables.keep(db, secret, data_key.seal(content, *_place(secret)))
            return secret

        async with self._writing:
            # The file is looked at each time: what is written must not rest on a key that is in our memory only.
            if not await self._take_keys():
                await self._save([Key.new()])
                log.info("%s holds the key of the secrets from now on; keep a copy of it", self._file.path)
            return await self._database.run(write)

    async def delete(self, namespace: NamespaceName, name: str) -> None:
        """Remove the secret. Raises NotFound."""

        def write(db: sqlite3.Connection) -> None:
            if not tables.remove(db, namespace, name):
                raise missing(namespace, name)

        async with self._writing:
            await self._database.run(write)

    async def contents(self, namespace: NamespaceName, names: Iterable[str]) -> dict[str, SecretContent]:
        """Return what is in those of the named secrets that there are. Raises SecretsLocked."""
        wanted = list(dict.fromkeys(names))

        def read(db: sqlite3.Connection) -> dict[str, SecretContent]:
            found = [each for each in (tables.find(db, namespace, name) for name in wanted) if each is not None]
            if not found:
                return {}
            data_key = self._data_key(db, namespace)
            return {secret.name: _opened(data_key, secret, sealed) for secret, sealed in found}

        try:
            return await self._database.run(read)
        except _NoKey:
            await self._take_keys()
            return await self._database.run(read)

    async def rotate_key(self) -> KeyRotation:
        """Encrypt everything anew, under a new key, and forget the old one. Raises SecretsLocked, StoreUnavailable."""
        async with self._writing:
            old = await self._take_keys()
            used = await self._database.run(tables.wrappings)
            is_under_way = len(old) > 1 and any(fingerprint != old[0].fingerprint for fingerprint in used.values())
            fresh = old[0] if is_under_way else Key.new()
            if not is_under_way:
                await self._save([fresh, *old])
            count = 0
            for namespace, fingerprint in used.items():
                if fingerprint != fresh.fingerprint:
                    count += await self._database.run(partial(self._renew, namespace=namespace, fresh=fresh))
            gone = tuple(key.fingerprint for key in old if key is not fresh)
            try:
                await self._save([fresh])
            except StoreUnavailable as error:
                log.warning("keys that nothing needs any more stay: %s", error)
                return KeyRotation(key=fresh.fingerprint, left=gone, secrets=count)
            return KeyRotation(key=fresh.fingerprint, retired=gone, secrets=count)

    def _renew(self, db: sqlite3.Connection, namespace: NamespaceName, fresh: Key) -> int:
        """Give the namespace a new data key, wrapped with `fresh`; return how many secrets were written anew."""
        before, data_key = self._data_key(db, namespace), Key.new()
        self._wrap(db, namespace, data_key, fresh)
        names = tables.names(db, namespace)
        for name in names:  # one at a time: all of them may be a gigabyte
            found = tables.find(db, namespace, name)
            assert found is not None
            secret, sealed = found
            tables.keep(db, secret, data_key.seal(_opened(before, secret, sealed).data, *_place(secret)))
        return len(names)

    def _data_key(self, db: sqlite3.Connection, namespace: NamespaceName) -> Key:
        """Return the namespace's data key; make it where no secret needs the one there is. Raises _NoKey."""
        found = tables.wrapped(db, namespace)
        if found is not None and found[0] in self._keys:
            try:
                return Key(self._keys[found[0]].unseal(found[1], "data key", namespace))
            except NotOurs:
                raise _damaged(f"the key of the secrets of the namespace {namespace}") from None
        if not self._keys or (found is not None and tables.count(db, namespace)):
            raise _NoKey
        data_key = Key.new()
        self._wrap(db, namespace, data_key, next(iter(self._keys.values())))
        return data_key

    def _wrap(self, db: sqlite3.Connection, namespace: NamespaceName, data_key: Key, key: Key) -> None:
        before = tables.wrapped(db, namespace)
        envelope = key.seal(data_key.data, "data key", namespace)
        tables.wrap(db, namespace, key.fingerprint, envelope, before[2] if before is not None else 0)

    async def _take_keys(self) -> list[Key]:
        """Return the keys of the file, and use them; none where there is neither a file nor a secret that needs one.

        Raises SecretsLocked when a secret needs another; those in use stay then.
        """
        found = {key.fingerprint: key for key in await asyncio.to_thread(self._file.read)}
        used = await self._database.run(tables.wrappings)
        for fingerprint in set(used.values()) - found.keys():
            why = f"holds {' and '.join(found)}" if found else "is not there"
            raise SecretsLocked(
                f"the secrets are encrypted with the key {fingerprint}, and the key file {self._file.path} {why}",
                hint=_HINT,
            )
        self._keys = found
        return list(found.values())

    async def _save(self, keys: list[Key]) -> None:
        await asyncio.to_thread(self._file.write, keys)
        self._keys = {key.fingerprint: key for key in keys}


def _place(secret: Secret) -> tuple[str, ...]:
    return "secret", secret.namespace, secret.name, str(secret.version)


def _opened(data_key: Key, secret: Secret, sealed: bytes) -> SecretContent:
    try:
        return SecretContent(secret.version, data_key.unseal(sealed, *_place(secret)))
    except NotOurs:
        raise _damaged(f"the secret {secret.name} of the namespace {secret.namespace}") from None


def _holds(data_key: Key, secret: Secret, sealed: bytes, content: bytes) -> bool:
    """Whether the secret holds this content; one that is damaged holds none, and can be written anew."""
    try:
        return data_key.unseal(sealed, *_place(secret)) == content
    except NotOurs:
        return False


def _damaged(what: str) -> StoreUnavailable:
    return StoreUnavailable(
        f"{what} was changed in the state's file by something else than Dayfly, or is damaged",
        hint="write the secret anew, or restore a copy of the data folder",
    )
