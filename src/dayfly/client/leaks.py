"""What must never leave an author's machine inside a bundle, and what never needs to (threat T16).

A handler's folder is often somebody's working folder: it holds keys, settings with passwords and a git history beside
the code. A bundle that would carry one of these is refused rather than quietly made without it, because the author
should know; naming the file in `.dayflyignore` is the way to say that it is not meant. This is about names; what a file
contains is `oci/scan`'s to judge, whatever it is called. Caches, environments and what editors leave behind are left
out silently.
"""

from fnmatch import fnmatchcase

_SKIPPED_FOLDERS = {
    "__pycache__", "node_modules", ".venv", "venv", ".tox", ".nox", ".mypy_cache", ".pytest_cache", ".ruff_cache",
    ".hypothesis", ".idea", ".vscode", ".vs", ".ipynb_checkpoints", ".dayfly", ".eggs", "*.egg-info",
}  # fmt: skip
_SKIPPED_FILES = {
    "*.py[cod]", "*.sw[a-p]", "*~", ".#*", "#*#", ".DS_Store", "Thumbs.db", "desktop.ini", ".dayflyignore", ".coverage",
}  # fmt: skip
_REFUSED = {
    ".git",
    ".hg",
    ".svn",
    ".env",
    "*.pem",
    "*.p12",
    "*.pfx",
    ".aws",
    ".kube",
    ".ssh",
    ".gnupg",
    ".netrc",
    ".npmrc",
    ".pypirc",
    ".secrets",
}
_ENV_EXAMPLES = {".env.example", ".env.sample", ".env.template", ".env.dist"}


def is_clutter(name: str, *, is_folder: bool) -> bool:
    """Whether an entry of this name is left out without a word."""
    return any(fnmatchcase(name, pattern) for pattern in (_SKIPPED_FOLDERS if is_folder else _SKIPPED_FILES))


def is_secret_name(name: str) -> bool:
    """Whether an entry of this name is taken to hold credentials, or a history that may.

    `id_*` counts only without an extension, as ssh names its keys: `id_map.py` is a module.
    """
    if any(fnmatchcase(name, pattern) for pattern in _REFUSED):
        return True
    if name.startswith(".env."):
        return name not in _ENV_EXAMPLES
    return name.startswith("id_") and "." not in name
