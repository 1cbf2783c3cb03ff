"""The table of payloads in the file of the records of calls: written with a record, gone with it, and bounded in sum.

The namespace whose payloads take most gives way, as with the records.
"""

import sqlite3
from collections.abc import Callable
from typing import Any

import msgspec

from dayfly.model.payload import CallPayload
from dayfly.observe.log_file import share

SCHEMA = """
CREATE TABLE IF NOT EXISTS payloads (
  number INTEGER PRIMARY KEY, namespace TEXT NOT NULL, size INTEGER NOT NULL, data BLOB NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS payloads_by_namespace ON payloads (namespace, number, size);
CREATE TRIGGER IF NOT EXISTS payload_goes AFTER DELETE ON calls
  BEGIN DELETE FROM payloads WHERE number = old.number; END;
"""
_DECODER = msgspec.msgpack.Decoder(CallPayload)
_ENCODER = msgspec.msgpack.Encoder()
_PIECE = 100


def write(writer: sqlite3.Connection, number: int, namespace: str, payload: CallPayload) -> None:
    """Write the payload of the record `number`. Raises sqlite3.Error."""
    data = _ENCODER.encode(payload)
    writer.execute("INSERT INTO payloads VALUES (?, ?, ?, ?)", (number, namespace, len(data), data))


def of_call(read: Callable[..., list[tuple[Any, ...]]], namespace: str, call_id: str) -> list[CallPayload]:
    """Return the payloads of a namespace's calls of this id, the oldest first."""
    sql = (
        "SELECT payloads.number, data FROM calls JOIN payloads ON payloads.number = calls.number"
        " WHERE calls.id = ? AND calls.namespace = ? ORDER BY payloads.number LIMIT 100"
    )
    rows = read(sql, (call_id, namespace))
    return [msgspec.structs.replace(_DECODER.decode(data), number=number) for number, data in rows]


def trim(writer: sqlite3.Connection, most: int) -> None:
    """Remove the oldest payloads of the namespaces that have most, until a tenth of `most` is free, where they take
    more than that. Raises sqlite3.Error.
    """
    sizes = dict(writer.execute("SELECT namespace, sum(size) FROM payloads GROUP BY namespace").fetchall())
    if sum(sizes.values()) <= most:
        return
    each_most = share(sizes.values(), most * 9 // 10)
    for namespace, size in sizes.items():
        excess = size - each_most
        while excess > 0:
            with writer:
                gone = writer.execute(
                    "DELETE FROM payloads WHERE number IN"
                    " (SELECT number FROM payloads WHERE namespace = ? ORDER BY number LIMIT ?) RETURNING size",
                    (namespace, _PIECE),
                ).fetchall()
            excess -= sum(size for (size,) in gone)
            if not gone:
                break
