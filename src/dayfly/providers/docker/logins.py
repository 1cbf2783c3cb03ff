"""The operator's logins at registries, as the engine wants them beside a pull.

Looked for at each pull, so that a login made while the platform runs counts. The engine itself knows none: it is told.
"""

import asyncio
import base64
from collections.abc import Mapping

import msgspec

from dayfly.oci.credentials import Login, login_for, server_name
from dayfly.oci.reference import parse_reference

HEADER = "X-Registry-Auth"


class _Shown(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the engine presents to a registry."""

    username: str = ""
    password: str = ""
    identitytoken: str = ""
    serveraddress: str = ""


async def find(image: str, environ: Mapping[str, str]) -> dict[str, str]:
    """Return the headers of a pull of this image, none where no login is kept for it. Raises ConfigError."""
    reference = parse_reference(image)
    login = await asyncio.to_thread(login_for, reference, environ)
    return {HEADER: header(login, reference.registry)} if login is not None else {}


def header(login: Login, registry: str) -> str:
    """Return a login as the engine wants it."""
    shown = _Shown(login.username, login.password, login.identity_token, server_name(registry))
    return base64.urlsafe_b64encode(msgspec.json.encode(shown)).decode()
