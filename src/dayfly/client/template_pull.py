"""Pulling templates: from a git repository, an archive or a folder into the project's `./template`.

A source has its templates in a folder `template` at its top, as OpenFaaS's repositories do; an archive may have one
folder around that. Each becomes `template/NAME`, or `template/NAME@REF` where a branch, tag or commit was named, whole
or not at all, with a `meta.json` that says where it came from, as faas-cli writes it. Nothing of a template is run.
"""

import io
import os
import re
import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

import msgspec

from dayfly.client import git
from dayfly.client.stack_text import is_url
from dayfly.client.templates import PROJECT, folder_of
from dayfly.model.errors import Conflict, InvalidRequest, NotFound, PayloadTooLarge

DEFAULT_REPOSITORY = "https://github.com/openfaas/templates.git"
META = "meta.json"
MAX_ARCHIVE_BYTES = 64 * 1024 * 1024
_MAX_BYTES, _MAX_FILES = 64 * 1024 * 1024, 20_000
_ARCHIVE = re.compile(r"\.(?:tar\.gz|tgz)(?:[?#].*)?\Z")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}", re.ASCII)

Unpack = Callable[[BinaryIO, Path], None]
"""Unpacks a gzipped tar archive as a folder that is not there yet, and refuses all that leads out of it."""


class Meta(msgspec.Struct, frozen=True, omit_defaults=True):
    """What `meta.json` says."""

    repository: str
    written_at: str
    ref_name: str = ""
    sha: str = ""


class Pulled(msgspec.Struct, frozen=True):
    """What a pull wrote."""

    names: tuple[str, ...]
    """The templates, with `@REF` where one was named."""


def pull(source: str, project: Path, unpack: Unpack, *, only: str = "", overwrite: bool = True) -> Pulled:
    """Put the templates of `source` (`URL`, `URL#REF`, an archive or a folder) into the project's `./template`.

    `only` names the one that is wanted, `NAME` or `NAME@REF`. Without `overwrite` what is there stays, and the rest is
    written before Conflict is raised. Raises NotFound when there is no such template, and what getting it raises.
    """
    place, ref = _split(source)
    name, _, wanted_ref = only.partition("@")
    ref = ref or wanted_ref
    with tempfile.TemporaryDirectory(prefix="dayfly-templates-") as temporary:
        found, sha = _fetched(place, ref, Path(temporary), unpack)
        folders = [folder for folder in _templates(found, place) if name in ("", folder.name)]
        if not folders:
            raise NotFound(
                f"{git.shown(place)} has no template {name[:60]!r}" if name else f"{git.shown(place)} has no template"
            )
        meta = Meta(git.shown(place), datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"), ref, sha)
        return _write(folders, project / PROJECT, meta, overwrite=overwrite)


def _split(source: str) -> tuple[str, str]:
    """The place and the ref behind its `#`; a folder may have one in its name."""
    if "\0" in source:
        raise InvalidRequest("a source of templates holds a NUL byte")
    if os.path.exists(source):
        return source, ""
    place, _, ref = source.partition("#")
    return place, ref


def _fetched(place: str, ref: str, temporary: Path, unpack: Unpack) -> tuple[Path, str]:
    target = temporary / "source"
    if _ARCHIVE.search(place):
        if ref:
            raise InvalidRequest(
                f"{git.shown(place)} is an archive, which has no branches or tags; leave #{ref[:60]} out"
            )
        unpack(io.BytesIO(_archive(place)), target)
        return target, ""
    if Path(place).is_dir() and not ref and not _is_bare(Path(place)):
        return Path(place), ""
    return target, git.clone(place, ref, target)


def _is_bare(folder: Path) -> bool:
    return (folder / "HEAD").is_file() and (folder / "objects").is_dir()


def _archive(place: str) -> bytes:
    if is_url(place):
        from dayfly.client.fetch import fetch

        data = fetch(place, max_bytes=MAX_ARCHIVE_BYTES)
    else:
        try:
            with open(place, "rb") as file:
                data = file.read(MAX_ARCHIVE_BYTES + 1)
        except OSError as error:
            raise InvalidRequest(f"{place} cannot be read: {error.strerror}.") from error
    if len(data) > MAX_ARCHIVE_BYTES:
        raise PayloadTooLarge(f"{git.shown(place)} is larger than {MAX_ARCHIVE_BYTES // 2**20} MiB")
    return data


def _templates(found: Path, place: str) -> list[Path]:
    """The folders of the source's templates, by name. Raises NotFound."""
    tops = [found, *(each for each in sorted(found.iterdir()) if each.is_dir() and not each.is_symlink())]
    top = next((each / PROJECT for each in tops if (each / PROJECT).is_dir()), None)
    if top is None:
        raise NotFound(f"{git.shown(place)} has no templates: it has no folder `{PROJECT}`")
    return [each for each in sorted(top.iterdir()) if each.is_dir() and _NAME.fullmatch(each.name)]


def _write(folders: list[Path], target: Path, meta: Meta, *, overwrite: bool) -> Pulled:
    written, kept = [], []
    try:
        target.mkdir(mode=0o755, exist_ok=True)
        for folder in folders:
            name = f"{folder.name}@{meta.ref_name}" if meta.ref_name else folder.name
            if (target / folder_of(name)).exists() and not overwrite:
                kept.append(name)
                continue
            _put(folder, target / folder_of(name), meta)
            written.append(name)
    except OSError as error:
        raise InvalidRequest(f"{target} cannot be written: {error.strerror}.") from error
    if kept:
        hint = "--overwrite takes what is there away."
        raise Conflict(f"unable to overwrite the following: [{' '.join(kept)}]", hint=hint)
    return Pulled(tuple(written))


def _put(folder: Path, target: Path, meta: Meta) -> None:
    fresh = target.with_name(f".new-{secrets.token_hex(8)}")
    try:
        fresh.mkdir(mode=0o755)
        for path, relative in _files(folder):
            (fresh / relative).parent.mkdir(parents=True, exist_ok=True)
            (fresh / relative).write_bytes(path.read_bytes())
            (fresh / relative).chmod(0o755 if path.stat().st_mode & 0o111 else 0o644)
        (fresh / META).write_bytes(msgspec.json.encode(meta))
        if target.exists():
            shutil.rmtree(target)
        fresh.rename(target)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _files(folder: Path) -> Iterator[tuple[Path, Path]]:
    """Every file and where it goes. Raises InvalidRequest for a link or a device, PayloadTooLarge for too much."""
    bytes_, count = 0, 0
    for path, folders, names in os.walk(folder, followlinks=False):
        for name in [*folders, *names]:
            each = Path(path, name)
            if each.is_symlink() or not (each.is_file() or each.is_dir()):
                raise InvalidRequest(f"the template {folder.name} holds {each.relative_to(folder)}, which is no file")
            if each.is_dir():
                continue
            bytes_, count = bytes_ + each.stat().st_size, count + 1
            if bytes_ > _MAX_BYTES or count > _MAX_FILES:
                raise PayloadTooLarge(
                    f"the template {folder.name} has more than {_MAX_BYTES // 2**20} MiB or too many files"
                )
            yield each, each.relative_to(folder)
