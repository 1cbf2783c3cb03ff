"""A function as an image: a base, one layer of what the function needs, one of its code, and how it is started.

    /opt/dayfly/            what serves it, and for Python its packages           the layer of dependencies
    /home/app/node_modules  a Node function's packages
    /home/app/function/     its code, which is the working folder                 the layer of code

The code is the same bundle that a deployment would upload, judged in the same way. The layer of dependencies is kept
under a key of all that it is made of, so that another build of changed code packs nothing but that code.
"""

import hashlib
import io
import tarfile
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from dayfly.client import building
from dayfly.client.build_cache import default_cache_dir
from dayfly.client.bundle import Bundle
from dayfly.client.image import packages, server
from dayfly.client.image.bases import DEFAULTS, Base, default_base, find_base
from dayfly.client.image.packages import Target
from dayfly.client.image.server import LEAST_NODE, LEAST_PYTHON, NODE_HOST, PACKAGES, RUNTIME
from dayfly.model.errors import NotSupported
from dayfly.model.function import FunctionSpec
from dayfly.oci.assemble import Start, assemble, join
from dayfly.oci.layer import Content, Layer, contents_of, write_layer
from dayfly.oci.layout import Layout
from dayfly.oci.manifest import Descriptor
from dayfly.oci.platform import Platform, this_machine
from dayfly.oci.reference import Reference
from dayfly.oci.scan import ALLOWED_LABEL
from dayfly.oci.sweep import sweep

CODE, MODULES = "home/app/function", "home/app/node_modules"
USER = "65532:65532"
"""Nobody in particular, and the same number as other images without root have."""
_FORM = b"1"
Say = Callable[[str], None]


class How(msgspec.Struct, frozen=True, kw_only=True):
    """What may be said of a build."""

    base: str = ""
    """See `bases`; empty for the runtime's own."""
    platforms: tuple[Platform, ...] = ()
    """This machine's when there is none."""
    labels: Mapping[str, str] = {}
    no_cache: bool = False
    """Install the packages again."""
    fresh: bool = False
    """Ask the registry for the base even if it is here."""


def can_build(runtime: str) -> bool:
    """Whether functions of this runtime become images without an engine."""
    return runtime in DEFAULTS


def build_image(
    source: building.Source, spec: FunctionSpec, name: Reference, how: How, store: Layout, say: Say = lambda _: None
) -> Descriptor:
    """Put the function's image, or an index of one for each platform, into the store under this name and return it.

    Raises NotSupported for a runtime that takes an engine or a base that lacks what is needed, and what building a
    bundle, finding a base and installing packages raise.
    """
    if not can_build(spec.runtime):
        known = ", ".join(sorted(DEFAULTS))
        raise NotSupported(
            f"{source.template.name} functions cannot be made an image here: only those of the runtimes {known} can.",
            hint="Deploy its code as it is (dayfly deploy), or write a Dockerfile (lang: dockerfile).",
        )
    bundle = building.build(source, say=say)
    assert bundle is not None  # only the runtime `image` has none
    files = _files(bundle)
    code = write_layer(store, _code(files), "the function's code")
    images = []
    for platform in how.platforms or (this_machine(),):
        named = how.base or default_base(spec.runtime, spec.lang, source.build_args)
        base = find_base(named, platform, store, fresh=how.fresh, say=say)
        target = _target(base, spec.runtime)
        layers = [_dependencies(spec.runtime, target, files, store, how, say), code]
        images.append(assemble(store, base.image, layers, _start(spec, source, how, bundle.allowed), base.name))
    entry = images[0] if len(images) == 1 else join(store, images)
    store.name(entry, str(name))
    sweep(store)
    return entry


def _target(base: Base, runtime: str) -> Target:
    """What the base runs. Raises NotSupported when that is not enough."""
    found = base.abilities
    told = base.name or "The base"
    if runtime == "node":
        version = base.image.config.run.environment.get("NODE_VERSION", "").removeprefix("v").partition(".")[0]
        if version.isdigit() and int(version) < LEAST_NODE:
            raise NotSupported(f"{told} has Node.js {version}; {LEAST_NODE} is the oldest that functions run on.")
        return Target(base.image.config.platform, found.libc)
    if found.python < LEAST_PYTHON:
        has = f"has Python 3.{found.python}" if found.python else "has no Python"
        raise NotSupported(f"{told} {has}; 3.{LEAST_PYTHON} is the oldest that functions run on.")
    return Target(base.image.config.platform, found.libc, found.python)


