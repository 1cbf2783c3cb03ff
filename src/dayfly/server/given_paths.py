"""Paths that somebody gave, checked before anything starts; empty where nothing was given."""

import os
from collections.abc import Mapping
from pathlib import Path

from dayfly.model.errors import ConfigError

KEY_CREDENTIAL = "dayfly-secrets-key"
"""What the key is called among the credentials that systemd gives a service."""


def key_file(given: str, environ: Mapping[str, str]) -> str:
    """Return the key file that was given, by name or as a credential of systemd's."""
    if given:
        return str(Path(given).expanduser().absolute())
    credential = Path(environ.get("CREDENTIALS_DIRECTORY", ""), KEY_CREDENTIAL)
    return str(credential) if credential.is_absolute() and credential.is_file() else ""


def readable_folder(flag: str, text: str) -> str:
    """Return the absolute path of the folder that a flag names. Raises ConfigError when it is none."""
    if text and not Path(text).is_dir():
        raise ConfigError(f"{flag}: {text} is no folder")
    return str(Path(text).absolute()) if text else ""


def readable_file(flag: str, text: str) -> str:
    """Return the absolute path of the file that a flag names. Raises ConfigError when it cannot be read."""
    if text and not os.access(text, os.R_OK):
        raise ConfigError(f"{flag}: {text} cannot be read")
    return str(Path(text).absolute()) if text else ""
