"""Names of container images, as people write them and as a registry takes them apart.

    [REGISTRY/]PATH[:TAG][@DIGEST]      an image of a registry; without one Docker Hub, without a tag `latest`
    sha256:HEX                          an image that the engine has, by its id

The name a function was deployed with is kept and told byte for byte; what it means is worked out here.

Three things about an image only its function's annotations say: where it tells whether it serves
(`com.openfaas.ready.http.path`, else `com.openfaas.health.http.path`), that it may be root in its container, and
whether a container is wanted where code is here that stands in for it (`com.dayfly.image`).
"""

import re
from collections.abc import Mapping
from typing import Literal

import msgspec

from dayfly.model.errors import InvalidSpec

HUB = "docker.io"
ROOT_ANNOTATION = "com.dayfly.run-as-root"
IMAGE_ANNOTATION = "com.dayfly.image"
_HEALTH_ANNOTATIONS = ("com.openfaas.ready.http.path", "com.openfaas.health.http.path")
_PATH = re.compile(r"/[!-~]{0,1023}")
_MAX_NAME = 1_024
_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_HOST = r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*|\[[0-9A-Fa-f:]+\])"
_DIGEST = r"sha256:[0-9a-f]{64}"
_NAME = re.compile(
    rf"(?:(?P<host>{_HOST}(?::[0-9]{{1,5}})?)/)?(?P<path>{_PART}(?:/{_PART})*)"
    rf"(?::(?P<tag>[A-Za-z0-9_][A-Za-z0-9_.-]{{0,127}}))?(?:@(?P<digest>{_DIGEST}))?"
)
_ID = re.compile(_DIGEST)


class ImageName(msgspec.Struct, frozen=True):
    """An image's name, understood."""

    registry: str
    """The registry's host, `docker.io` for Docker Hub; empty for an image's id."""
    repository: str
    """The name without tag and digest, as it was written."""
    tag: str = ""
    """Empty when the digest says which one."""
    digest: str = ""
    """`sha256:HEX` of the manifest, or of the image itself when it is an id."""

    @property
    def is_id(self) -> bool:
        """Whether this is an image that the engine must have already."""
        return not self.repository

    def pinned(self, digest: str) -> str:
        """Return the name of the same repository's image with this digest."""
        return f"{self.repository}@{digest}"


def parse_image(text: str) -> ImageName:
    """Return what an image's name means. Raises InvalidSpec."""
    if _ID.fullmatch(text):
        return ImageName("", "", digest=text)
    match = _NAME.fullmatch(text) if len(text) <= _MAX_NAME else None
    if match is None:
        raise InvalidSpec(f"image: {text[:200]!r} is no image's name, as registry.example.com/team/name:tag is")
    host, path, digest = match["host"] or "", match["path"], match["digest"] or ""
    # `team/name` is a path on Docker Hub: only what looks like a host is one.
    is_host = bool(host) and ("." in host or ":" in host or host == "localhost")
    if host and not is_host and re.fullmatch(_PART, host) is None:
        raise InvalidSpec(f"image: {text[:200]!r} holds a capital letter, which only a registry's host may")
    return ImageName(
        registry=host if is_host else HUB,
        repository=f"{host}/{path}" if host else path,
        tag="" if digest else match["tag"] or "latest",
        digest=digest,
    )


def health_path(annotations: Mapping[str, str]) -> str:
    """Return where the function says whether it serves; empty when it does not say where. Raises InvalidSpec."""
    for name in _HEALTH_ANNOTATIONS:
        if path := annotations.get(name, ""):
            if not _PATH.fullmatch(path):
                raise InvalidSpec(f"annotations: {name}: {path[:80]!r} is no path, as /healthz is")
            return path
    return ""


def runs_as_root(annotations: Mapping[str, str]) -> bool:
    """Whether the function was granted to be root in its container. Raises InvalidSpec."""
    text = annotations.get(ROOT_ANNOTATION, "false")
    if text not in ("true", "false"):
        raise InvalidSpec(f"annotations: {ROOT_ANNOTATION}: {text[:40]!r} must be true or false")
    return text == "true"


def image_wish(annotations: Mapping[str, str]) -> Literal["container", "native", ""]:
    """Return whether the image, or code that stands in for it, has to run; empty for no wish. Raises InvalidSpec."""
    match annotations.get(IMAGE_ANNOTATION, ""):
        case "container" | "native" | "" as wish:
            return wish
        case text:
            raise InvalidSpec(f"annotations: {IMAGE_ANNOTATION}: {text[:40]!r} must be container or native")