def _files(bundle: Bundle) -> dict[str, Content]:
    with tarfile.open(fileobj=io.BytesIO(bundle.data)) as tar:
        return {member.name: _content(tar, member) for member in tar}


def _content(tar: tarfile.TarFile, member: tarfile.TarInfo) -> Content:
    path = f"{CODE}/{member.name}"
    file = tar.extractfile(member)
    if file is None:
        return Content(path=path)
    return Content(path=path, data=file.read(), is_executable=bool(member.mode & 0o100))


def _code(files: Mapping[str, Content]) -> Iterator[Content]:
    yield Content(path=CODE)
    yield from files.values()


def _start(spec: FunctionSpec, source: building.Source, how: How, allowed: str) -> Start:
    env = {**source.template.environment, "DAYFLY_RUNTIME": spec.runtime, "HOME": "/tmp"}  # noqa: S108 - all it may write
    env |= {"DAYFLY_HANDLER": spec.handler, "DAYFLY_FUNCTION": spec.name, "DAYFLY_CONCURRENCY": spec.concurrency}
    entrypoint = ["node", f"/{NODE_HOST}/image.cjs"]
    if spec.runtime == "node":
        env |= {"NODE_ENV": "production"}
    else:
        entrypoint = ["python3", "-P", "-m", "dayfly.runtimes.image"]
        env |= {"DAYFLY_DIALECT": spec.dialect, "PYTHONPATH": f"/{RUNTIME}:/{PACKAGES}"}
        env |= {"PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    if spec.runtime == "exec":
        env["fprocess"] = spec.process
    labels = {**how.labels, **({ALLOWED_LABEL: allowed} if allowed else {})}
    return Start(entrypoint=entrypoint, working_dir=f"/{CODE}", user=USER, env=env, labels=labels)


def _dependencies(
    runtime: str, target: Target, files: Mapping[str, Content], store: Layout, how: How, say: Say
) -> Layer:
    asked = {name: files[name].data or b"" for name in _ASKED[runtime] if name in files}
    own = server.node_server() if runtime == "node" else server.python_server()
    served = () if runtime == "node" else server.served_requirements()
    kept = default_cache_dir() / "dependencies" / f"{_key(target, asked, own, served)}.json"
    try:
        layer = None if how.no_cache else msgspec.json.decode(kept.read_bytes(), type=Layer)
    except (OSError, msgspec.DecodeError):
        layer = None
    if layer is not None and store.has(layer.descriptor):
        store.touch(layer.descriptor)
        return layer
    with tempfile.TemporaryDirectory(prefix="dayfly-packages-") as name:
        folder = Path(name)
        contents = [Content(path=server.PLACE), *own]
        if runtime == "node":
            contents += _node_packages(target, asked, folder, say)
        else:
            packages.install_served(target, served, folder / "served")
            contents += contents_of(folder / "served", RUNTIME)
            contents += _python_packages(target, asked, folder / "packages", say)
        layer = write_layer(store, contents, "what the function needs")
    kept.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    kept.write_bytes(msgspec.json.encode(layer))
    return layer


_ASKED = {"python": ("requirements.txt",), "static": (), "exec": (), "node": ("package.json", "package-lock.json")}
"""Files of a function by which it asks for packages."""


def _python_packages(target: Target, asked: Mapping[str, bytes], folder: Path, say: Say) -> Iterator[Content]:
    text = asked.get("requirements.txt", b"").decode(errors="replace")
    if not any(line.strip() and not line.strip().startswith("#") for line in text.splitlines()):
        return
    say(f"installing packages for {target.text}")
    packages.install_python(target, text, folder)
    yield from contents_of(folder, PACKAGES)


def _node_packages(target: Target, asked: Mapping[str, bytes], folder: Path, say: Say) -> Iterator[Content]:
    manifest = asked.get("package.json")
    if manifest is None or not packages.has_node_packages(manifest):
        return
    say(f"installing packages for {target.platform}")
    for name, data in asked.items():
        (folder / name).write_bytes(data)
    packages.install_node(target, folder)
    if (folder / "node_modules").is_dir():
        yield from contents_of(folder / "node_modules", MODULES)


def _key(target: Target, asked: Mapping[str, bytes], own: Sequence[Content], served: Sequence[str]) -> str:
    told = hashlib.sha256(_FORM)
    for part in (target.text.encode(), *(line.encode() for line in served)):
        told.update(hashlib.sha256(part).digest())
    for name, data in [*sorted(asked.items()), *((each.path, each.data or b"") for each in own)]:
        told.update(name.encode() + b"\0" + hashlib.sha256(data).digest())
    return told.hexdigest()
