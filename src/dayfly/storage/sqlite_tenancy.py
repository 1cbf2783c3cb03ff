"""Namespaces, tokens and claims to bundles in the state's SQLite file, through the one thread that writes it."""

import sqlite3
from typing import Any

import msgspec

from dayfly.model.builder import BuiltImage
from dayfly.model.errors import NotFound, StoreUnavailable
from dayfly.model.names import BundleDigest, NamespaceName
from dayfly.model.namespace import Namespace, Quota
from dayfly.model.token import Token
from dayfly.storage.database import Database
from dayfly.storage.sqlite import read_json
from dayfly.storage.tenancy import KEPT_BUILT, TenancyStore

_Texts = dict[str, str]


class SqliteTenancy(TenancyStore):
    """What the tables beside the functions' hold; open while the database is."""

    def __init__(self, database: Database) -> None:
        self._run = database.run

    async def namespaces(self) -> list[Namespace]:
        """Return every namespace, ordered by name."""
        sql = "SELECT name, created_unix_ms, labels, annotations, quota FROM namespaces ORDER BY name"
        return await self._run(lambda db: [_namespace(*row) for row in db.execute(sql)])

    async def put_namespace(self, namespace: Namespace) -> None:
        """Create or replace the namespace."""
        texts = (_json(part) for part in (namespace.labels, namespace.annotations, namespace.quota))
        row = (namespace.name, namespace.created_unix_ms, *texts)
        await self._change("INSERT OR REPLACE INTO namespaces VALUES (?, ?, ?, ?, ?)", row)

    async def delete_namespace(self, name: NamespaceName) -> None:
        """Remove the namespace with its tokens and its claims to bundles. Raises NotFound, Conflict."""
        self.check_removable(name)

        def write(db: sqlite3.Connection) -> None:
            if db.execute("DELETE FROM namespaces WHERE name = ?", (name,)).rowcount == 0:
                raise NotFound(f"there is no namespace {name}")
            db.execute("DELETE FROM tokens WHERE namespace = ?", (name,))
            db.execute("DELETE FROM bundles WHERE namespace = ?", (name,))
            db.execute("DELETE FROM built_images WHERE namespace = ?", (name,))

        await self._run(write)

    async def tokens(self) -> list[Token]:
        """Return every token, ordered by id."""
        sql = "SELECT id, namespace, role, note, created_unix_ms, expires_unix_ms, hash FROM tokens ORDER BY id"
        return await self._run(lambda db: [_token(*row) for row in db.execute(sql)])

    async def put_token(self, token: Token) -> None:
        """Keep the token."""
        row = msgspec.structs.astuple(token)
        await self._change(
            "INSERT OR REPLACE INTO tokens (id, namespace, role, note, created_unix_ms, expires_unix_ms, hash)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            row,
        )

    async def delete_token(self, token: str) -> None:
        """Forget the token of this id. Raises NotFound."""

        def write(db: sqlite3.Connection) -> None:
            if db.execute("DELETE FROM tokens WHERE id = ?", (token,)).rowcount == 0:
                raise NotFound(f"there is no token {token}")

        await self._run(write)

    async def claim_bundle(self, namespace: NamespaceName, digest: BundleDigest) -> None:
        """Note that the bundle was uploaded into the namespace."""
        await self._change("INSERT OR IGNORE INTO bundles VALUES (?, ?)", (namespace, digest))

    async def has_bundle(self, namespace: NamespaceName, digest: BundleDigest) -> bool:
        """Whether the bundle was ever uploaded into the namespace."""
        sql = "SELECT 1 FROM bundles WHERE namespace = ? AND digest = ?"
        return await self._run(lambda db: db.execute(sql, (namespace, digest)).fetchone() is not None)

    async def put_built(self, namespace: NamespaceName, built: BuiltImage) -> None:
        """Note what an image's name means to the namespace; the newest KEPT_BUILT stay."""
        row = (namespace, built.image, built.built_unix_ms, _json(built))

        def write(db: sqlite3.Connection) -> None:
            db.execute("INSERT OR REPLACE INTO built_images VALUES (?, ?, ?, ?)", row)
            db.execute(
                "DELETE FROM built_images WHERE namespace = ?1 AND image NOT IN (SELECT image FROM built_images"
                " WHERE namespace = ?1 ORDER BY built_unix_ms DESC, image DESC LIMIT ?2)",
                (namespace, KEPT_BUILT),
            )

        await self._run(write)

    async def built(self, namespace: NamespaceName, image: str) -> BuiltImage | None:
        """Return what was last noted of the name."""
        sql = "SELECT code FROM built_images WHERE namespace = ? AND image = ?"
        row = await self._run(lambda db: db.execute(sql, (namespace, image)).fetchone())
        return None if row is None else read_json(row[0], BuiltImage, f"the image {image} of {namespace}")

    async def built_bundles(self) -> set[BundleDigest]:
        """Return the bundles of all names that are kept."""
        sql = "SELECT DISTINCT json_extract(code, '$.bundle') FROM built_images"
        rows = await self._run(lambda db: db.execute(sql).fetchall())
        return {BundleDigest(bundle) for (bundle,) in rows if bundle}

    async def _change(self, sql: str, row: tuple[Any, ...]) -> None:
        await self._run(lambda db: db.execute(sql, row).rowcount)


def _namespace(name: str, created_unix_ms: int, labels: str, annotations: str, quota: str) -> Namespace:
    what = f"the namespace {name}"
    return Namespace(
        name=NamespaceName(name),
        labels=read_json(labels, _Texts, what),
        annotations=read_json(annotations, _Texts, what),
        quota=read_json(quota, Quota, what),
        created_unix_ms=created_unix_ms,
    )


def _token(name: str, namespace: str | None, role: str, note: str, created: int, expires: int, digest: bytes) -> Token:
    fields = {
        "id": name, "namespace": namespace, "role": role, "note": note, "created_unix_ms": created,
        "expires_unix_ms": expires, "hash": digest,
    }  # fmt: skip
    try:
        return msgspec.convert(fields, Token)
    except msgspec.ValidationError as error:
        raise StoreUnavailable(
            f"the token {name} in the state database cannot be read: {error}",
            hint="restore a copy of the data folder, or remove its row from state.db with sqlite3",
        ) from error


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()
