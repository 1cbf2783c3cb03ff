"""Keys that tokens are checked with, and builder secrets made: 256 random bits in a file of its own each.

Without it no token of before is good, so a file that is damaged keeps the platform from starting instead of being
replaced.
"""

import secrets
from pathlib import Path

from dayfly.api.private_file import read_private, write_private
from dayfly.model.errors import ConfigError

_BYTES = 32


def load_or_make(path: Path, makes: str = "token") -> bytes:
    """Return the key, a fresh one where there is no file yet. Raises ConfigError for one that must not be used."""
    key = read_private(path)
    if key is None:
        key = secrets.token_bytes(_BYTES)
        write_private(path, key)
    if len(key) != _BYTES:
        raise ConfigError(
            f"The {makes}s' key {path} is empty or damaged; no {makes} could be checked",
            hint=f"Restore it, or remove it and hand out new {makes}s: those of before are worthless then",
        )
    return key
