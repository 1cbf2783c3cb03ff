"""Plugins: programs of one's own, run as commands of ours. `dayfly NAME …` is the program NAME in a plugins folder.

The folders are `~/.dayfly/plugins` and faas-cli's own, `~/.openfaas/plugins`, in this order. A command of ours wins
over a plugin of its name. The program takes our place, so that its exit code, its signals and its terminal are its own.
"""

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

FAILED = 127
"""The exit code where a plugin is there and cannot be run."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", re.ASCII)


def folders(environ: Mapping[str, str]) -> list[Path]:
    """Return where plugins are looked for."""
    home = environ.get("HOME", "")
    return [Path(home, name, "plugins") for name in (".dayfly", ".openfaas")] if home else []


def plugins(environ: Mapping[str, str]) -> dict[str, Path]:
    """Return all plugins there are, by name; each name's first."""
    found: dict[str, Path] = {}
    for folder in folders(environ):
        for path in sorted(folder.iterdir()) if folder.is_dir() else ():
            if _NAME.fullmatch(path.name) and _is_program(path):
                found.setdefault(path.name, path)
    return found


def find_plugin(name: str, environ: Mapping[str, str]) -> Path | None:
    """Return the plugin of this name, or None."""
    if not _NAME.fullmatch(name):
        return None
    return next((folder / name for folder in folders(environ) if _is_program(folder / name)), None)


def become(path: Path, args: Sequence[str]) -> str:
    """Let the plugin take this process's place; return why that is not possible, where it is not."""
    try:
        os.execv(path, [str(path), *args])  # noqa: S606 - there is nothing for a shell to do
    except OSError as error:
        return f"{path} cannot be run: {error.strerror}."


def _is_program(path: Path) -> bool:
    return path.is_file() and os.access(path, os.X_OK)
