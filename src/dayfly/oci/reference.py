"""Names of images, taken apart for a registry: which host, which repository, which tag or digest.

    [REGISTRY/]PATH[:TAG][@DIGEST]

What a name may look like is said in `model/image.py`. As with Docker, one without a registry means Docker Hub, one of a
single part there means `library/PART`, and one without tag and digest means the tag `latest`.
"""

import msgspec

from dayfly.model.errors import InvalidSpec
from dayfly.model.image import HUB, parse_image

DEFAULT_TAG = "latest"
_HUB_NAMES = ("docker.io", "index.docker.io", "registry-1.docker.io")
_HUB_API = "registry-1.docker.io"
_OFFICIAL = "library/"


class Reference(msgspec.Struct, frozen=True, kw_only=True):
    """Where an image is. At least one of tag and digest is there; the digest decides when both are."""

    registry: str
    """The host, with its port if one was given: `docker.io` for Docker Hub."""
    repository: str
    """The path there: `library/python`."""
    tag: str = ""
    digest: str = ""
    """`sha256:` and 64 hex digits, of a manifest or an index."""

    def __str__(self) -> str:
        """The whole name, nothing left to defaults: `docker.io/library/python:3.12`."""
        return f"{self.registry}/{self.repository}{self._end}"

    @property
    def familiar(self) -> str:
        """The name as Docker shows it: without what is understood of itself but for the tag."""
        name = f"{self.repository.removeprefix(_OFFICIAL)}{self._end}"
        # Not all that is on Docker Hub can be called so: `docker.io/a.b/c` is not `a.b/c`.
        return name if self.registry == HUB and parse_reference(name) == self else str(self)

    @property
    def host(self) -> str:
        """The host, and perhaps port, at which the registry's API is."""
        return _HUB_API if self.registry == HUB else self.registry

    @property
    def selector(self) -> str:
        """What a registry is asked for: the digest if there is one, else the tag."""
        return self.digest or self.tag

    def at(self, digest: str) -> "Reference":
        """Return the same repository's image of this digest, without a tag."""
        return Reference(registry=self.registry, repository=self.repository, digest=digest)

    def tagged(self, tag: str) -> "Reference":
        """Return the same repository's image of this tag. Raises InvalidSpec."""
        return parse_reference(f"{self.registry}/{self.repository}:{tag}")

    @property
    def _end(self) -> str:
        return (f":{self.tag}" if self.tag else "") + (f"@{self.digest}" if self.digest else "")


def parse_reference(text: str) -> Reference:
    """Return what an image's name means to a registry.

    Raises InvalidSpec for what is no name, and for an engine's bare image id, which no registry knows.
    """
    name = parse_image(text)
    if name.is_id:
        raise InvalidSpec(f"image: {text} is the id of an engine's image, not the name of one in a registry")
    host, slash, path = name.repository.partition("/")
    registry = host.lower() if slash and name.registry == host else HUB
    repository = path if slash and name.registry == host else name.repository
    if registry in _HUB_NAMES:
        registry = HUB
        repository = repository if "/" in repository else _OFFICIAL + repository
    tag = text[len(name.repository) :].partition("@")[0].removeprefix(":")
    return Reference(
        registry=registry,
        repository=repository,
        tag=tag or ("" if name.digest else DEFAULT_TAG),
        digest=name.digest,
    )
