"""Templates: where they are, and which one a function's `lang` means.

A template is a folder `LANG` with a `template.yml`, the starter handler in `function/` (or `handler_folder`) and what
else goes around a handler. Ours lie in `template/` beside this module, those of a project in its own `./template`,
where faas-cli's `template pull` puts them.

A project's own template wins over ours if its template.yml has a part `dayfly`, which says how it runs here. One
without was made for a container engine: where one of ours goes by its name that one takes its place, so that functions
made for OpenFaaS work unchanged, and where none does its Dockerfile is built.
"""

import re
from collections.abc import Callable
from functools import cache
from pathlib import Path

import msgspec

from dayfly.client.stack_fields import Fields
from dayfly.client.template_file import NAME, Template, read_about, template_of
from dayfly.model.errors import InvalidSpec
from dayfly.model.function import Dialect
from dayfly.model.runtime import Runtime

BUILT_IN = Path(__file__).parent / "template"
PROJECT = "template"
DOCKERFILE = "dockerfile"
FLASK: Dialect = "python-flask"
_DIALECTS: dict[str, Dialect] = dict.fromkeys(
    ("python3-http", "python3-http-debian", "python3-flask", "python3-flask-debian", "python-flask"), FLASK
)
"""Names of OpenFaaS's templates whose handlers may return what a view of Flask's may."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}", re.ASCII)


def find_template(lang: str, project: Path) -> Template:
    """Return the template that `lang` (`NAME` or `NAME@REF`; empty for `python`) means to a project in this folder.

    Raises InvalidSpec when there is none, or when its template.yml is no good.
    """
    name = _name_of(lang)
    own = _own(lang, project)
    found = _found(name, own)
    if found is not None:
        return found
    known = ", ".join(template.name for template in templates(project, lambda _bad: None))
    hint = f"Known: {known}; a template of your own goes into ./{PROJECT}/."
    if own.is_dir():
        lacks = f"its {NAME} has no part `dayfly`, and there is no Dockerfile"
        raise InvalidSpec(f"lang: {name!r}: {own} can be neither run nor built: {lacks}", hint=hint)
    raise InvalidSpec(f"lang: {name!r} is no template that this version or this project has", hint=hint)


def _found(name: str, own: Path) -> Template | None:
    """The template of that name, whose folder in the project would be `own`."""
    root = read_about(own) if own.is_dir() else None
    ours = root.part("dayfly") if root is not None else None
    if root is not None and ours is not None:
        return template_of(own, root, ours)
    for template in built_in():
        if name == template.name or name in template.also:
            return msgspec.structs.replace(template, dialect=_DIALECTS.get(name, template.dialect))
    if (own / "Dockerfile").is_file():
        return _dockerfile(own, root or Fields.root(str(own), {}))
    return None


def container_template(lang: str, project: Path) -> Template | None:
    """Return the project's own template of this name as a container engine builds it; None without a Dockerfile.

    Raises InvalidSpec when its template.yml is no good.
    """
    own = _own(lang, project)
    if not (own / "Dockerfile").is_file():
        return None
    return _dockerfile(own, read_about(own) or Fields.root(str(own), {}))


def folder_of(lang: str) -> str:
    """Return what the folder of a template `NAME` or `NAME@REF` is called: a ref may have slashes, a folder not."""
    return lang.replace("/", "-")


def is_pulled(lang: str, project: Path) -> bool:
    """Whether the project has a folder for the template `NAME` or `NAME@REF`, whatever is in it."""
    return (project / PROJECT / folder_of(lang)).is_dir()


def plain_template(runtime: Runtime) -> Template:
    """Return the template that puts nothing around a handler's folder and names no process for it."""
    name = DOCKERFILE if runtime == "image" else runtime
    found = next(template for template in built_in() if template.name == name)
    return msgspec.structs.replace(found, process="")


def templates(project: Path, tell: Callable[[InvalidSpec], None]) -> list[Template]:
    """Return all templates that a project in this folder can use, by name; `tell` hears of each that is no good."""
    found = {template.name: template for template in built_in()}
    folder = project / PROJECT
    for own in sorted(folder.iterdir()) if folder.is_dir() else ():
        named = _NAME.fullmatch(own.name.partition("@")[0])
        try:
            template = _found(named[0], own) if own.is_dir() and named else None
        except InvalidSpec as bad:
            tell(bad)
            continue
        if template is not None and template.folder == own:
            found[template.name] = template
    return [found[name] for name in sorted(found)]


@cache
def built_in() -> tuple[Template, ...]:
    """Return the templates that come with Dayfly, by name."""
    return tuple(_ours(folder) for folder in sorted(BUILT_IN.iterdir()) if (folder / NAME).is_file())


def _name_of(lang: str) -> str:
    name = lang.partition("@")[0] or "python"
    if not _NAME.fullmatch(name):
        raise InvalidSpec(f"lang: {lang[:60]!r} is not the name of a template")
    return name


def _own(lang: str, project: Path) -> Path:
    """Where the project has its template of this name, if it has one."""
    pinned = project / PROJECT / folder_of(lang)
    return pinned if "@" in lang and pinned.is_dir() else project / PROJECT / _name_of(lang)


def _ours(folder: Path) -> Template:
    root = read_about(folder)
    assert root is not None
    ours = root.part("dayfly")
    assert ours is not None
    return template_of(folder, root, ours)


def _dockerfile(folder: Path, root: Fields) -> Template:
    """A template that only a container engine can build."""
    engine = next(template for template in built_in() if template.name == DOCKERFILE)
    ours = template_of(folder, root, Fields.root(root.file, {}))
    return msgspec.structs.replace(ours, runtime=engine.runtime, needs=engine.needs, check=engine.check)
