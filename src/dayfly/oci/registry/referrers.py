"""Manifests that belong to another one: what is in an image, who signed it (distribution-spec 1.1, referrers).

A registry that knows about them says so when it takes one (`OCI-Subject`). For one that does not, the list is kept as
an index under a tag made of the subject's digest, as the specification has it.
"""

import msgspec

from dayfly.model.errors import InvalidRequest, NotFound
from dayfly.oci.manifest import OCI_INDEX, Descriptor, Index, Manifest, decode, describe, encode
from dayfly.oci.reference import Reference
from dayfly.oci.registry import manifests
from dayfly.oci.registry.request import Request
from dayfly.oci.registry.session import Session
from dayfly.oci.registry.tokens import scope


def fallback_tag(digest: str) -> str:
    """Return the tag under which the list of what belongs to this manifest is kept."""
    return digest.replace(":", "-")


async def attach(session: Session, reference: Reference, blob: Descriptor, data: bytes) -> None:
    """Put a manifest that has a `subject`, whose blobs are there, so that it is found from its subject.

    Raises InvalidRequest when it has none, and what a session raises.
    """
    manifest = decode(data, Manifest, f"the manifest {blob.digest}")
    if manifest.subject is None:
        raise InvalidRequest(f"The manifest {blob.digest} has no subject that it could be attached to.")
    headers = await manifests.put(session, reference.at(blob.digest), blob, data)
    if headers.get("oci-subject") == manifest.subject.digest:
        return
    entry = msgspec.structs.replace(
        blob.bare,
        artifact_type=manifest.artifact_type or manifest.config.media_type,
        annotations=manifest.annotations,
    )
    tagged = reference.tagged(fallback_tag(manifest.subject.digest))
    known = await _listed(session, tagged)
    if entry.digest not in {each.digest for each in known}:
        index = encode(Index(schema_version=2, media_type=OCI_INDEX, manifests=[*known, entry]))
        await manifests.put(session, tagged, describe(index, OCI_INDEX), index)


async def referrers(session: Session, reference: Reference, digest: str) -> list[Descriptor]:
    """Return what belongs to the manifest of this digest, with kinds and annotations; empty when nothing does."""
    request = Request(
        doing=f"say what belongs to {digest}",
        method="GET",
        url=session.url(f"{reference.repository}/referrers/{digest}"),
        scopes=frozenset({scope(reference.repository, "pull")}),
        headers={"Accept": OCI_INDEX},
        good=frozenset({200, 400, 404, 405}),
    )
    answer = await session.ask(request)
    if answer.status == 200 and OCI_INDEX in answer.headers.get("content-type", ""):
        return decode(answer.body, Index, f"the list of what belongs to {digest}").manifests
    return await _listed(session, reference.tagged(fallback_tag(digest)))


async def _listed(session: Session, tagged: Reference) -> list[Descriptor]:
    try:
        _, data = await manifests.fetch(session, tagged)
    except NotFound:
        return []
    return decode(data, Index, f"the index {tagged.familiar}").manifests
