"""What tells one installation from another where several share something: a container engine, a folder in memory.

The name of the data folder would not do: the same name stands for different folders on two machines, or in two
containers, that may use one engine.
"""

import secrets
from pathlib import Path

from dayfly.model.errors import ConfigError
from dayfly.server.traces import write_private

_FILE = "installation"
_BYTES = 6


def installation_of(data_dir: Path) -> str:
    """Return the installation's own name, made when it is first asked for. Raises ConfigError, OSError."""
    path = data_dir / _FILE
    try:
        name = path.read_text("ascii").strip()
    except FileNotFoundError:
        name = secrets.token_hex(_BYTES)
        write_private(path, name.encode() + b"\n", lasting=True)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read: {error}") from error
    if len(name) != 2 * _BYTES or not set(name) <= set("0123456789abcdef"):
        raise ConfigError(f"{path} does not hold an installation's name; remove it, and a new one is made")
    return name
