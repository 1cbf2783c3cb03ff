"""Logins at registries, as `docker login` and `podman login` keep them.

    $DOCKER_CONFIG/config.json, else ~/.docker/config.json
    $REGISTRY_AUTH_FILE, $XDG_RUNTIME_DIR/containers/auth.json, ~/.config/containers/auth.json

In each: `credHelpers` names the program that keeps one registry's login, `auths` holds it itself, `credsStore` names
the program that keeps all others. A key of `auths` is a host, perhaps with a path before which it counts
(`quay.io/team`); Docker Hub's is `https://index.docker.io/v1/`. Files are read when they are needed, so that a login
counts at once. What is secret never goes into an error or a log.
"""

import base64
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from dayfly.model.errors import ConfigError
from dayfly.model.image import HUB
from dayfly.oci.credential_helper import Helper, find_helper
from dayfly.oci.reference import Reference

HUB_SERVER = "https://index.docker.io/v1/"
"""What Docker Hub is called where logins are kept."""
_HUB_NAMES = (HUB_SERVER, "index.docker.io", HUB, "registry-1.docker.io")
_MAX_BYTES = 4 * 1024 * 1024
IDENTITY = "<token>"
"""The user name under which a helper keeps an identity token."""


class Login(msgspec.Struct, frozen=True):
    """What a registry or its token server is shown."""

    username: str = ""
    password: str = ""
    identity_token: str = ""
    """What a token server takes in place of name and password; empty where those are there."""

    @property
    def basic(self) -> str:
        """The Authorization header that has it."""
        name = self.username or IDENTITY
        secret = self.identity_token or self.password
        return f"Basic {base64.b64encode(f'{name}:{secret}'.encode()).decode()}"

    def __repr__(self) -> str:
        """Nothing secret, since it may end up in a traceback."""
        return f"Login({self.username!r}, …)"


def files(environ: Mapping[str, str] = os.environ) -> tuple[Path, ...]:
    """Return the files that logins are looked for in, in this order."""
    home = Path(environ.get("HOME") or "/")
    found = [docker_config(environ)]
    if environ.get("REGISTRY_AUTH_FILE"):
        found.append(Path(environ["REGISTRY_AUTH_FILE"]))
    if environ.get("XDG_RUNTIME_DIR"):
        found.append(Path(environ["XDG_RUNTIME_DIR"], "containers/auth.json"))
    return (*found, home / ".config/containers/auth.json")


def docker_config(environ: Mapping[str, str] = os.environ) -> Path:
    """Return Docker's own file."""
    folder = environ.get("DOCKER_CONFIG")
    return Path(folder) / "config.json" if folder else Path(environ.get("HOME") or "/") / ".docker/config.json"


def login_for(reference: Reference, environ: Mapping[str, str] = os.environ) -> Login | None:
    """Return the login for the repository, the most particular of the first file that has one; None without.

    Blocks while a helper is asked. Raises ConfigError for a file that is damaged or a helper that does not work.
    """
    for path in files(environ):
        config = read(path)
        helper, server = _helper(config, reference.registry, "credHelpers")
        if helper is None:
            found = _kept(config, reference)
            if found is not None:
                return found
            helper, server = _helper(config, reference.registry, "credsStore")
        if helper is not None and (answer := helper.get(server)) is not None:
            name, secret = answer
            return Login(identity_token=secret) if name == IDENTITY else Login(name, secret)
    return None


def login_in(config: bytes, reference: Reference) -> Login | None:
    """Return the login that such a file's content itself has for the repository, None without one.

    Content that is damaged has none: whoever is asked for it will say what is lacking.
    """
    try:
        return _kept(msgspec.json.decode(config, type=dict[str, Any]), reference)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def read(path: Path) -> dict[str, Any]:
    """Return what a file of logins holds, nothing where there is none. Raises ConfigError when it is damaged."""
    try:
        with path.open("rb") as file:
            raw = file.read(_MAX_BYTES + 1)
    except OSError:  # none, or not for us to read: the registry will say what it lacks
        return {}
    try:
        found = msgspec.json.decode(raw, type=dict[str, Any]) if raw.strip() else {}
    except (msgspec.DecodeError, UnicodeDecodeError):
        # Without the decoder's words: they may quote what is in the file.
        raise ConfigError(f"{path}, where logins are kept, is not JSON.", hint="Mend it, or log in again.") from None
    return found


def server_name(registry: str) -> str:
    """Return what a registry is called where logins are kept."""
    return HUB_SERVER if registry == HUB else registry


def _names(registry: str) -> tuple[str, ...]:
    return _HUB_NAMES if registry == HUB else (registry,)


def _helper(config: dict[str, Any], registry: str, key: str) -> tuple[Helper | None, str]:
    """Return the helper that keeps this registry's login, and by what name; `key` is where it is looked for."""
    named = config.get(key)
    if key == "credsStore":
        return (find_helper(named) if isinstance(named, str) and named else None), server_name(registry)
    for name in _names(registry):
        if isinstance(named, dict) and isinstance(named.get(name), str) and named[name]:
            return find_helper(named[name]), server_name(registry)
    return None, ""


def _kept(config: dict[str, Any], reference: Reference) -> Login | None:
    """Return the login in the file itself whose key is the longest that covers the repository."""
    auths = config.get("auths")
    entries = auths if isinstance(auths, dict) else {}
    by_place = {place: entry for key, entry in reversed(list(entries.items())) for place in _places(str(key))}
    for place in _covering(reference):
        if (login := _login(by_place.get(place))) is not None:
            return login
    return None


def _places(key: str) -> Iterator[str]:
    """Yield what a key of `auths` covers: a host, or a host and the beginning of a path."""
    place = key.removeprefix("https://").removeprefix("http://").rstrip("/")
    host, _, path = place.partition("/")
    host = HUB if host in _HUB_NAMES else host.lower()
    yield host if path in ("", "v1", "v2") or "://" in key else f"{host}/{path}"


def _covering(reference: Reference) -> Iterator[str]:
    place = f"{reference.registry}/{reference.repository}"
    while place:
        yield place
        place = place.rpartition("/")[0]


def _login(entry: Any) -> Login | None:
    if not isinstance(entry, dict):
        return None
    if token := str(entry.get("identitytoken") or ""):
        return Login(identity_token=token)
    try:
        text = base64.b64decode(str(entry.get("auth") or ""), validate=True).decode()
    except ValueError:  # no base64, no ASCII, or no UTF-8 in it
        return None
    user, _, password = text.rstrip("\x00").partition(":")
    if not user:
        user, password = str(entry.get("username") or ""), str(entry.get("password") or "")
    return Login(user, password) if user else None
