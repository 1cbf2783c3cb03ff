"""What a base can run, found out by looking: which Python it has, and which C library.

Official images say their Python in PYTHON_VERSION. Where that is missing, and for the C library, the names of the files
in the layers are looked through, once for each base: what was found is kept beside the images.
"""

import contextlib
import re
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Literal, cast

import msgspec

from dayfly.model.errors import InvalidRequest
from dayfly.oci.image import Image
from dayfly.oci.layout import Layout
from dayfly.oci.manifest import LAYERS, OCI_LAYER, OCI_LAYER_GZIP, Descriptor

_Mode = Literal["r|", "r|gz"]
_MODES: dict[str, _Mode] = {OCI_LAYER: "r|", OCI_LAYER_GZIP: "r|gz"}
_LIBRARY = re.compile(r"(?:\./)?(usr/local/|usr/|)lib(?:64)?/python3\.([0-9]{1,2})/os\.py")
_MUSL = re.compile(r"(?:\./)?(?:usr/)?lib/ld-musl-[^/]+")
_VERSION = re.compile(r"3\.([0-9]{1,2})(?:\..*)?")
_PREFIXES = ("usr/local/", "usr/", "")
"""By how likely it is that `python3` means the one there: the order of the usual PATH."""


class Abilities(msgspec.Struct, frozen=True):
    """What a base has."""

    python: int = 0
    """The minor version of its Python 3; 0 for none."""
    libc: str = "glibc"
    """`glibc` or `musl`."""


def abilities(layout: Layout, image: Image, kept: Path) -> Abilities:
    """Return what the image has; what was found is kept in the folder `kept`. Raises what reading layers raises."""
    path = kept / f"{image.descriptor.digest.removeprefix('sha256:')}.json"
    with contextlib.suppress(OSError, msgspec.DecodeError):
        return msgspec.json.decode(path.read_bytes(), type=Abilities)
    found = _look(layout, image)
    with contextlib.suppress(OSError):  # it is only looked for again
        kept.mkdir(parents=True, exist_ok=True)
        path.write_bytes(msgspec.json.encode(found))
    return found


def _look(layout: Layout, image: Image) -> Abilities:
    told = _VERSION.fullmatch(image.config.run.environment.get("PYTHON_VERSION", ""))
    pythons: dict[str, int] = {}
    libc = "glibc"
    for name in _names(layout, image):
        if library := _LIBRARY.fullmatch(name):
            pythons[library[1]] = max(int(library[2]), pythons.get(library[1], 0))
        elif _MUSL.fullmatch(name):
            libc = "musl"
    seen = next((pythons[prefix] for prefix in _PREFIXES if prefix in pythons), 0)
    return Abilities(int(told[1]) if told else seen, libc)


def _names(layout: Layout, image: Image) -> Iterator[str]:
    for layer in image.manifest.layers:
        mode = _MODES.get(LAYERS[layer.media_type])
        if mode is None:
            kind = layer.media_type.rpartition("+")[2]
            hint = "Copy it with gzip layers first: skopeo copy --dest-compress-format gzip SOURCE oci:FOLDER."
            raise InvalidRequest(f"The base has a layer packed with {kind}, which is not read here.", hint=hint)
        yield from _names_in(layout, layer, mode)


def _names_in(layout: Layout, layer: Descriptor, mode: _Mode) -> Iterator[str]:
    with layout.open_blob(layer) as file:
        try:
            with tarfile.open(fileobj=cast("IO[bytes]", file), mode=mode) as tar:
                yield from (member.name for member in tar)
        except (tarfile.TarError, EOFError) as error:
            raise InvalidRequest(f"The base's layer {layer.digest} is damaged: {error}.") from error
