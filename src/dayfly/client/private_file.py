"""Files that only this account may read: how they are read with suspicion and written without a gap.

A token or a password is believed only when it lies in a regular file that we own and that nobody else can read, and it
is never on disk with wider permissions, not even for the moment between creating the file and narrowing it.
"""

import os
import stat
import tempfile
from pathlib import Path

from dayfly.model.errors import ConfigError

_MAX_BYTES = 1024 * 1024


def read_private(path: Path) -> bytes | None:
    """Return the file's content, or None when there is no such file.

    Raises ConfigError when it is not a regular file, belongs to somebody else, is open to others, is larger than 1 MiB
    or cannot be read.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}.") from error
    with os.fdopen(descriptor, "rb") as file:
        about = os.fstat(descriptor)
        if not stat.S_ISREG(about.st_mode) or about.st_uid != os.geteuid():
            raise ConfigError(f"{path} is not a file of this account, so it is not trusted.")
        if about.st_mode & 0o077:
            raise ConfigError(f"{path} can be read by other accounts.", hint=f"Run: chmod 600 {path}")
        content = file.read(_MAX_BYTES + 1)
    if len(content) > _MAX_BYTES:
        raise ConfigError(f"{path} is larger than 1 MiB, so it is not one of ours.")
    return content


def write_private(path: Path, content: bytes) -> None:
    """Replace the file in one step, mode 0600, its folder 0700 where it has to be made. Raises ConfigError."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(descriptor)
            os.replace(name, path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error.strerror}.") from error
