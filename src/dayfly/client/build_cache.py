"""What was built before: the same source is not compiled twice, and is the same bundle to the platform.

Kept in the user's cache folder, `builds/KEY-DIGEST.tar.gz`: KEY says what it was made of, DIGEST what it is, so that a
damaged file is found out and made again. The folder is the account's own. The newest 64 are kept.
"""

import contextlib
import fcntl
import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

from dayfly.client.bundle import Bundle
from dayfly.client.template_file import Template
from dayfly.model.errors import ConfigError

KEPT = 64
_FORM = b"1"
_FILE = re.compile(r"([0-9a-f]{64})-([0-9a-f]{64})\.tar\.gz")


def default_cache_dir(environ: Mapping[str, str] | None = None) -> Path:
    """Return the folder for what can be made again: `$XDG_CACHE_HOME/dayfly`, else `~/.cache/dayfly`."""
    environ = os.environ if environ is None else environ
    root = environ.get("XDG_CACHE_HOME") or ""
    return (Path(root) if root.startswith("/") else Path(environ.get("HOME") or "~").expanduser() / ".cache") / "dayfly"


def key_of(template: Template, version: str, args: Mapping[str, str], folder: Path) -> str:
    """Return what tells this build from any other: template, toolchain, arguments and every file of its folder."""
    told = hashlib.sha256(_FORM)
    for part in (msgspec.json.encode(template.recipe), version.encode(), msgspec.json.encode(sorted(args.items()))):
        told.update(hashlib.sha256(part).digest())
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            about = f"{path.relative_to(folder).as_posix()}\0{path.stat().st_mode & 0o111}\0"
            told.update(about.encode() + hashlib.sha256(path.read_bytes()).digest())
    return told.hexdigest()


class BuildCache:
    """The builds of this account. Raises ConfigError when its folder cannot be used."""

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = (folder or default_cache_dir()) / "builds"
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            about = self._folder.stat()
        except OSError as error:
            raise _unusable(self._folder, error.strerror) from error
        if about.st_uid != os.geteuid() or about.st_mode & 0o022:
            raise _unusable(self._folder, "others can write to it")

    @contextlib.contextmanager
    def place(self, handler: Path) -> Iterator[Path]:
        """Give the path of the build folder of this handler, always the same, to one process at a time.

        Nothing is there at first, and nothing is left there.
        """
        path = self._folder / hashlib.sha256(os.fsencode(handler.resolve())).hexdigest()[:16]
        with _locked(path.with_suffix(".lock")):
            _remove(path)
            try:
                yield path
            finally:
                _remove(path)

    def find(self, key: str) -> Bundle | None:
        """Return what was built of this before, or None."""
        for path in self._folder.glob(f"{key}-*.tar.gz"):
            match = _FILE.fullmatch(path.name)
            data = path.read_bytes()
            if match is not None and hashlib.sha256(data).hexdigest() == match[2]:
                os.utime(path)
                return Bundle(data, f"sha256:{match[2]}")
            path.unlink()
        return None

    def keep(self, key: str, bundle: Bundle) -> None:
        """Keep a build, and let the oldest go when there are too many."""
        descriptor, name = tempfile.mkstemp(dir=self._folder)
        with os.fdopen(descriptor, "wb") as file:
            file.write(bundle.data)
        Path(name).replace(self._folder / f"{key}-{bundle.digest.removeprefix('sha256:')}.tar.gz")
        kept = sorted(self._folder.glob("*.tar.gz"), key=lambda path: path.stat().st_mtime_ns)
        for path in kept[:-KEPT]:
            path.unlink(missing_ok=True)


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold the lock `path` for as long as the block lasts, and remove it then."""
    while True:
        with path.open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not _is_at(path, lock.fileno()):
                continue  # who held it has removed it meanwhile, and the next one may hold another of this name
            try:
                yield
            finally:
                path.unlink(missing_ok=True)
            return


def _is_at(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _unusable(folder: Path, why: str | None) -> ConfigError:
    return ConfigError(f"{folder}, where builds are made, cannot be used: {why}.", hint="XDG_CACHE_HOME moves it.")


def _remove(path: Path) -> None:
    """Remove a build folder, what a toolchain has made read-only in it too."""
    if path.exists():
        for folder, _, _ in os.walk(path):
            os.chmod(folder, 0o700)  # top-down, so that what is inside can be entered
        shutil.rmtree(path)
