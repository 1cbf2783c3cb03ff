"""Files of credentials: for this account alone, and never half written.

One that others can read or write is an error for the operator, never a reason to go on without it.
"""

import os
from pathlib import Path

from dayfly.model.errors import ConfigError
from dayfly.storage import private_file

_MAX_BYTES = 65_536


def read_private(path: Path) -> bytes | None:
    """Return what is in the file, None when there is none.

    Raises ConfigError for one that is open to others or cannot be read.
    """
    private_file.sweep(path)
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            data = file.read(_MAX_BYTES)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ConfigError(f"The credential file {path} cannot be read: {error.strerror}") from error
    if mode & 0o077:
        raise ConfigError(f"The credential file {path} is open to other accounts", hint=f"chmod 600 {path}")
    return data


def write_private(path: Path, data: bytes) -> None:
    """Write the file so that a crash leaves the old one or the new one. Raises ConfigError."""
    try:
        private_file.replace(path, data)
    except OSError as error:
        raise ConfigError(f"The credential file {path} cannot be written: {error.strerror}") from error
