"""Which batches of records are on file: each gateway numbers what it hands over, and hands over again what nobody
confirmed. What came before under the same number is known here, so that no call is recorded twice.
"""

import sqlite3
from collections.abc import Mapping

SCHEMA = """
CREATE TABLE IF NOT EXISTS batches (
  gateway TEXT NOT NULL, boot TEXT NOT NULL, number INTEGER NOT NULL, at INTEGER NOT NULL,
  PRIMARY KEY (gateway, boot)
) STRICT;
"""
KEEP_S = 24 * 3600
"""How long it is remembered how far a gateway was, from its last batch on. One that runs and has something to hand over
again does so within seconds."""
Source = tuple[str, str]
"""A gateway and its boot."""


class Batches:
    """How far each gateway's batches are on file. For the thread that writes."""

    def __init__(self) -> None:
        self._last: dict[Source, int] = {}

    def opened(self, writer: sqlite3.Connection) -> None:
        """Take stock of a file that was opened. Raises sqlite3.Error."""
        rows = writer.execute("SELECT gateway, boot, number FROM batches")
        self._last = {(gateway, boot): number for gateway, boot, number in rows}

    def has(self, source: Source, number: int) -> bool:
        """Whether the batch is on file. One without a number never is: nobody hands it over again."""
        return 0 < number <= self._last.get(source, 0)

    def write(self, writer: sqlite3.Connection, written: Mapping[Source, int], unix_s: int) -> None:
        """Write, with the records of these batches, how far each gateway is. Raises sqlite3.Error."""
        writer.executemany(
            "INSERT INTO batches VALUES (?, ?, ?, ?) ON CONFLICT (gateway, boot)"
            " DO UPDATE SET number = max(number, excluded.number), at = excluded.at",
            [(gateway, boot, number, unix_s) for (gateway, boot), number in written.items()],
        )

    def written(self, written: Mapping[Source, int]) -> None:
        """What was written is on file, as is what was there before: batches that come again begin below it."""
        for source, number in written.items():
            self._last[source] = max(number, self._last.get(source, 0))

    def trim(self, writer: sqlite3.Connection, unix_s: int) -> None:
        """Forget gateways that handed nothing over for long. Raises sqlite3.Error."""
        with writer:
            gone = writer.execute("DELETE FROM batches WHERE at < ? RETURNING gateway, boot", (unix_s - KEEP_S,))
            for source in gone.fetchall():
                self._last.pop(source, None)
