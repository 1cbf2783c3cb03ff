"""Stores: lists of functions, and of templates, that somebody offers. The two lists are OpenFaaS's formats.

`functions.json` is an object with `functions`, `templates.json` a list; unknown members are ignored, as their clients
do. `StoreItem` is what the native API tells of our own store.
"""

import msgspec

from dayfly.model.egress import Network
from dayfly.model.runtime import Runtime

Texts = dict[str, str]
FORMAT = "0.2.1"
PLATFORMS = ("x86_64", "arm64", "armhf")
"""What OpenFaaS's lists call the machines that images are for."""


class StoreFunction(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A function that a store offers."""

    name: str
    title: str = ""
    description: str = ""
    author: str = ""
    icon: str = ""
    """The URL of a picture."""
    repo_url: str = ""
    images: Texts = {}
    """The image for each platform."""
    fprocess: str = ""
    environment: Texts = {}
    labels: Texts = {}
    annotations: Texts = {}
    read_only: bool = msgspec.field(default=False, name="readOnlyRootFilesystem")
    aliases: tuple[str, ...] = ()
    """Ours: other names that people know it by."""
    stands_for: tuple[str, ...] = ()
    """Ours: images, without registry and tag, that mean this function on a platform of Dayfly's."""

    def is_called(self, name: str) -> bool:
        """Whether somebody who says `name` means this one: by name, title or alias, letters of any case."""
        return name.lower() in (self.name.lower(), self.title.lower(), *map(str.lower, self.aliases))

    def image_for(self, platform: str) -> str:
        """Return the image for a platform, its letters of any case; empty when there is none."""
        return next((image for key, image in self.images.items() if key.lower() == platform.lower()), "")


class StoreFunctions(msgspec.Struct, frozen=True, kw_only=True):
    """The document `functions.json`."""

    version: str = FORMAT
    functions: tuple[StoreFunction, ...] = ()


class StoreTemplate(msgspec.Struct, frozen=True, kw_only=True):
    """A template that a template store offers: an item of `templates.json`."""

    template: str
    platform: str = "x86_64"
    language: str = ""
    source: str = ""
    """Who it comes from, as a name."""
    description: str = ""
    repo: str = ""
    """The git repository that has it in its folder `template`."""
    official: str = "false"
    recommended: bool = False


class StoreSample(msgspec.Struct, frozen=True):
    """Something to send to a function to see what it does."""

    content_type: str
    body: str


class StoreItem(msgspec.Struct, frozen=True, kw_only=True):
    """A function of our own store, as the native API tells it."""

    name: str
    title: str
    description: str
    aliases: tuple[str, ...]
    image: str
    """The image to deploy it by."""
    stands_for: tuple[str, ...]
    """The images, without registry and tag, that mean this function here."""
    runtime: Runtime
    process: str
    network: Network
    needs: str
    """What must be had from outside when it is deployed; empty when it needs nothing."""
    labels: Texts
    sample: StoreSample
    icon: str
    """The picture itself, an SVG."""
