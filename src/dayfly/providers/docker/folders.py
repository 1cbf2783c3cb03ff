"""What lies on this machine for one container: its porter's sockets, its secrets, and what we must remember of it.

    FOLDER/hosts        shown to the container as /etc/hosts
    FOLDER/s/           shown to the porter, which makes its sockets `in` and `out` there
    FOLDER/ready        the container has served before; made anew it would have to show so again
    FOLDER/stop         it was told to end, and is killed at the time in here
    FOLDER/cursor       up to where its output was read
    SECRETS/ID/NAME     the function's secrets, in memory; shown to its container read-only

A container knows nothing of these, and its labels no secret. They outlive the control plane, as it does.
"""

import contextlib
import os
import shutil
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

from dayfly.model.errors import NotSupported, Unavailable
from dayfly.providers.docker.frames import Cursor

_IN_MEMORY = ("tmpfs", "ramfs")


class Folder:
    """The files of one container. Methods raise Unavailable when the disk refuses."""

    def __init__(self, path: Path, secrets: Path) -> None:
        self.path = path
        self.hosts = path / "hosts"
        self.sockets = path / "s"
        self.entry, self.exit = self.sockets / "in", self.sockets / "out"
        self.secrets = secrets
        self._cursor_fd = -1

    def make(self, owner: int | None, hosts: str, secrets: Mapping[str, bytes]) -> None:
        """Make the folder, its sockets' the porter's own where `owner` is given, and write `hosts` and the secrets."""
        with _disk():
            self.sockets.mkdir(mode=0o700, parents=True, exist_ok=True)
            if owner is not None:
                os.chown(self.sockets, owner, owner)
            _write(self.hosts, hosts.encode(), 0o444)
        if not secrets:
            return
        if not is_in_memory(self.secrets.parent.parent):
            raise NotSupported(
                f"the function has secrets, and {self.secrets.parent.parent} is not kept in memory: secrets are written"
                " to no disk; start Dayfly where /dev/shm or $XDG_RUNTIME_DIR is a tmpfs"
            )
        with _disk():
            self.secrets.parent.mkdir(mode=0o700, exist_ok=True)
            _check_ours(self.secrets.parent)
            # Readable to whoever the container runs as: only it is shown the folder, and nobody passes the one above.
            self.secrets.mkdir(mode=0o700, exist_ok=True)
            for name, value in secrets.items():
                _write(self.secrets / name, value, 0o444)
            self.secrets.chmod(0o555)

    def read_secrets(self) -> dict[str, bytes]:
        """Return the secrets that were written."""
        with contextlib.suppress(FileNotFoundError), _disk():
            return {path.name: path.read_bytes() for path in sorted(self.secrets.iterdir())}
        return {}

    def mark_ready(self) -> None:
        """Remember that it has served."""
        with _disk():
            _write(self.path / "ready", b"", 0o600)

    @property
    def was_ready(self) -> bool:
        """Whether it has served."""
        return (self.path / "ready").exists()

    def mark_stopping(self, kill_at: float) -> None:
        """Remember that it was told to end, and when it is to be killed, on the monotonic clock."""
        with _disk():
            self.path.mkdir(mode=0o700, exist_ok=True)
            _write(self.path / "stop", f"{kill_at:.3f}".encode(), 0o600)

    @property
    def stop_at(self) -> float | None:
        """When it is to be killed, on the monotonic clock; None when it was not told to end."""
        try:
            return float((self.path / "stop").read_bytes())
        except (OSError, ValueError):
            return None

    @property
    def cursor(self) -> Cursor:
        """Up to where its output was read; the beginning when it was not."""
        try:
            unix_ns, lines = (self.path / "cursor").read_bytes().split()
            return Cursor(int(unix_ns), int(lines))
        except (OSError, ValueError):
            return Cursor()

    def move_cursor(self, cursor: Cursor) -> None:
        """Remember that everything up to then was read. A disk that refuses costs lines told twice, no more."""
        with contextlib.suppress(OSError):
            if self._cursor_fd < 0:
                self._cursor_fd = os.open(self.path / "cursor", os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
            os.pwrite(self._cursor_fd, b"%019d %019d" % (cursor.unix_ns, cursor.lines), 0)

    def close_entry(self) -> None:
        """Let nobody in any more. Idempotent."""
        for path in (self.entry, self.exit):
            with contextlib.suppress(OSError):
                path.unlink()

    def close(self) -> None:
        """Close what is open. Idempotent."""
        if self._cursor_fd >= 0:
            os.close(self._cursor_fd)
            self._cursor_fd = -1

    def remove(self) -> None:
        """Remove all of it. Idempotent."""
        self.close()
        with contextlib.suppress(OSError):
            self.secrets.chmod(0o700)
        for path in (self.path, self.secrets):
            shutil.rmtree(path, ignore_errors=True)
        with contextlib.suppress(OSError):  # others have theirs there
            self.secrets.parent.rmdir()


def secrets_root(environ: Mapping[str, str]) -> Path:
    """Return the folder in memory below which secrets lie."""
    for text in (environ.get("XDG_RUNTIME_DIR", ""), "/dev/shm"):  # noqa: S108 - below it a folder of mode 0700, ours
        if text and is_in_memory(Path(text)) and os.access(text, os.W_OK):
            return Path(text)
    return Path("/dev/shm")  # noqa: S108 - as above; who needs it is told that it is not in memory


def is_in_memory(path: Path) -> bool:
    """Whether what is written to the folder stays in memory."""
    try:
        device = os.stat(path).st_dev
        mounts = Path("/proc/self/mountinfo").read_text()
    except OSError:
        return False
    wanted = f"{os.major(device)}:{os.minor(device)}"
    found = [line for line in mounts.splitlines() if line.split(" ", 3)[2] == wanted]
    return bool(found) and all(line.partition(" - ")[2].split(" ")[0] in _IN_MEMORY for line in found)


@contextlib.contextmanager
def _disk() -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise
    except OSError as error:
        raise Unavailable(f"what a container needs cannot be written: {error.strerror}: {error.filename}") from error


def _check_ours(folder: Path) -> None:
    """Refuse a folder in a place open to everybody that somebody else made before us. Raises Unavailable."""
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o077:
        raise Unavailable(f"{folder} is not this account's alone; remove it, so that secrets can be kept there")


def _write(path: Path, data: bytes, mode: int) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
    with os.fdopen(fd, "wb") as file:
        file.write(data)
        os.fchmod(fd, mode)
