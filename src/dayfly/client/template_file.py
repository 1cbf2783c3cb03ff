"""template.yml: what a template says about itself, in OpenFaaS's keys and under one key of ours.

`language`, `fprocess`, `welcome_message`, `handler_folder` and `build_options` mean what they mean to faas-cli. The key
`dayfly` says how a function is built and run without a container engine:

| key of `dayfly` | meaning |
|---|---|
| `runtime` | what runs the function; see model/runtime.py |
| `dialect` | Python only: how the handler is called |
| `needs` | one line for a person: what the machine must have |
| `check` | a program and its arguments that succeed, quickly, where that is there |
| `also` | other names the template goes by |
| `process` | the function's process, where it is another than `fprocess` |
| `environment` | variables of the function, unless it sets them itself |
| `build` | programs and their arguments, run in turn; an item `glob: PATTERN` becomes the files that match |
| `build_directory` | where they run, below the build folder; the build folder itself by default |
| `build_environment` | variables of theirs |
| `build_timeout` | how long each of them may take; 10m by default |
| `defaults` | files of the starter that are put into the build where the author has none of that name |
| `pack` | what of the build folder becomes the function, and under which path (`.`: its top); all of it by default |
| `pack_if_present` | the same, but for what need not be there |
"""

from pathlib import Path
from typing import cast, get_args

import msgspec

from dayfly.client import yaml_text
from dayfly.client.stack_fields import Fields
from dayfly.model.errors import DayflyError, InvalidSpec
from dayfly.model.function import Dialect
from dayfly.model.quantities import parse_duration
from dayfly.model.runtime import Runtime

NAME = "template.yml"
_MAX_BYTES = 64 * 1024
_BUILD_TIMEOUT = "10m"
_LOADS_HANDLERS: frozenset[Runtime] = frozenset({"python", "node", "static"})
"""Runtimes that take a handler's folder as it is: nothing is put around it."""


class Glob(msgspec.Struct, frozen=True):
    """Stands in a step for the files of the build directory that match, sorted."""

    pattern: str


Step = tuple[str | Glob, ...]
"""A program and its arguments."""


class Recipe(msgspec.Struct, frozen=True, kw_only=True):
    """How a handler's folder becomes what is deployed. Paths are relative to the build folder."""

    steps: tuple[Step, ...] = ()
    directory: str = ""
    environment: dict[str, str] = {}
    timeout_s: float = 600.0
    """How long each step may take."""
    defaults: tuple[str, ...] = ()
    """Files of the starter, relative to it, that are used where the author has none of that name."""
    pack: dict[str, str] = {}
    """Paths and what they are called in the bundle, `.` being all of it; empty for the whole build folder."""
    pack_if_present: dict[str, str] = {}


class Template(msgspec.Struct, frozen=True, kw_only=True):
    """A template, read and judged."""

    name: str
    """The folder's name."""
    folder: Path
    welcome: str = ""
    handler_folder: str = "function"
    process: str = ""
    build_options: dict[str, tuple[str, ...]] = {}
    """Names and the packages each stands for."""
    runtime: Runtime
    dialect: Dialect = "auto"
    needs: str = ""
    check: tuple[str, ...] = ()
    also: tuple[str, ...] = ()
    environment: dict[str, str] = {}
    recipe: Recipe = Recipe()

    @property
    def starter(self) -> Path:
        """The folder that a new function begins as."""
        return self.folder / self.handler_folder

    @property
    def packs_handler(self) -> bool:
        """Whether what is deployed is the handler's folder, as it is."""
        alone = {self.handler_folder: "."}
        return not self.recipe.steps and not self.recipe.pack_if_present and self.recipe.pack == alone


