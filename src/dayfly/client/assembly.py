"""The build folder: a template with an author's handler in it, as faas-cli lays it out.

    TEMPLATE's files        without template.yml, but for images
    function/               the handler's folder, without its top-level `build` and `template`
    function/PATH           what `configuration.copy` names, under the path it has in the project

Of the starter handler only what the template calls its defaults is there, and only where the author has no file of that
name: a file that an author has deleted must not come back. (An image gets all of the starter first, because Dockerfiles
count on it.) What goes in is judged as for a bundle, before any of it is built: nothing that may hold credentials, no
link that leaves the folder.
"""

import os
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from dayfly.client import bundle
from dayfly.client.template_file import NAME, Template
from dayfly.client.walk import Walk
from dayfly.model.errors import InvalidRequest
from dayfly.oci.scan import Allowance, Scan

Copy = tuple[Path, str]
"""A file or folder of the project, and its path below the handler's folder."""


def assemble(
    template: Template, handler: Path, copies: Sequence[Copy], target: Path, allowed: Iterable[Allowance] = ()
) -> list[Allowance]:
    """Make the build folder at `target`, which must not exist; its parent must. Return what was `allowed` and found.

    Raises InvalidRequest, naming the file, for what must not go in, PayloadTooLarge for too much of it.
    """
    if not handler.is_dir():
        raise InvalidRequest(f"{handler} is not a folder.", hint="Name the folder that holds the function's code.")
    inner = target if template.packs_handler else target / template.handler_folder
    try:
        target.mkdir(mode=0o700)
        if not template.packs_handler:
            _overlay(template.folder, target, lambda name: _is_no_glue(template, name))
        inner.mkdir(parents=True, exist_ok=True)
        if template.runtime == "image" and not template.packs_handler:
            _overlay(template.starter, inner)
        _overlay(handler, inner, lambda name: name.partition("/")[0] in ("build", "template"))
        for source, name in copies:
            _overlay_path(source, inner / name)
        for name in template.recipe.defaults:
            if not (inner / name).exists():
                _overlay_path(template.starter / name, inner / name)
    except OSError as error:
        raise InvalidRequest(f"The build folder {target} cannot be made: {error.strerror}.") from error
    scan = Scan()
    scan.folder(target)
    return scan.refuse(allowed, f"the function in {handler}")


def take_out(template: Template, folder: Path, target: Path) -> list[str]:
    """Move what is to be packed from the build folder to `target`, which must not exist; return what is missing."""
    wanted: Mapping[str, str] = template.recipe.pack or {".": "."}
    for path, name in {**wanted, **template.recipe.pack_if_present}.items():
        source = folder / path
        if name == "." and source.is_dir():
            shutil.copytree(source, target, dirs_exist_ok=True)
        elif source.exists():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.move(source, target / name)
    return [path for path, name in wanted.items() if not (target / name).exists()]


def _is_no_glue(template: Template, name: str) -> bool:
    if name == NAME:
        return template.runtime != "image"
    return name == template.handler_folder or name.startswith(f"{template.handler_folder}/")


def _overlay(folder: Path, target: Path, skip: Callable[[str], bool] = lambda _: False) -> None:
    for entry in Walk(folder).entries():
        if skip(entry.name):
            continue
        if entry.is_folder:
            (target / entry.name).mkdir(exist_ok=True)
        else:
            _copy(entry.path, target / entry.name)


def _overlay_path(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        target.mkdir(exist_ok=True)
        _overlay(source, target)
    else:
        _copy(source, target)


def _copy(source: Path, target: Path) -> None:
    content, mode = bundle.read(source)
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        os.fchmod(descriptor, mode)
