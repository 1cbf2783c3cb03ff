"""What an image's tag means, asked of its registry once for a revision, so that all nodes run the same.

The login is the one that nodes pull with: the Secrets that the installation names (`image.pullSecrets`). Where the
registry cannot be asked from here (images that were only ever imported into nodes, one on the nodes' own loopback) the
tag stays one, and each node finds out for itself.
"""

import asyncio
import base64
import logging
from collections.abc import Awaitable, Callable, Sequence

from dayfly.cluster.connection import Connection
from dayfly.cluster.kinds import SECRET
from dayfly.model.errors import DayflyError, NotFound
from dayfly.model.image import parse_image
from dayfly.oci.credentials import Login, login_in
from dayfly.oci.reference import Reference, parse_reference
from dayfly.oci.registry.connect import connect
from dayfly.oci.registry.endpoint import endpoint_of
from dayfly.oci.registry.manifests import digest_of

ASK_S = 15.0
_KIND, _KEY = "kubernetes.io/dockerconfigjson", ".dockerconfigjson"
_log = logging.getLogger("dayfly.server")


async def ask(reference: Reference, login: Login | None) -> str:
    """Return the digest that a registry has for a reference, empty for none. Raises DayflyError."""
    async with connect(reference, login=login, environ={}) as session:
        return await digest_of(session, reference)


class Pins:
    """Finds out what tags mean; the Secrets with logins are in `namespace`."""

    def __init__(
        self, api: Connection, namespace: str, secrets: Sequence[str],
        find: Callable[[Reference, Login | None], Awaitable[str]] = ask,
    ) -> None:  # fmt: skip
        self._api = api
        self._namespace = namespace
        self._secrets = secrets
        self._find = find

    async def pin(self, name: str, pinned: str) -> str:
        """Return the image that `name` means as one that does not change: `pinned` where that was found out before."""
        parsed = parse_image(name)
        if pinned or parsed.is_id or parsed.digest:
            return pinned or name
        reference = parse_reference(name)
        if endpoint_of(reference, environ={}).is_loopback:
            return name
        try:
            async with asyncio.timeout(ASK_S):
                digest = await self._find(reference, await self._login(reference))
        except (DayflyError, TimeoutError) as error:
            _log.warning("what the image %s means is left to each node: %s", name, error or "its registry is silent")
            return name
        return parsed.pinned(digest) if digest else name

    async def _login(self, reference: Reference) -> Login | None:
        """Return the login of the first Secret that has one. Raises StoreUnavailable."""
        for secret in self._secrets:
            try:
                found = await self._api.get(SECRET, secret, self._namespace)
            except NotFound:
                continue  # nodes go on without it, too
            if found.get("type") == _KIND:
                login = login_in(base64.b64decode(found.get("data", {}).get(_KEY, "")), reference)
                if login is not None:
                    return login
        return None
