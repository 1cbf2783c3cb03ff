"""The two tables that secrets are kept in, as functions over a connection: nothing here knows a key."""

import sqlite3

from dayfly.model.names import NamespaceName
from dayfly.model.secret import Secret

_ALL = "SELECT namespace, name, version, created_unix_ms, updated_unix_ms FROM secrets ORDER BY namespace, name"
_ONE = (
    "SELECT namespace, name, version, created_unix_ms, updated_unix_ms, sealed FROM secrets"
    " WHERE namespace = ? AND name = ?"
)


def every(db: sqlite3.Connection) -> list[Secret]:
    """Return all secrets, ordered by namespace and name."""
    return [_secret(row) for row in db.execute(_ALL)]


def find(db: sqlite3.Connection, namespace: NamespaceName, name: str) -> tuple[Secret, bytes] | None:
    """Return the secret and its envelope; None when there is no such secret."""
    row = db.execute(_ONE, (namespace, name)).fetchone()
    return None if row is None else (_secret(row[:-1]), row[-1])


def names(db: sqlite3.Connection, namespace: NamespaceName) -> list[str]:
    """Return the names of the namespace's secrets."""
    return [name for (name,) in db.execute("SELECT name FROM secrets WHERE namespace = ?", (namespace,))]


def count(db: sqlite3.Connection, namespace: NamespaceName) -> int:
    """Return how many secrets the namespace has."""
    return int(db.execute("SELECT count(*) FROM secrets WHERE namespace = ?", (namespace,)).fetchone()[0])


def keep(db: sqlite3.Connection, secret: Secret, sealed: bytes) -> None:
    """Write the secret, in place of what was there."""
    db.execute(
        "INSERT OR REPLACE INTO secrets VALUES (?, ?, ?, ?, ?, ?)",
        (secret.namespace, secret.name, secret.version, secret.created_unix_ms, secret.updated_unix_ms, sealed),
    )


def remove(db: sqlite3.Connection, namespace: NamespaceName, name: str) -> bool:
    """Remove the secret and return whether there was one."""
    return bool(db.execute("DELETE FROM secrets WHERE namespace = ? AND name = ?", (namespace, name)).rowcount)


def wrapped(db: sqlite3.Connection, namespace: NamespaceName) -> tuple[str, bytes, int] | None:
    """Return what the namespace's data key is wrapped with, the envelope, and the highest version there ever was."""
    row: tuple[str, bytes, int] | None = db.execute(
        "SELECT wrapped_with, wrapped, version FROM secret_keys WHERE namespace = ?", (namespace,)
    ).fetchone()
    return row


def wrap(db: sqlite3.Connection, namespace: NamespaceName, fingerprint: str, envelope: bytes, version: int) -> None:
    """Keep the namespace's data key as it is wrapped now."""
    db.execute("INSERT OR REPLACE INTO secret_keys VALUES (?, ?, ?, ?)", (namespace, fingerprint, envelope, version))


def count_up(db: sqlite3.Connection, namespace: NamespaceName) -> int:
    """Return a version that nothing in the namespace ever had; it has a data key."""
    db.execute("UPDATE secret_keys SET version = version + 1 WHERE namespace = ?", (namespace,))
    return int(db.execute("SELECT version FROM secret_keys WHERE namespace = ?", (namespace,)).fetchone()[0])


def wrappings(db: sqlite3.Connection) -> dict[NamespaceName, str]:
    """Return what the data key of each namespace that has a secret is wrapped with."""
    sql = "SELECT DISTINCT namespace, wrapped_with FROM secret_keys JOIN secrets USING (namespace) ORDER BY namespace"
    return {NamespaceName(namespace): fingerprint for namespace, fingerprint in db.execute(sql)}


def installation(db: sqlite3.Connection) -> str:
    """Return what this state was called when it was made."""
    return str(db.execute("SELECT id FROM installation").fetchone()[0])


def _secret(row: tuple[str, str, int, int, int]) -> Secret:
    namespace, name, version, created, updated = row
    return Secret(
        namespace=NamespaceName(namespace), name=name, version=version, created_unix_ms=created, updated_unix_ms=updated
    )
