"""What sources have seen, kept over restarts, for those whose server does not keep it for them.

A bucket or a folder is what it is: nothing in it tells what was delivered already. So its source notes each thing that
it has delivered, under the thing's name, with a mark that changes when the thing does.
"""

import hashlib
from collections.abc import Collection, Mapping
from typing import Protocol

from dayfly.model.trigger import TriggerSpec
from dayfly.model.trigger_source import FilesSource, S3Source


class Cursor(Protocol):
    """What one source has seen."""

    async def seen(self) -> dict[str, str] | None:
        """Return the marks by name; None where nothing was ever noted. Raises StoreUnavailable."""
        ...

    async def note(self, marks: Mapping[str, str | None]) -> None:
        """Have these marks, and forget what has None; once it returns they are on the disk. Raises StoreUnavailable."""
        ...


class Cursors(Protocol):
    """The cursors of all sources."""

    async def open(self) -> None:
        """Be the one that notes what is seen. Raises StoreUnavailable."""
        ...

    async def close(self) -> None:
        """Finish what is being written, and close. Idempotent."""
        ...

    def of(self, name: str) -> Cursor:
        """Return what goes by this name; a source that looks at other things needs another name."""
        ...

    async def forget_others(self, names: Collection[str]) -> None:
        """Forget whatever does not go by one of these names. Raises StoreUnavailable."""
        ...


def cursor_name(spec: TriggerSpec) -> str:
    """Return what a trigger's cursor goes by; another once it looks at something else."""
    source, place = spec.source, ""
    if isinstance(source, S3Source):
        place = f"{source.endpoint} {source.bucket} {source.prefix}"
    elif isinstance(source, FilesSource):
        place = source.folder
    return f"{spec.namespace}/{spec.name}/{source.kind}/{hashlib.sha256(place.encode()).hexdigest()[:16]}"
