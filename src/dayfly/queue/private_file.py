"""Files of nats-server that only its account may read. Only the standard library is imported, as by their writers."""

import os
from pathlib import Path


def write_private(path: Path, text: str) -> None:
    """Put the text in the file's place, mode 0600, in one step. Raises OSError."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "w") as file:
        file.write(text)
    fresh.replace(path)
