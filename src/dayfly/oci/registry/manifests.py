"""Manifests and indexes of a registry: asked for, read with suspicion, put.

A document counts as what it is fetched as only when its own words agree: one that could be read as an index and as an
image alike has two meanings under one digest, and is refused.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from dayfly.model.errors import InvalidRequest, Unavailable
from dayfly.oci.manifest import (
    DOCKER_LIST,
    DOCKER_MANIFEST,
    INDEXES,
    MANIFESTS,
    MAX_BYTES,
    OCI_INDEX,
    OCI_MANIFEST,
    Descriptor,
    decode,
    describe,
)
from dayfly.oci.reference import Reference
from dayfly.oci.registry.request import Body, Request
from dayfly.oci.registry.session import Session
from dayfly.oci.registry.tokens import scope

_ACCEPT = {"Accept": ", ".join((OCI_INDEX, DOCKER_LIST, OCI_MANIFEST, DOCKER_MANIFEST))}
_DIGEST = "docker-content-digest"


class _Shape(msgspec.Struct, frozen=True, rename="camel"):
    """Enough of a document to see what it is."""

    media_type: str = ""
    manifests: Any = None
    layers: Any = None
    config: Any = None


async def fetch(session: Session, reference: Reference) -> tuple[Descriptor, bytes]:
    """Return what a reference means, and its bytes, of at most 4 MiB; checked against the digest where it names one.

    Raises NotFound, InvalidRequest for what is no image, and what a session raises.
    """
    request = Request(
        doing=f"give {reference.familiar}",
        method="GET",
        url=session.url(f"{reference.repository}/manifests/{reference.selector}"),
        scopes=frozenset({scope(reference.repository, "pull")}),
        headers=_ACCEPT,
    )
    answer = await session.ask(request, limit=MAX_BYTES)
    found = describe(answer.body, _kind(answer.headers, answer.body, reference))
    promised = reference.digest or answer.headers.get(_DIGEST, "")
    if promised.startswith("sha256:") and found.digest != promised:
        raise InvalidRequest(f"{reference.registry} gave {found.digest} for {reference.familiar}, not {promised}.")
    return found, answer.body


async def digest_of(session: Session, reference: Reference) -> str:
    """Return the digest of what a reference means, empty when the registry has nothing by it."""
    request = Request(
        doing=f"say whether it has {reference.familiar}",
        method="HEAD",
        url=session.url(f"{reference.repository}/manifests/{reference.selector}"),
        scopes=frozenset({scope(reference.repository, "pull")}),
        headers=_ACCEPT,
        good=frozenset({200, 404}),
    )
    answer = await session.ask(request)
    return answer.headers.get(_DIGEST, "") if answer.status == 200 else ""


async def put(session: Session, reference: Reference, blob: Descriptor, data: bytes) -> Mapping[str, str]:
    """Give a manifest or index to the registry, by the reference's tag or digest; return the answer's headers.

    Raises Unavailable when the registry took it for something else, and what a session raises.
    """
    request = Request(
        doing=f"take {reference.familiar}",
        method="PUT",
        url=session.url(f"{reference.repository}/manifests/{reference.selector}"),
        scopes=frozenset({scope(reference.repository, "pull", "push")}),
        headers={"Content-Type": blob.media_type},
        body=Body.of(data),
        good=frozenset({201}),
    )
    answer = await session.ask(request)
    taken = answer.headers.get(_DIGEST, blob.digest)
    if taken != blob.digest:
        raise Unavailable(f"{reference.registry} was given {blob.digest} and says that it took {taken[:80]}.")
    return answer.headers


def _kind(headers: Mapping[str, str], data: bytes, reference: Reference) -> str:
    """Return the media type of a document that has one meaning."""
    name = f"what {reference.registry} has as {reference.familiar}"
    shape = decode(data, _Shape, name)
    said = headers.get("content-type", "").partition(";")[0].strip().lower()
    kind = shape.media_type or (said if said in INDEXES | MANIFESTS else "")
    if not kind:
        kind = OCI_INDEX if shape.manifests is not None else OCI_MANIFEST if shape.config is not None else said
    is_other = shape.layers is not None or shape.config is not None if kind in INDEXES else shape.manifests is not None
    if kind not in INDEXES | MANIFESTS:
        raise InvalidRequest(f"{name} is of the kind {kind[:100]!r}, which is no image.")
    if is_other or (said in INDEXES | MANIFESTS and said != kind):
        raise InvalidRequest(f"{name} can be read in two ways, as an index and as an image; it is refused.")
    return kind
