"""The index of words beside the table of lines: SQLite's FTS5, brought up by the piece and not by the line.

A line that is indexed as it is written costs nine times one that is not; a statement that indexes thousands costs
twice. So lines are indexed in pieces once enough of them wait, and what is left when somebody searches. Up to which
number is kept with the index, in the same transaction. A line that goes takes its words along in the transaction in
which it goes, or, where it was never indexed, costs nothing. What FTS5 keeps of lines that are gone is cleared by
and by.
"""

import logging
import sqlite3

from dayfly.decide.log_search import Term

PIECE = 5_000
"""Lines indexed in one transaction; about a tenth of a second."""
_PAGES = 300
"""Pages of the index that are put together at once."""
_log = logging.getLogger("dayfly.observe")
SCHEMA = """
CREATE VIRTUAL TABLE IF NOT EXISTS words USING fts5(
  namespace, name, text, content = 'lines', content_rowid = 'number', columnsize = 0,
  tokenize = 'unicode61 remove_diacritics 2'
);
CREATE TABLE IF NOT EXISTS indexed (upto INTEGER NOT NULL) STRICT;
"""
_COLUMNS = "rowid, namespace, name, text"
_OF_LINES = "number, namespace, name, text FROM lines"


class LogIndex:
    """For the thread that writes lines, with its connection. Methods raise sqlite3.Error."""

    def __init__(self) -> None:
        self.upto = 0
        """The number of the newest line that is indexed."""
        self._gone = 0
        self._merging = False

    def opened(self, writer: sqlite3.Connection) -> None:
        """See how far the index is."""
        found = writer.execute("SELECT upto FROM indexed").fetchone()
        self.upto = found[0] if found is not None else 0

    @property
    def is_untidy(self) -> bool:
        """Whether `tidy` has something to do."""
        return self._merging

    def add(self, writer: sqlite3.Connection) -> bool:
        """Index the next piece; return whether there was one."""
        rows = writer.execute(
            "SELECT count(*), max(number) FROM (SELECT number FROM lines WHERE number > ? ORDER BY number LIMIT ?)",
            (self.upto, PIECE),
        ).fetchone()
        if not rows[0]:
            return False
        with writer:
            writer.execute(
                f"INSERT INTO words ({_COLUMNS}) SELECT {_OF_LINES} WHERE number > ? AND number <= ?",
                (self.upto, rows[1]),
            )
            writer.execute("DELETE FROM indexed")
            writer.execute("INSERT INTO indexed VALUES (?)", (rows[1],))
        self.upto = rows[1]
        return True

    def forget(self, writer: sqlite3.Connection, where: str, values: tuple[object, ...]) -> None:
        """Take the words of the lines out that are about to be deleted, in the transaction under way."""
        taken = writer.execute(
            f"INSERT INTO words (words, {_COLUMNS}) SELECT 'delete', {_OF_LINES}"
            f" WHERE number <= {self.upto:d} AND {where}",
            values,
        ).rowcount
        self._gone += taken

    def tidy(self, writer: sqlite3.Connection, live: int) -> None:
        """Put a part of the index together, without what is gone of it, once that is as much as what is `live`."""
        if not self._merging:
            self._merging = self._gone > live + PIECE
            if not self._merging:
                return
            self._gone, pages = 0, -_PAGES  # a negative number begins to put all of it together
        else:
            pages = _PAGES
        before = writer.total_changes
        with writer:
            writer.execute("INSERT INTO words (words, rank) VALUES ('merge', ?)", (pages,))
        self._merging = writer.total_changes - before >= 2  # as SQLite's documentation says

    def begin_anew(self, writer: sqlite3.Connection, why: str) -> None:
        """Drop an index that is damaged, for the next pieces to make a new one."""
        _log.error("the index of log lines is damaged and is made anew reason=%s", why)
        with writer:
            writer.execute("DROP TABLE IF EXISTS words")
            writer.execute("DROP TABLE IF EXISTS indexed")
        writer.executescript(SCHEMA)
        self.upto = self._gone = 0
        self._merging = False


def match(terms: tuple[Term, ...], namespace: str, name: str) -> str:
    """Return FTS5's expression for lines of a namespace, and perhaps of one function, that are searched for.

    The names are only there to leave others' lines out soon: `team-a` is two words to the index, as `team/a` is.
    """
    wanted = [f"namespace : {_string(namespace)}", *([f"name : {_string(name)}"] if name else [])]
    wanted += [f"text : {_term(term)}" for term in terms if not term.is_absent]
    unwanted = [f" NOT text : {_term(term)}" for term in terms if term.is_absent]
    return f"({' AND '.join(wanted)})" + "".join(unwanted)


def _term(term: Term) -> str:
    return _string(term.text) + (" *" if term.is_prefix else "")


def _string(text: str) -> str:
    return '"' + text.replace("\0", " ").replace('"', '""') + '"'
