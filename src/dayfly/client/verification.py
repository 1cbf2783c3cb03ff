"""Whether an image is signed by whom it has to be, asked of its registry with the login that is kept here."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from dayfly.model.image import parse_image
from dayfly.oci.reference import Reference, parse_reference
from dayfly.oci.registry.connect import connect
from dayfly.oci.signature import verify
from dayfly.oci.signing_key import VerifyKey, load_verify_key


def verified(image: str, keys: Sequence[Path]) -> str:
    """Return the image's name with the digest that was found signed with one of the keys.

    Raises Forbidden when it is not, ConfigError for a key that is none, InvalidSpec, and what a registry may raise.
    """
    known = [load_verify_key(key) for key in keys]
    digest = asyncio.run(_verified(parse_reference(image), known)).digest
    return parse_image(image).pinned(digest)


async def _verified(reference: Reference, keys: Sequence[VerifyKey]) -> Reference:
    async with connect(reference) as session:
        return await verify(session, reference, keys)
