"""The folders of an installation: who may read what, and where its sockets are.

For an ordinary account everything is its own alone. For root, functions run as other users, so the folders on the way
to their code let others pass (and read the code), while all else stays closed.

The path of a unix socket is limited to 107 bytes. A data folder deep in the tree leaves no room for `run/r/ID.sock`;
then the run folder is a short one under XDG_RUNTIME_DIR or /tmp, and `DATA/run.path` names it.
"""

import hashlib
import os
import stat
from collections.abc import Mapping
from pathlib import Path

from dayfly.model.errors import ConfigError
from dayfly.server.traces import empty, write_private

LONGEST_SOCKET_PATH = 107
_LONGEST_NAME = "r/0123456789.sock"
_CLOSED = ("blobs", "credentials", "flows", "log", "records")
_SHARED = ("code", "layers")


def prepare_data_dir(path: Path, *, as_root: bool) -> None:
    """Make the data folder and its parts with their modes, or set the modes right. Raises ConfigError."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.chmod(0o711 if as_root else 0o700)
        for name in (*_CLOSED, *_SHARED):
            part = path / name
            part.mkdir(mode=0o700, exist_ok=True)
            part.chmod(0o711 if as_root and name in _SHARED else 0o700)
    except OSError as failed:
        raise ConfigError(
            f"the data folder {path} cannot be used: {failed.strerror}",
            hint="give another with --data-dir or DAYFLY_DATA_DIR",
        ) from failed


def prepare_run_dir(data_dir: Path, environ: Mapping[str, str], *, as_root: bool) -> Path:
    """Make the run folder, empty but for what replicas of an earlier life left, and return it. Raises ConfigError."""
    run_dir, pointer = data_dir / "run", data_dir / "run.path"
    try:
        if _too_long(run_dir):
            run_dir = _short_run_dir(data_dir, environ)
            write_private(pointer, os.fsencode(run_dir) + b"\n")
        else:
            pointer.unlink(missing_ok=True)
            run_dir.mkdir(mode=0o700, exist_ok=True)
        mode = 0o711 if as_root else 0o700
        run_dir.chmod(mode)
        (run_dir / "r").mkdir(mode=0o700, exist_ok=True)
        (run_dir / "r").chmod(mode)
    except OSError as failed:
        raise ConfigError(f"the folder for sockets {run_dir} cannot be used: {failed.strerror}") from failed
    empty(run_dir)
    return run_dir


def find_run_dir(data_dir: Path) -> Path:
    """Return where the run folder of this data folder is, whether or not it exists."""
    try:
        return Path(os.fsdecode((data_dir / "run.path").read_bytes().strip()))
    except OSError:
        return data_dir / "run"


def _too_long(run_dir: Path) -> bool:
    return len(os.fsencode(run_dir / _LONGEST_NAME)) > LONGEST_SOCKET_PATH


def _short_run_dir(data_dir: Path, environ: Mapping[str, str]) -> Path:
    name = f"dayfly-{os.geteuid()}-{hashlib.sha256(os.fsencode(data_dir)).hexdigest()[:12]}"
    for parent in (environ.get("XDG_RUNTIME_DIR", ""), "/tmp"):  # noqa: S108 - ours alone: made 0700 and checked below
        candidate = Path(parent) / name
        if parent and Path(parent).is_dir() and not _too_long(candidate):
            break
    candidate.mkdir(mode=0o700, exist_ok=True)
    found = candidate.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        raise ConfigError(f"{candidate} belongs to somebody else; remove it, or give a shorter --data-dir")
    return candidate
