"""Sources as a builder is sent them, in one archive.

    context/…                       a template with the handler in it
    com.openfaas.docker.config      the image's name, the build's arguments and the platforms
    com.openfaas.secrets            secrets of the build, sealed for the builder

A project's own template goes along where it has a Dockerfile, which any builder understands. Of one of ours its name
goes, by which a Dayfly knows how to run the handler; that is enough where the template puts nothing around it.
"""

import io
import tarfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import msgspec

from dayfly.client.assembly import assemble
from dayfly.client.images import packages_of
from dayfly.client.stack_function import StackFunction
from dayfly.client.template_file import NAME, Template
from dayfly.client.templates import BUILT_IN, container_template
from dayfly.model.builder import (
    ALLOW_ARGUMENT,
    CONTEXT_FOLDER,
    PACKAGES_ARGUMENT,
    SECRETS_FILE,
    WISH_FILE,
    BuildWish,
)
from dayfly.model.errors import InvalidRequest, InvalidSpec, NotSupported
from dayfly.model.function import FunctionSpec
from dayfly.oci.scan import Scan, allowances_in, label_of

Seal = Callable[[Mapping[str, bytes]], bytes]
"""Makes an envelope of secrets."""


def write_sources(one: StackFunction, folder: Path, platforms: Sequence[str], seal: Seal) -> Path:
    """Write the archive of a function into an empty folder, and return its path.

    Raises InvalidRequest for what must not leave this machine, NotSupported for a function that only this machine can
    build, InvalidSpec for a build option or a secret's file that is not there.
    """
    source = one.source
    template = container_template(one.spec.lang, one.project) or source.template
    args = {**source.build_args}
    allowed = (*source.allowed, *allowances_in(args.pop(ALLOW_ARGUMENT, "")))
    scan = Scan()
    scan.arguments(args)
    accepted = scan.refuse(allowed, "the build's arguments")
    args[PACKAGES_ARGUMENT] = packages_of(template, args, source.build_options)
    context = folder / CONTEXT_FOLDER
    if template.runtime == "image":
        accepted += assemble(template, source.folder, source.copies, context, allowed)
    else:
        _check_plain(one.spec, template)
        inner = context
        if template.packs_handler:
            context.mkdir(mode=0o700)
            inner = context / template.handler_folder
        accepted += assemble(template, source.folder, source.copies, inner, allowed)
        about = f"language: {_language(one.spec, template)}\nhandler_folder: {template.handler_folder}\n"
        (context / NAME).write_text(about)
    if accepted:
        args[ALLOW_ARGUMENT] = label_of(set(accepted))
    wish = BuildWish(image=one.spec.image, build_args=args, platforms=tuple(platforms))
    beside = {WISH_FILE: msgspec.json.encode(wish)}
    if source.build_secrets:
        beside[SECRETS_FILE] = seal({name: _read(name, path) for name, path in source.build_secrets.items()})
    return _packed(context, beside, folder / "sources.tar")


def is_plain(template: Template) -> bool:
    """Whether it is one of ours that puts no files around a handler and compiles nothing: its name says it all."""
    beside = {each.name for each in template.folder.iterdir()} - {NAME, template.handler_folder}
    return template.folder.parent == BUILT_IN and not template.recipe.steps and not beside


def _check_plain(spec: FunctionSpec, template: Template) -> None:
    if not is_plain(template):
        raise NotSupported(
            f"{template.name} functions are made on this machine, and there is no Dockerfile to have a builder do it.",
            hint=f"Deploy its code (dayfly deploy), or have a template with a Dockerfile in ./template/{spec.lang}.",
        )
    plain = FunctionSpec(name=spec.name)
    if spec.handler != plain.handler or spec.dialect != template.dialect:
        raise NotSupported(
            f"{spec.name} says how its handler is called (`entrypoint`, `dialect`), which a builder is not told.",
            hint="Name a template that calls it so (lang), or deploy its code (dayfly deploy).",
        )


def _language(spec: FunctionSpec, template: Template) -> str:
    """What the template is called by the author, whose name for it may say more than ours."""
    name = spec.lang.partition("@")[0]
    return name if name in template.also else template.name


def _read(name: str, path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InvalidSpec(f"build_secrets: {name[:60]}: {path} cannot be read: {error.strerror}") from error


def _packed(context: Path, beside: Mapping[str, bytes], target: Path) -> Path:
    """The same folder gives the same bytes."""
    with tarfile.open(target, mode="w", format=tarfile.USTAR_FORMAT, encoding="utf-8") as archive:
        for path in (context, *sorted(context.rglob("*"))):
            about = tarfile.TarInfo(path.relative_to(context.parent).as_posix())
            if path.is_dir():
                about.type, about.mode = tarfile.DIRTYPE, 0o755
                _add(archive, about, b"")
            else:
                about.mode = 0o755 if path.stat().st_mode & 0o100 else 0o644
                _add(archive, about, path.read_bytes())
        for name, content in beside.items():
            about = tarfile.TarInfo(name)
            about.mode = 0o600
            _add(archive, about, content)
    return target


def _add(archive: tarfile.TarFile, about: tarfile.TarInfo, content: bytes) -> None:
    about.size = len(content)
    try:
        archive.addfile(about, io.BytesIO(content))
    except ValueError as error:
        raise InvalidRequest(f"{about.name} is too long a path for a builder.") from error
