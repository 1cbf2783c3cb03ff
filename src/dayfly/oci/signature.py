"""Who vouches for an image: a signature over its digest and its name, kept beside it in the registry.

What is signed is a small document, as in simple signing:

    {"critical": {"identity": {"docker-reference": "registry.example.com/team/name"},
                  "image": {"docker-manifest-digest": "sha256:…"},
                  "type": "dayfly image signature"}}

The name is without a tag: a signature says whose image it is, not which is the newest. It is part of what is signed, so
that nobody can pass an image off as another one that the same hand has signed.
"""

import asyncio
import base64
import binascii
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import msgspec

from dayfly.model.errors import Forbidden, InvalidRequest
from dayfly.oci.artefact import make_artefact
from dayfly.oci.layout import Layout
from dayfly.oci.manifest import Descriptor, Manifest, decode
from dayfly.oci.reference import Reference
from dayfly.oci.registry import manifests
from dayfly.oci.registry.blobs import download
from dayfly.oci.registry.referrers import referrers
from dayfly.oci.registry.session import Session
from dayfly.oci.signing_key import SigningKey, VerifyKey

KIND = "application/vnd.dayfly.signature.v1+json"
_SIGNATURE, _KEY = "com.dayfly.signature", "com.dayfly.signature.key"
_MAX_PAYLOAD = 16 * 1024
_MOST_LOOKED_AT = 50
"""Of the signatures that lie beside an image; anybody who may write there can add some."""


class _Identity(msgspec.Struct, frozen=True, rename={"reference": "docker-reference"}):
    reference: str


class _Image(msgspec.Struct, frozen=True, rename={"digest": "docker-manifest-digest"}):
    digest: str


class _Critical(msgspec.Struct, frozen=True):
    identity: _Identity
    image: _Image
    type: Literal["dayfly image signature"] = "dayfly image signature"


class _Payload(msgspec.Struct, frozen=True):
    critical: _Critical


def payload_of(reference: Reference, digest: str) -> bytes:
    """Return what is signed for the image of this digest, whatever the reference's own tag or digest is."""
    name = f"{reference.registry}/{reference.repository}"
    return msgspec.json.encode(_Payload(_Critical(_Identity(name), _Image(digest))))


def sign(layout: Layout, entry: Descriptor, reference: Reference, key: SigningKey) -> Descriptor:
    """Keep a signature of the image in the layout and return its manifest, which has the image as its subject."""
    payload = payload_of(reference, entry.digest)
    told = {_SIGNATURE: base64.b64encode(key.sign(payload)).decode(), _KEY: key.public.name}
    return make_artefact(layout, entry, KIND, payload, told)


def is_signed(manifest: Manifest, payload: bytes, reference: Reference, digest: str, keys: Sequence[VerifyKey]) -> bool:
    """Whether this signature is one of the image's, under this name, with one of the keys."""
    if payload != payload_of(reference, digest):
        return False
    try:
        signature = base64.b64decode((manifest.annotations or {}).get(_SIGNATURE, ""), validate=True)
    except binascii.Error:
        return False
    return any(key.signed(payload, signature) for key in keys)


async def verify(session: Session, reference: Reference, keys: Sequence[VerifyKey]) -> Reference:
    """Return the reference with the digest that it means now, once a signature over that was found good.

    Raises Forbidden when there is none, and what a session raises.
    """
    descriptor, _ = await manifests.fetch(session, reference)
    found = [each for each in await referrers(session, reference, descriptor.digest) if each.artifact_type == KIND]
    with tempfile.TemporaryDirectory(prefix="dayfly-verify-") as folder:
        layout = await asyncio.to_thread(Layout.create, Path(folder))
        for each in found[:_MOST_LOOKED_AT]:
            if await _is_good(session, reference, descriptor.digest, each, layout, keys):
                return reference.at(descriptor.digest)
    names = " or ".join(key.name for key in keys)
    if not found:
        raise Forbidden(
            f"{reference.familiar} ({descriptor.digest}) is not signed, and was to be by {names}.",
            hint="`dayfly push --sign-key FILE` signs an image.",
        )
    raise Forbidden(
        f"No signature of {reference.familiar} ({descriptor.digest}) is good for {names}.",
        hint="It is signed with another key, or for another name.",
    )


async def _is_good(
    session: Session, reference: Reference, digest: str, each: Descriptor, layout: Layout, keys: Sequence[VerifyKey]
) -> bool:
    try:
        _, data = await manifests.fetch(session, reference.at(each.digest))
        manifest = decode(data, Manifest, f"the signature {each.digest}")
        if len(manifest.layers) != 1 or manifest.layers[0].size > _MAX_PAYLOAD:
            return False
        await download(session, reference.repository, manifest.layers[0], layout)
        payload = await asyncio.to_thread(layout.read, manifest.layers[0])
    except InvalidRequest:  # somebody put something else there
        return False
    return is_signed(manifest, payload, reference, digest, keys)
