"""Which of our functions an image's name means.

OpenFaaS's store names images. Those of its well-known functions mean one of ours, which does the same without a
container engine: `ghcr.io/openfaas/figlet:latest`, `functions/figlet@sha256:…` and `docker.io/functions/figlet` are all
figlet. Registry, tag and digest do not matter; what stands between them has to be the same to the letter. So does
`dayfly/NAME`, by which our own list calls each function.
"""

import functools

from dayfly.catalog.entries import Entry, all_entries

OWN = "dayfly"
"""The name in front of the function's in the images of our own list."""
_WELL_KNOWN = ("", "docker.io", "ghcr.io")
"""Registries of the images whose names are known."""


def entry_for(image: str, process: str = "") -> Entry | None:
    """Return the function that stands in for `image`, or None when there is none.

    An image of programs (OpenFaaS's `alpine`) means, where `process` is a function's name and no more, that function.
    """
    entry = _by_repository().get(repository_of(image))
    if entry is not None and entry.runtime == "exec":
        named = next((each for each in all_entries() if each.name == process), entry)
        return named if named.runtime != "exec" else entry
    return entry


def own_image(entry: Entry) -> str:
    """Return the image that our own list gives for a function."""
    return f"{OWN}/{entry.name}:latest"


def is_well_known(image: str) -> bool:
    """Whether the image's name means what everybody means by it: no digest, and no registry of somebody's own."""
    return "@" not in image and _split(image)[0] in _WELL_KNOWN


def repository_of(image: str) -> str:
    """Return an image's name without registry, tag and digest: `openfaas/figlet`."""
    name = _split(image)[1]
    path, colon, tag = name.rpartition(":")
    return path if colon and "/" not in tag else name


def _split(image: str) -> tuple[str, str]:
    """The registry, empty where none is named, and what follows, up to a digest."""
    name = image.partition("@")[0]
    first, slash, rest = name.partition("/")
    is_host = bool(slash) and ("." in first or ":" in first or first == "localhost")
    return (first, rest) if is_host else ("", name)


@functools.cache
def _by_repository() -> dict[str, Entry]:
    return {repository: entry for entry in all_entries() for repository in (*entry.images, f"{OWN}/{entry.name}")}
