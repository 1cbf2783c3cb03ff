"""From an image's name to a conversation with its registry, with the login that is kept for it."""

import asyncio
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from dayfly.oci.credentials import Login, login_for
from dayfly.oci.reference import Reference
from dayfly.oci.registry.endpoint import endpoint_of
from dayfly.oci.registry.session import Session


@asynccontextmanager
async def connect(
    reference: Reference,
    *,
    insecure: bool = False,
    login: Login | None = None,
    environ: Mapping[str, str] = os.environ,
) -> AsyncIterator[Session]:
    """Give a session with the registry of `reference`; `login` in place of the one that is kept.

    Raises ConfigError, and what beginning a session raises.
    """
    if login is None:
        login = await asyncio.to_thread(login_for, reference, environ)
    async with Session(endpoint_of(reference, insecure=insecure, environ=environ), login) as session:
        yield session
