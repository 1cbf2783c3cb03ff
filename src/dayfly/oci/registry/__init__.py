"""The registry protocol (OCI distribution-spec 1.1, Docker's v2), spoken by ourselves.

    challenge   what WWW-Authenticate asks for
    retrying    when to try again, and how long to wait first
    endpoint    where a registry is: HTTPS, or HTTP on this machine; which certificates are trusted
    tokens      bearer tokens: asked for, kept while they are good
    session     requests: credentials, redirects, retries; no credential leaves the registry's own origin
    faults      what a registry says went wrong, as our errors
    manifests   the JSON of images
    blobs       layers and configurations, downwards
    upload      the same upwards: mounted, in one piece, or in chunks that go on after a broken connection
    push, pull  whole images, between a layout and a registry

Nothing here knows where a login is kept: `oci/credentials` does.
"""
