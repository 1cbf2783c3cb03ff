"""What the supervisor leaves behind: words for people, files for other programs; and how they are removed.

Like the supervisor it knows only the standard library's lighter half.
"""

import contextlib
import json
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path


def _to_people(text: str) -> None:
    write(2, f"dayfly: {text}\n")


_speaker: list[Callable[[str], None]] = [_to_people]


def speak(by: Callable[[str], None]) -> None:
    """Have `by` write down what is said from now on."""
    _speaker[0] = by


def say(text: str) -> None:
    """Write a line to standard error, or wherever the log is written."""
    _speaker[0](text)


def write(fd: int, text: str) -> None:
    """Write the text, or drop it when nobody reads.

    Who read this may be gone, with the terminal or the other end of a pipe. That is no reason to stop serving, nor to
    leave sockets and processes behind when it happens on the way down.
    """
    with contextlib.suppress(OSError):
        os.write(fd, text.encode())


def tell(fd: int, message: Mapping[str, object]) -> None:
    """Write one line of JSON to whoever waits for it, and close the descriptor."""
    write(fd, json.dumps(message) + "\n")
    os.close(fd)


def write_private(path: Path, data: bytes, *, lasting: bool = False) -> None:
    """Replace the file by `data` in one step; only the owner may read it. A `lasting` one outlives a loss of power."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    fresh.unlink(missing_ok=True)
    fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(fd, "wb") as file:
        file.write(data)
        file.flush()
        if lasting:
            os.fsync(fd)
    fresh.replace(path)
    if lasting:
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def empty(run_dir: Path) -> list[Path]:
    """Remove what lies in the run folder of a life that is over; return the folders in it.

    Sockets and files go, never a tree, as another file system may be mounted inside; but for what functions without a
    root of their own wrote or were given, should their zygote have been killed. The lock must be held.
    """
    for place in (run_dir / "scratch").glob("*/secrets"):
        for folder in place.iterdir():
            with contextlib.suppress(OSError):
                folder.chmod(0o700)  # closed against changes, for us too
        shutil.rmtree(os.path.realpath(place), ignore_errors=True)
    shutil.rmtree(run_dir / "scratch", ignore_errors=True)
    folders = [entry for entry in run_dir.iterdir() if _is_folder(entry)]
    for folder in (*folders, run_dir):
        for entry in folder.iterdir():
            if not _is_folder(entry):
                entry.unlink(missing_ok=True)
    return folders


def clear(run_dir: Path) -> None:
    """Remove what lies in the run folder, and it and its folders as far as they are empty then."""
    for folder in (*empty(run_dir), run_dir):
        with contextlib.suppress(OSError):
            folder.rmdir()


def sign(lock_fd: int) -> None:
    """Write into the data folder's lock who holds it."""
    os.ftruncate(lock_fd, 0)
    os.pwrite(lock_fd, f"{os.getpid()}\n".encode(), 0)


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()
