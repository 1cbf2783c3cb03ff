"""What an image runs on: an operating system, a processor, and sometimes a variant of it.

    linux/amd64    linux/arm64    linux/arm/v7

Names are Go's, as OCI has them; those that `uname` prints are understood too. The variant that a processor has anyway
(`v8` of arm64, `v1` of amd64) is left out, so that equal platforms are equal.
"""

import platform as machine
import re

import msgspec

from dayfly.model.errors import InvalidSpec

_PART = re.compile(r"[a-z0-9][a-z0-9._-]{0,31}")
_ARCHITECTURES = {
    "x86_64": ("amd64", ""),
    "x86-64": ("amd64", ""),
    "aarch64": ("arm64", ""),
    "armv8": ("arm64", ""),
    "armv7": ("arm", "v7"),
    "armv7l": ("arm", "v7"),
    "armhf": ("arm", "v7"),
    "armv6l": ("arm", "v6"),
    "armel": ("arm", "v6"),
    "i386": ("386", ""),
    "i686": ("386", ""),
    "ppc64el": ("ppc64le", ""),
}
_OWN_VARIANT = {"arm64": "v8", "amd64": "v1"}
_USUAL_VARIANT = {"arm": "v7"}


class Platform(msgspec.Struct, frozen=True, order=True):
    """A platform, in its one spelling."""

    os: str
    architecture: str
    variant: str = ""

    def __str__(self) -> str:
        """As it is written: `linux/arm/v7`."""
        return "/".join(part for part in (self.os, self.architecture, self.variant) if part)

    def runs(self, other: "Platform") -> bool:
        """Whether an image made for `other` runs here: the same but for an older variant of the same processor."""
        if (self.os, self.architecture) != (other.os, other.architecture):
            return False
        return self.variant == other.variant or not other.variant or bool(other.variant <= self.variant)


def parse_platform(text: str) -> Platform:
    """Return the platform that `OS/ARCHITECTURE[/VARIANT]` names. Raises InvalidSpec."""
    parts = text.strip().lower().split("/")
    if not 2 <= len(parts) <= 3 or not all(_PART.fullmatch(part) for part in parts):
        raise InvalidSpec(f"platform: {text[:60]!r} is none; linux/amd64 and linux/arm64 are")
    return platform_of(*parts)


def parse_platforms(text: str) -> tuple[Platform, ...]:
    """Return the platforms of a list with commas, each once. Raises InvalidSpec, for an empty list too."""
    return tuple(dict.fromkeys(parse_platform(part) for part in text.split(",")))


def platform_of(system: str, architecture: str, variant: str = "") -> Platform:
    """Return a platform by what somebody calls its parts."""
    architecture, known = _ARCHITECTURES.get(architecture, (architecture, ""))
    variant = variant or known or _USUAL_VARIANT.get(architecture, "")
    return Platform(system, architecture, "" if variant == _OWN_VARIANT.get(architecture) else variant)


def this_machine() -> Platform:
    """Return the platform of a container on this machine."""
    return platform_of("linux", machine.machine().lower())