def read_about(folder: Path) -> Fields | None:
    """Return what the template.yml in this folder says; None when there is none. Raises InvalidSpec."""
    path = folder / NAME
    try:
        with path.open("rb") as file:
            raw = file.read(_MAX_BYTES + 1)
        if len(raw) > _MAX_BYTES:
            raise InvalidSpec(f"larger than {_MAX_BYTES // 1024} KiB")
        return Fields.root(str(path), yaml_text.load(raw.decode()))
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidSpec(f"{path}: it cannot be read: {error}") from error
    except DayflyError as error:
        raise InvalidSpec(f"{path}: {error.message}") from error


def template_of(folder: Path, root: Fields, ours: Fields) -> Template:
    """Return the template of a folder; `root` is its template.yml and `ours` the part below `dayfly`.

    Raises InvalidSpec, naming the field, for what cannot be a template.
    """
    handler_folder = _inside(root, "handler_folder", root.text("handler_folder")) or "function"
    runtime = cast("Runtime", ours.choice("runtime", get_args(Runtime), "http"))
    alone = {handler_folder: "."} if runtime in _LOADS_HANDLERS else {}
    return Template(
        name=folder.name,
        folder=folder,
        welcome=root.text("welcome_message"),
        handler_folder=handler_folder,
        process=ours.text("process") or root.text("fprocess"),
        build_options=_build_options(root),
        runtime=runtime,
        dialect=cast("Dialect", ours.choice("dialect", get_args(Dialect), "auto")),
        needs=ours.text("needs"),
        check=tuple(ours.items("check")),
        also=tuple(ours.items("also")),
        environment=ours.texts("environment"),
        recipe=Recipe(
            steps=_steps(ours),
            directory=_inside(ours, "build_directory", ours.text("build_directory")),
            environment=ours.texts("build_environment"),
            timeout_s=_timeout_s(ours),
            defaults=tuple(_inside(ours, "defaults", name) for name in ours.items("defaults")),
            pack=_paths(ours, "pack") or alone,
            pack_if_present=_paths(ours, "pack_if_present"),
        ),
    )


def _steps(ours: Fields) -> tuple[Step, ...]:
    given = ours.values.get("build") or []
    if not isinstance(given, list):
        raise ours.refusal("build", "must be a list of programs with their arguments, each a list")
    return tuple(_step(ours, step) for step in given)


def _step(ours: Fields, given: yaml_text.Tree) -> Step:
    step: list[str | Glob] = []
    for item in given if isinstance(given, list) else []:
        if isinstance(item, str):
            step.append(item)
        elif isinstance(item, dict) and list(item) == ["glob"] and isinstance(item["glob"], str):
            step.append(Glob(_inside(ours, "build", item["glob"])))
        else:
            raise ours.refusal("build", "an argument must be text, or `glob: PATTERN`")
    if not step or not isinstance(step[0], str) or not step[0]:
        raise ours.refusal("build", "each step must be a list that begins with a program")
    return tuple(step)


def _paths(ours: Fields, key: str) -> dict[str, str]:
    found = ours.texts(key)
    return {_inside(ours, key, path): _inside(ours, key, target or path) for path, target in found.items()}


def _inside(fields: Fields, key: str, path: str) -> str:
    """Return a relative path that stays inside its folder. Raises InvalidSpec."""
    if path.startswith("/") or ".." in path.split("/") or "\0" in path:
        raise fields.refusal(key, f"{path[:60]!r} must be a path inside the folder")
    return path.strip("/")


def _timeout_s(ours: Fields) -> float:
    try:
        return parse_duration(ours.text("build_timeout") or _BUILD_TIMEOUT)
    except InvalidSpec as error:
        raise ours.refusal("build_timeout", error.message) from error


def _build_options(root: Fields) -> dict[str, tuple[str, ...]]:
    given = root.values.get("build_options") or []
    if not isinstance(given, list) or not all(isinstance(item, dict) for item in given):
        raise root.refusal("build_options", "must be a list of `name` and `packages`")
    options = (Fields(root.file, "build_options", item) for item in given if isinstance(item, dict))
    return {option.text("name"): tuple(option.items("packages")) for option in options}
