"""Logins at registries, written: into Docker's file or its keychain, or into one of their own as faas-cli does."""

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from dayfly.client.private_file import write_private
from dayfly.model.errors import InvalidRequest, InvalidSpec
from dayfly.model.image import HUB
from dayfly.oci.credential_helper import find_helper
from dayfly.oci.credentials import Login, docker_config, read, server_name
from dayfly.oci.reference import Reference, parse_reference

FILE = Path("credentials") / "config.json"
"""Where faas-cli writes it, below the working folder."""
_IGNORE = "*\n"


def registry_of(server: str) -> Reference:
    """Return a name in the registry that somebody means by `server`: a host, or a URL as Docker keeps it.

    Raises InvalidRequest.
    """
    host = server.partition("://")[2] or server
    host = host.partition("/")[0]
    try:
        found = parse_reference(f"{host}/login/login")
    except InvalidSpec:
        found = None
    if found is None or (found.registry == HUB and "docker.io" not in host):
        raise InvalidRequest(f"--server: {server[:80]!r} is no registry, as ghcr.io and localhost:5000 are.")
    return found


def keep(registry: Reference, login: Login, environ: Mapping[str, str]) -> str:
    """Keep a login where `docker login` would and return where that is. Raises ConfigError."""
    path = docker_config(environ).resolve()
    config = read(path)
    server = server_name(registry.registry)
    helpers = config.get("credHelpers")
    named = helpers.get(registry.registry) if isinstance(helpers, dict) else None
    if named := named or config.get("credsStore"):
        helper = find_helper(str(named))
        helper.store(server, login.username, login.password)
        return f"docker-credential-{named}"
    auths = config.get("auths")
    entry = {"auth": _encoded(login)}
    write_private(path, _text({**config, "auths": {**(auths if isinstance(auths, dict) else {}), server: entry}}))
    return str(path)


def write_login(server: str, login: Login, path: Path = FILE) -> None:
    """Write a file with this login alone, and see to it that git leaves it out. Raises ConfigError."""
    _write(path, {"auths": {server: {"auth": _encoded(login)}}})


def write_ecr(account: str, region: str, path: Path = FILE) -> None:
    """Write a file that has Amazon's helper asked for an account's registry. Raises ConfigError."""
    host = f"{account}.dkr.ecr.{region}.amazonaws.com"
    _write(path, {"credsStore": "ecr-login", "credHelpers": {host: "ecr-login"}})


def _write(path: Path, content: dict[str, Any]) -> None:
    write_private(path, _text(content))
    ignore = path.with_name(".gitignore")
    if not ignore.exists():
        write_private(ignore, _IGNORE.encode())


def _encoded(login: Login) -> str:
    return base64.b64encode(f"{login.username}:{login.password}".encode()).decode()


def _text(content: dict[str, Any]) -> bytes:
    return msgspec.json.format(msgspec.json.encode(content), indent=1) + b"\n"
