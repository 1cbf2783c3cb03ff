"""Ledgers as they would be written, one entry after another, without a platform."""

from collections.abc import Callable
from pathlib import Path

import pytest
from chaos.ledger import Entry, Ledger

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write these entries into a ledger and return its path."""

    def written(*entries: Entry) -> Path:
        path = tmp_path / "ledger.jsonl"
        ledger = Ledger(path)
        for entry in entries:
            ledger.note(entry)
        ledger.close()
        return path

    return written
