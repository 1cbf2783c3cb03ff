"""What lets a client in: a credential, and the file that keeps logins between commands.

`dayfly login` writes `$XDG_CONFIG_HOME/dayfly/credentials.json` (`~/.config/…` by default), mode 0600, with one entry
for each gateway's normalised URL. The file is never read when others could have read or written it.
"""

import base64
import os
from collections.abc import Mapping
from pathlib import Path

import msgspec

from dayfly.client.private_file import read_private, write_private
from dayfly.model.errors import ConfigError, InvalidRequest
from dayfly.model.names import NamespaceName, parse_namespace


class Credential(msgspec.Struct, frozen=True, repr_omit_defaults=True):
    """A value for the Authorization header. Its text never appears in `repr`."""

    authorization: str

    @classmethod
    def basic(cls, username: str, password: str) -> "Credential":
        """A name and a password. Raises InvalidRequest for an empty one, or a colon in the name."""
        if not username or not password or ":" in username:
            raise InvalidRequest("A login needs a name without a colon, and a password that is not empty.")
        pair = base64.b64encode(f"{username}:{password}".encode()).decode()
        return cls(f"Basic {pair}")

    @classmethod
    def bearer(cls, token: str) -> "Credential":
        """A token. Raises InvalidRequest when it is empty or not printable ASCII."""
        if not token or not token.isascii() or not token.isprintable() or " " in token:
            raise InvalidRequest("A token is printable ASCII text without blanks.")
        return cls(f"Bearer {token}")

    def __repr__(self) -> str:
        """The kind of credential only."""
        return f"Credential({self.authorization.partition(' ')[0]} …)"


class Login(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A saved login: a name and a password, or any name and a token in the password's place."""

    username: str
    password: str
    namespace: str = ""
    """The only one it is good for; empty for all of them."""

    def __repr__(self) -> str:
        """Without the password."""
        return f"Login({self.username!r} …)"

    @property
    def credential(self) -> Credential:
        """What lets it in. Raises InvalidRequest when it cannot be one."""
        return Credential.basic(self.username, self.password)

    @property
    def own_namespace(self) -> NamespaceName:
        """The namespace that is meant where none is named. Raises InvalidName."""
        return parse_namespace(self.namespace)


class _Logins(msgspec.Struct, kw_only=True):
    version: int = 1
    gateways: dict[str, Login] = {}


class CredentialFile:
    """The saved logins, by normalised gateway URL."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def default(cls, environ: Mapping[str, str] | None = None) -> "CredentialFile":
        """The file of this account: below `XDG_CONFIG_HOME`, else `~/.config`."""
        environ = os.environ if environ is None else environ
        base = environ.get("XDG_CONFIG_HOME", "")
        folder = Path(base) if base.startswith("/") else Path(environ.get("HOME") or "~").expanduser() / ".config"
        return cls(folder / "dayfly" / "credentials.json")

    def find(self, url: str) -> Login | None:
        """Return the login saved for this normalised URL, or None. Raises ConfigError for an unsafe file."""
        return self._read().gateways.get(url)

    def save(self, url: str, username: str, password: str, *, namespace: str = "") -> None:
        """Keep a login for this normalised URL, replacing one that is there. Raises InvalidRequest, ConfigError."""
        login = Login(username=username, password=password, namespace=namespace)
        _ = login.credential, login.own_namespace
        logins = self._read()
        logins.gateways[url] = login
        self._write(logins)

    def remove(self, url: str) -> bool:
        """Forget the login for this normalised URL; return whether there was one. Raises ConfigError."""
        logins = self._read()
        found = logins.gateways.pop(url, None) is not None
        if found:
            self._write(logins)
        return found

    def _read(self) -> _Logins:
        content = read_private(self.path)
        if content is None:
            return _Logins()
        try:
            return msgspec.json.decode(content, type=_Logins)
        except msgspec.DecodeError as error:
            hint = "Delete it and run `dayfly login` again."
            raise ConfigError(f"{self.path} is not a file of saved logins: {error}.", hint=hint) from error

    def _write(self, logins: _Logins) -> None:
        write_private(self.path, msgspec.json.format(msgspec.json.encode(logins), indent=2) + b"\n")
