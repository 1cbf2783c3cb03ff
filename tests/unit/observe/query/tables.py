"""Files as the platform writes them, with rows of two tenants, and queries over them in this process."""

import json
import sqlite3
from pathlib import Path
from typing import Any

from dayfly.model.invocation import Invocation, RecordLimits
from dayfly.model.log import LogLine, Retention
from dayfly.model.names import ReplicaId, parse_function_key
from dayfly.model.payload import CallPayload
from dayfly.observe.history.file import HistoryFile
from dayfly.observe.log_file import LogFile
from dayfly.observe.query.answering import ANSWER, answer
from dayfly.observe.query.catalogue import TABLES
from dayfly.observe.query.order import Bounds, Form, Order, Outcome
from dayfly.observe.record_file import RecordFile
from dayfly.storage import audit_file

MARK = "SECRET-OF-THE-OTHER"
"""In everything that is the other tenant's, and in nothing else."""
MINE, OTHER = "team", "other"
ROWS = 50
"""Calls, and lines, of each tenant."""
DAY_MS = 86_400_000


def write(folder: Path) -> dict[str, str]:
    """Write the files; return where they are."""
    calls = RecordFile(folder / "calls.db", RecordLimits())
    calls.open()
    rows, payloads = [], {}
    for number in range(2 * ROWS):
        tenant = MINE if number % 2 else OTHER
        text = MARK if tenant == OTHER else "mine"
        rows.append(
            Invocation(
                id=f"call-{number}" if tenant == MINE else f"{MARK}-{number}", function="hello" if number % 4 else text,
                namespace=tenant, trigger="http", method="GET", path=f"/{text}", status=200 if number % 5 else 500,
                started_unix_ms=DAY_MS + number * 1000, run_ms=float(number), cold=number % 10 == 1, error="",
            )
        )  # fmt: skip
        payloads[number] = CallPayload(
            number=0, method="GET", target=f"/{MARK}", headers=(), body=MARK.encode(), status=200, answer_headers=(),
            answer_body=MARK.encode(),
        )  # fmt: skip
    assert calls.append(rows, payloads) is None
    calls.close()
    logs = LogFile(folder / "logs.db", Retention())
    logs.open()
    lines = [
        LogLine(
            DAY_MS * 1_000_000 + number,
            parse_function_key(f"hello.{MINE}" if number % 2 else f"hello.{OTHER}"),
            ReplicaId("r" * 10), "stdout", "", "ERROR of mine" if number % 2 else f"{MARK} {{",
        )
        for number in range(2 * ROWS)
    ]  # fmt: skip
    assert logs.append(list(enumerate(lines, 1))) is None
    logs.close()
    flows = sqlite3.connect(folder / "flows.db")
    flows.execute("PRAGMA journal_mode = WAL")
    flows.executescript(
        "CREATE TABLE runs (id TEXT, namespace TEXT, flow TEXT, state TEXT, started_unix_ms INTEGER,"
        " finished_unix_ms INTEGER, run TEXT); CREATE TABLE entries (run TEXT, entry TEXT);"
    )
    for tenant, text in ((MINE, "mine"), (OTHER, MARK)):
        flows.execute("INSERT INTO runs VALUES (?, ?, 'bill', 'done', 1000, 3500, ?)", (text, tenant, MARK))
        flows.execute("INSERT INTO entries VALUES (?, ?)", (text, MARK))
    flows.commit()
    flows.close()
    history = sqlite3.connect(folder / "history.db")
    history.executescript(HistoryFile.schema)
    for number, (tenant, text) in enumerate(((MINE, "mine"), (OTHER, MARK), ("", MARK)), 1):
        labels = json.dumps([["code", "200"], ["function_name", f"{text}.{tenant}"]])
        row = (number, "gateway_function_invocation_total", labels, tenant)
        history.execute("INSERT INTO series VALUES (?, ?, ?, ?, 1, 0, '')", row)
        for tier in range(4):
            history.execute("INSERT INTO points VALUES (?, ?, 2000, ?, 1, 9, 9, 1)", (tier, number, float(number)))
        history.execute("INSERT INTO points VALUES (0, ?, 3000, NULL, NULL, NULL, NULL, NULL)", (number,))
    history.commit()
    history.close()
    audit = sqlite3.connect(folder / "audit.db")
    audit.executescript(audit_file.SCHEMA)
    for tenant, text in ((MINE, "mine"), (OTHER, MARK), ("", MARK)):
        entry = {"role": "admin", "address": "::1", "target": text, "status": 200, "changes": [{"before": MARK}]}
        audit.execute(
            "INSERT INTO entries (at, namespace, who, action, entry) VALUES (1000, ?, ?, 'function.put', ?)",
            (tenant, text, json.dumps(entry)),
        )
    audit.commit()
    audit.close()
    return {name: str(folder / f"{name}.db") for name in ("calls", "logs", "flows", "history", "audit")}


def order(files: dict[str, str], folder: Path, sql: str, *, namespace: str | None = MINE, **fields: Any) -> Order:
    """Return an order for the query."""
    folder.mkdir(exist_ok=True)
    given: dict[str, Any] = {
        "form": "answer", "bounds": Bounds(rows=1000, cuts=True, seconds=20.0), "inventory": {},
        "prices": (1.0, 10.0, 100.0, "EUR"), "tables": tuple(each.name for each in TABLES),
    }  # fmt: skip
    return Order(sql=sql, namespace=namespace, files=files, folder=str(folder), **(given | fields))


class Tables:
    """The files, and what queries over them find."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.files = write(folder)

    def outcome(self, sql: str, **fields: Any) -> Outcome:
        """Return what becomes of the query; its answer is in `text`."""
        path = self.folder / "work" / ANSWER
        path.unlink(missing_ok=True)
        found = answer(order(self.files, path.parent, sql, **fields))
        self.text = path.read_bytes().decode() if path.is_file() and not found.refusal else ""
        return found

    def rows(self, sql: str, **fields: Any) -> list[list[Any]]:
        """Return the rows that the query finds."""
        found = self.outcome(sql, **fields)
        assert not found.refusal, (sql, found)
        rows: list[list[Any]] = json.loads(self.text)["rows"]
        return rows

    def export(self, sql: str, form: Form, **fields: Any) -> bytes:
        """Return the file that the query is exported to."""
        bounds = Bounds(rows=1_000_000, cuts=False, seconds=20.0, answer_bytes=64 * 2**20)
        path = self.folder / "work" / ANSWER
        path.unlink(missing_ok=True)
        found = answer(order(self.files, path.parent, sql, **({"form": form, "bounds": bounds} | fields)))
        assert not found.refusal, found
        return path.read_bytes()
