"""The secrets of a function that is being written, where no platform keeps them: files of a folder, a secret each.

OpenFaaS's tools look for them in the same place, `.secrets` in the folder that one works in; what is in such a folder
is never packed. As `dayfly secret create` does, blanks around a text are taken away.
"""

from collections.abc import Iterable
from pathlib import Path

from dayfly.cli.secret_content import trimmed
from dayfly.model.errors import InvalidRequest

FOLDER = ".secrets"


def read_secrets(names: Iterable[str], folder: Path) -> dict[str, bytes]:
    """Return what is in these secrets. Raises InvalidRequest naming one that cannot be read."""
    found = {}
    for name in names:
        try:
            found[name] = trimmed((folder / name).read_bytes(), trim=True)
        except OSError as error:
            raise InvalidRequest(
                f"The secret {name} cannot be read: {folder / name}: {error.strerror}.",
                hint=f"Write it to {folder / name}.",
            ) from error
    return found
