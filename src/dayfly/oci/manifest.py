"""The JSON that images are described in: OCI's image-spec 1.1 and Docker's schema 2, which differ in their media types.

What is decoded takes what it knows and leaves the rest alone: the bytes that a digest stands for are kept as they came,
and never written anew. What is encoded is always the same bytes for the same values: no spaces, fields in the order
below, nothing that is empty.
"""

import hashlib
import re
from typing import TypeVar

import msgspec

from dayfly.model.errors import InvalidRequest
from dayfly.oci.platform import Platform, platform_of

OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar"
OCI_LAYER_GZIP = f"{OCI_LAYER}+gzip"
OCI_LAYER_ZSTD = f"{OCI_LAYER}+zstd"
OCI_EMPTY = "application/vnd.oci.empty.v1+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"
DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar"
DOCKER_LAYER_GZIP = f"{DOCKER_LAYER}.gzip"

INDEXES = frozenset({OCI_INDEX, DOCKER_LIST})
MANIFESTS = frozenset({OCI_MANIFEST, DOCKER_MANIFEST})
LAYERS = {
    OCI_LAYER: OCI_LAYER,
    DOCKER_LAYER: OCI_LAYER,
    OCI_LAYER_GZIP: OCI_LAYER_GZIP,
    DOCKER_LAYER_GZIP: OCI_LAYER_GZIP,
    OCI_LAYER_ZSTD: OCI_LAYER_ZSTD,
}
"""Kinds of layer that a container is made of, and what OCI calls them."""

REF_NAME = "org.opencontainers.image.ref.name"
"""The annotation by which an entry of a layout has a name."""

MAX_BYTES = 4 * 1024 * 1024
"""The largest manifest, index or configuration that is read; registries have the same bound."""

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_Decoded = TypeVar("_Decoded")


class PlatformRecord(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An index's word on whom one of its images is for."""

    architecture: str
    os: str
    os_version: str = msgspec.field(name="os.version", default="")
    variant: str = ""

    @property
    def platform(self) -> Platform:
        """The platform, in its one spelling."""
        return platform_of(self.os, self.architecture, self.variant)


class Descriptor(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """What a blob is: its kind, its content by digest, its size in bytes."""

    media_type: str
    digest: str
    size: int
    urls: list[str] | None = None
    annotations: dict[str, str] | None = None
    data: str = ""
    artifact_type: str = ""
    platform: PlatformRecord | None = None

    def __post_init__(self) -> None:
        """Refuse what is no digest or size: paths and requests are made of them. Raises ValueError."""
        if not _DIGEST.fullmatch(self.digest):
            raise ValueError(f"the digest {self.digest[:100]!r} is not sha256: and 64 hex digits")
        if self.size < 0:
            raise ValueError(f"the size {self.size} of {self.digest} is below zero")

    @property
    def is_index(self) -> bool:
        """Whether it stands for several images, one a platform."""
        return self.media_type in INDEXES

    @property
    def bare(self) -> "Descriptor":
        """The same without what an index or a layout says of it."""
        return Descriptor(media_type=self.media_type, digest=self.digest, size=self.size)


class Index(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """Several images under one name, or what a layout holds."""

    schema_version: int
    media_type: str = ""
    artifact_type: str = ""
    manifests: list[Descriptor]
    subject: Descriptor | None = None
    annotations: dict[str, str] | None = None


class Manifest(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """One image: its configuration and its layers, the base's first. Or an artifact that belongs to a `subject`."""

    schema_version: int
    media_type: str = ""
    artifact_type: str = ""
    config: Descriptor
    layers: list[Descriptor]
    subject: Descriptor | None = None
    annotations: dict[str, str] | None = None


class Healthcheck(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="pascal"):
    """Docker's own: how an engine asks whether a container is well. Times in nanoseconds."""

    test: list[str] | None = None
    interval: int = 0
    timeout: int = 0
    start_period: int = 0
    retries: int = 0


class RunConfig(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="pascal"):
    """How a container of the image is run."""

    user: str = ""
    exposed_ports: dict[str, dict[str, str]] | None = None
    env: list[str] | None = None
    entrypoint: list[str] | None = None
    cmd: list[str] | None = None
    volumes: dict[str, dict[str, str]] | None = None
    working_dir: str = ""
    labels: dict[str, str] | None = None
    stop_signal: str = ""
    healthcheck: Healthcheck | None = None

    @property
    def environment(self) -> dict[str, str]:
        """The variables."""
        return {name: value for name, _, value in (each.partition("=") for each in self.env or [])}


class RootFs(msgspec.Struct, frozen=True, kw_only=True):
    """The layers again, by the digests of what they unpack to."""

    type: str = "layers"
    diff_ids: list[str]


class History(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A line of how the image came to be."""

    created: str = ""
    created_by: str = ""
    author: str = ""
    comment: str = ""
    empty_layer: bool = False


class ImageConfig(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What an image is for and how it is run."""

    created: str = ""
    author: str = ""
    architecture: str
    os: str
    os_version: str = msgspec.field(name="os.version", default="")
    variant: str = ""
    config: RunConfig | None = None
    rootfs: RootFs
    history: list[History] | None = None

    @property
    def platform(self) -> Platform:
        """What it runs on."""
        return platform_of(self.os, self.architecture, self.variant)

    @property
    def run(self) -> RunConfig:
        """How it is run, nothing being said where the image says nothing."""
        return self.config or RunConfig()


def encode(value: Index | Manifest | ImageConfig) -> bytes:
    """Return the JSON, always the same for the same value."""
    return msgspec.json.encode(value)


def decode(data: bytes, kind: type[_Decoded], what: str) -> _Decoded:
    """Return the decoded JSON. Raises InvalidRequest, calling it `what`."""
    if len(data) > MAX_BYTES:
        raise InvalidRequest(f"{what} is larger than the {MAX_BYTES // 2**20} MiB that it may have.")
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidRequest(f"{what} is damaged, or nothing of the kind: {error}.") from error


def describe(data: bytes, media_type: str) -> Descriptor:
    """Return the descriptor of these bytes."""
    return Descriptor(media_type=media_type, digest=digest_of(data), size=len(data))


def digest_of(data: bytes) -> str:
    """Return `sha256:` and the hex digits of the content's hash."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"
