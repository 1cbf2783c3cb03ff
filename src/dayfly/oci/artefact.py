"""Things that go with an image: one document each, in a manifest whose `subject` is the image."""

from collections.abc import Mapping

from dayfly.oci.layout import Layout
from dayfly.oci.manifest import OCI_EMPTY, OCI_MANIFEST, Descriptor, Manifest, encode

_EMPTY = b"{}"


def make_artefact(
    layout: Layout, subject: Descriptor, kind: str, data: bytes, annotations: Mapping[str, str] | None = None
) -> Descriptor:
    """Keep a document of this kind that belongs to `subject`, and return its manifest; the same gives the same."""
    manifest = Manifest(
        schema_version=2,
        media_type=OCI_MANIFEST,
        artifact_type=kind,
        config=layout.put(_EMPTY, OCI_EMPTY),
        layers=[layout.put(data, kind)],
        subject=subject.bare,
        annotations=dict(sorted(annotations.items())) if annotations else None,
    )
    return layout.put(encode(manifest), OCI_MANIFEST)
