"""A table whose rows are events: each is read, delivered and deleted in one transaction.

The columns `id`, which is unique, and `payload` must be there; `type`, `subject` and `content_type` count where they
are. What is written into a statement are the table's name, each part of it in quotes, and names from the list here.
"""

from typing import Any

from dayfly.events.port import Deliver, Lost
from dayfly.events.sources.batch import hand_on_all
from dayfly.model.event import Event

BATCH = 16
TYPE = "com.dayfly.postgresql.row"
_COLUMNS = (
    "SELECT attname::text, format_type(atttypid, NULL) FROM pg_attribute"
    " WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped"
)
_CONTENT = {"json": "application/json", "jsonb": "application/json", "bytea": ""}
_TEXT = "text/plain; charset=utf-8"


class Outbox:
    """The table `name`, which may have its schema in front, over a connection that nobody else has transactions on."""

    def __init__(self, connection: Any, name: str, address: str) -> None:
        self._connection = connection
        self._name = name
        self._address = address
        self._table = ".".join(_quoted(part) for part in name.split("."))
        self._select, self._content_type = "", ""
        self._delete = f"DELETE FROM {self._table} WHERE id = $1"  # noqa: S608 # the name is checked, and quoted

    async def check(self) -> None:
        """See what columns there are. Raises Lost."""
        kinds = dict(await self._connection.fetch(_COLUMNS, self._table))
        if not kinds:
            raise Lost(f"{self._address}: there is no table {self._name} that the user may see")
        if missing := [column for column in ("id", "payload") if column not in kinds]:
            raise Lost(f"{self._address}: the table {self._name} has no column {' and no '.join(missing)}")
        payload = "payload" if kinds["payload"] == "bytea" else "payload::text"
        texts = [
            f"{column}::text" if column in kinds else f"NULL::text AS {column}"
            for column in ("type", "subject", "content_type")
        ]
        columns = ", ".join(("id AS key", "id::text", f"{payload} AS payload", *texts))
        self._content_type = _CONTENT.get(kinds["payload"], _TEXT)
        self._select = f"SELECT {columns} FROM {self._table} ORDER BY key LIMIT {BATCH} FOR UPDATE SKIP LOCKED"  # noqa: S608 # the table is checked, and quoted

    async def take(self, deliver: Deliver) -> int:
        """Deliver and delete the next rows; return how many there were."""
        async with self._connection.transaction():
            rows = await self._connection.fetch(self._select)
            await hand_on_all(deliver, [self._event(row) for row in rows])
            await self._connection.executemany(self._delete, [(row["key"],) for row in rows])
        return len(rows)

    def _event(self, row: Any) -> Event:
        payload = row["payload"]
        return Event(
            id=f"{self._name}/{row['id']}",
            source=self._address,
            type=row["type"] or TYPE,
            subject=row["subject"] or self._name,
            content_type=row["content_type"] or self._content_type,
            data=payload if isinstance(payload, bytes) else (payload or "").encode(),
        )


def _quoted(part: str) -> str:
    return '"' + part.replace('"', '""') + '"'
