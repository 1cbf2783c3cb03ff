"""The object store of the queue, as far as it can be told without one."""

import asyncio
from pathlib import Path

import pytest

from dayfly.model.errors import StoreUnavailable
from dayfly.queue.objects import Objects


def test_a_fault_without_words_is_told_by_its_kind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def late() -> None:
        raise TimeoutError

    objects = Objects(tmp_path / "access.json")
    monkeypatch.setattr(objects._connection, "context", late)
    with pytest.raises(StoreUnavailable, match="in the queue: TimeoutError"):
        asyncio.run(objects.get("sha256:0"))
