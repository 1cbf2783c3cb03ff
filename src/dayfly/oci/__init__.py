"""OCI images without an engine: assembled from a base, pushed and pulled by the registry protocol, checked, signed.

    reference   the name of an image, as a registry takes it
    platform    what an image runs on
    manifest    descriptors, manifests, indexes and configurations: the JSON of OCI 1.1 and of Docker's schema 2
    layout      images in a folder, and nothing in it that is not what its digest says
    archive     the same as one tar; what `docker save` writes, taken in
    image       one image of a layout, found by name and platform
    layer       files as a layer, always the same bytes
    sweep       room made in a layout
    assemble    a base, layers and settings as an image
    packing     layers of an engine's image, packed as registries keep them
    credentials logins at registries, as Docker and Podman keep them
    registry    the registry protocol, on a loop
    scan        credentials in what is about to leave, by `rules`, in archives too (`nested`)
    sbom        what is in an image (`inventory`, `packages`), as CycloneDX
    signature   who vouches for an image, with an ed25519 key (`signing_key`)
    artefact    a document that goes with an image
    gate        all of these, before an image is pushed
    sealed      secrets of a build, opened

All but the registry blocks on the disk; whoever has a loop calls it in a thread.
"""
