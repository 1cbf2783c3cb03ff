"""One function, ready to be built and deployed: what is asked of the platform, and what its code is made of."""

from pathlib import Path

import msgspec

from dayfly.client.assembly import Copy
from dayfly.client.building import Source
from dayfly.client.template_file import Template
from dayfly.client.templates import find_template, plain_template
from dayfly.model.function import FunctionSpec
from dayfly.model.trigger import TriggerSpec
from dayfly.oci.scan import ALLOWED_LABEL, Allowance, allowances_in


class StackFunction(msgspec.Struct, frozen=True):
    """A function of a stack, or of a folder that no stack speaks of."""

    spec: FunctionSpec
    """Without a bundle yet."""
    folder: Path
    """Where its code is."""
    template: Template = msgspec.field(default_factory=lambda: find_template("", Path()))
    build_args: dict[str, str] = {}
    build_options: tuple[str, ...] = ()
    build_secrets: dict[str, Path] = {}
    """Files that a Dockerfile's build may mount, by the ids it knows them under."""
    copies: tuple[Copy, ...] = ()
    allowed: tuple[Allowance, ...] = ()
    """Which credentials are meant to be in it."""
    has_image: bool = False
    """Whether its image was made elsewhere: it has no code here, or says `skip_build`."""
    skip_build: bool = False
    """Whether nothing is to be built of it."""
    base: str = ""
    """The image that its own is to stand on; empty for its runtime's."""
    project: Path = Path()
    """The folder that its project's own templates are in, as `template`."""
    namespace: str = ""
    """The one that its stack file names; where none is named, whoever deploys it says which is meant."""
    triggers: tuple[TriggerSpec, ...] | None = None
    """Those that go with it; None where no stack file says which."""
    files: tuple[Path, ...] = ()
    """What else was read for it: the files that its environment is in."""

    def with_image(self, image: str) -> "StackFunction":
        """Return the same function under another image's name."""
        return msgspec.structs.replace(self, spec=msgspec.structs.replace(self.spec, image=image))

    @property
    def source(self) -> Source:
        """What its bundle, or image, is made of. Raises InvalidSpec when its annotation accepts what cannot be."""
        return Source(
            template=self.template,
            folder=self.folder,
            build_args=self.build_args,
            build_options=self.build_options,
            build_secrets=self.build_secrets,
            copies=self.copies,
            allowed=self.allowed + allowances_in(self.spec.annotations.get(ALLOWED_LABEL, "")),
        )


def function_in(folder: Path, name: str, *, lang: str = "", entrypoint: str = "", image: str = "") -> StackFunction:
    """Return the function whose code is in this folder, where no stack file speaks of it. Raises InvalidSpec."""
    template = find_template(lang, Path())
    spec = FunctionSpec(
        name=name,
        image=image or default_image(template, name),
        lang=lang or template.name,
        runtime=template.runtime,
        dialect=template.dialect,
        process=template.process,
        env=template.environment,
    )
    return StackFunction(msgspec.structs.replace(spec, handler=entrypoint or spec.handler), folder, template)


def image_function(name: str, image: str) -> StackFunction:
    """Return the function that an image is, for which nothing is built."""
    spec = FunctionSpec(name=name, image=image, lang="image", runtime="image")
    return StackFunction(spec, Path(), plain_template("image"), has_image=True)


def default_image(template: Template, name: str) -> str:
    """Return what the image of a function is called that must have one and says no name."""
    return f"{name}:latest" if template.runtime == "image" else ""
