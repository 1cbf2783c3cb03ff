"""The logins that faas-cli keeps, so that whoever has logged in there need not do it again here.

They are only read. The file is `config.yml` in `OPENFAAS_CONFIG`, or in `./.openfaas` where `CI` is `true` or `1`, or
in `~/.openfaas`: a list `auths`, each entry with the gateway's URL, `basic` or `oauth2`, and a token. As with our own
file, one that others could have read or written is not believed; it counts as none.
"""

import base64
import binascii
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from dayfly.client.credentials import Credential
from dayfly.client.private_file import read_private
from dayfly.model.errors import DayflyError

if TYPE_CHECKING:
    from dayfly.client.stack_fields import Fields


def config_file(environ: Mapping[str, str]) -> Path:
    """Return where faas-cli keeps its logins."""
    home = Path(environ.get("HOME") or "~").expanduser()
    named = environ.get("OPENFAAS_CONFIG", "")
    if named:
        return home / named[2:] / "config.yml" if named.startswith("~/") else Path(named) / "config.yml"
    in_ci = environ.get("CI", "") in ("true", "1")
    return (Path() if in_ci else home) / ".openfaas" / "config.yml"


def find_login(is_meant: Callable[[str], bool], environ: Mapping[str, str]) -> Credential | None:
    """Return the credential that faas-cli keeps for the first gateway whose URL is meant, or None."""
    path = config_file(environ)
    try:
        content = read_private(path)
        if content is None:
            return None
        # Here, because hardly anybody has such a file, and a YAML parser takes its time.
        from dayfly.client import yaml_text
        from dayfly.client.stack_fields import Fields

        entries = Fields.root(str(path), yaml_text.load(content.decode())).sections("auths")
        found = next((entry for entry in entries if is_meant(entry.text("gateway"))), None)
        return _credential(found) if found is not None else None
    except (DayflyError, UnicodeDecodeError):
        # Another program's file, and perhaps not even that: what cannot be read there must not stop our commands.
        return None


def _credential(entry: "Fields") -> Credential | None:
    """Raises DayflyError for what cannot be one."""
    kind, token = entry.text("auth") or "basic", entry.text("token").strip()
    if kind == "oauth2":
        return Credential.bearer(token)
    try:
        name, _, password = base64.b64decode(token, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return Credential.basic(name, password) if kind == "basic" else None
