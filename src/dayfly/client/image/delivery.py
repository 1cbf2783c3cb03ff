"""Where a built image goes from the store, if anywhere: a layout's folder, an archive, the engine of this machine."""

import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO, BinaryIO, cast

import msgspec

from dayfly.client.images import find_engine
from dayfly.model.errors import BuildFailed, ConfigError, NotSupported
from dayfly.oci.archive import write_out
from dayfly.oci.assemble import copy
from dayfly.oci.image import choose
from dayfly.oci.layout import Layout
from dayfly.oci.manifest import REF_NAME, Descriptor
from dayfly.oci.platform import this_machine

ARCHIVE = ".tar"
LOAD_TIMEOUT_S = 300.0


def deliver(store: Layout, images: Mapping[str, Descriptor], target: Path) -> None:
    """Write images, by name, to a layout in the folder `target`, or to an archive if it ends with `.tar`.

    Raises ConfigError when that cannot be written.
    """
    if target.suffix == ARCHIVE:
        try:
            with target.open("wb") as file:
                write_out(store, [_named(image, name) for name, image in sorted(images.items())], file)
        except OSError as error:
            raise ConfigError(f"{target} cannot be written: {error.strerror}.") from error
        return
    layout = Layout.create(target)
    for name, image in sorted(images.items()):
        copy(store, layout, image)
        layout.name(image.bare, name)


def load(store: Layout, name: str, image: Descriptor) -> str:
    """Have the container engine of this machine take the image for its platform; return the engine's name.

    Raises NotSupported when there is none, NotFound when there is no such image, BuildFailed with what it says.
    """
    engine = find_engine(("docker", "podman"))
    if engine is None:
        hint = "Without one, --output FILE.tar writes what `docker load` takes."
        raise NotSupported(
            "--load gives the image to Docker or Podman, and neither answers on this machine.", hint=hint
        )
    entry = _named(choose(store, image, this_machine()), name)
    with tempfile.TemporaryFile() as file:
        write_out(store, [entry], cast("BinaryIO", file))
        file.seek(0)
        _feed([engine, "load"], cast("IO[bytes]", file))
    return engine


def _feed(argv: list[str], file: IO[bytes]) -> None:
    try:
        done = subprocess.run(argv, stdin=file, capture_output=True, timeout=LOAD_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        raise BuildFailed(f"`{' '.join(argv)}` took longer than {LOAD_TIMEOUT_S:g} s.") from None
    if done.returncode:
        raise BuildFailed(f"`{' '.join(argv)}` failed: {done.stderr.decode(errors='replace').strip()[:500]}")


def _named(image: Descriptor, name: str) -> Descriptor:
    return msgspec.structs.replace(image.bare, annotations={REF_NAME: name})
