"""What serves a function inside its image: our own hosts, as files, with as much around them as they import.

Python functions, programs and static files are served by `dayfly.runtimes.image`. Which modules that takes is found out
by following its imports, so that an image holds these and nothing of the platform. Two packages go along, of the
versions that this installation was tested with. Node functions are served by `image.cjs`, which needs nothing but Node.
"""

import ast
from collections.abc import Iterator
from functools import cache
from importlib import metadata
from pathlib import Path

import dayfly
from dayfly.oci.layer import Content

PLACE = "opt/dayfly"
RUNTIME, PACKAGES = f"{PLACE}/runtime", f"{PLACE}/packages"
NODE_HOST = f"{PLACE}/host"
SERVED = ("msgspec", "httptools")
"""Packages that the Python hosts import."""
LEAST_PYTHON, LEAST_NODE = 11, 18
_ROOT = Path(dayfly.__file__).parent
_MAIN = "dayfly.runtimes.image.__main__"
_NODE = _ROOT / "runtimes" / "node" / "host"


@cache
def python_server() -> tuple[Content, ...]:
    """Return the modules that serve Python functions, programs and static files, as files of an image."""
    files = sorted(_closure(_MAIN).values())
    return tuple(
        Content(path=f"{RUNTIME}/{path.relative_to(_ROOT.parent).as_posix()}", data=path.read_bytes()) for path in files
    )


@cache
def node_server() -> tuple[Content, ...]:
    """Return what serves Node functions, as files of an image."""
    return tuple(
        Content(path=f"{NODE_HOST}/{path.name}", data=path.read_bytes()) for path in sorted(_NODE.glob("*.cjs"))
    )


def served_requirements() -> tuple[str, ...]:
    """Return what the Python hosts need, in the versions that are installed here."""
    return tuple(f"{name}=={metadata.version(name)}" for name in SERVED)


def _closure(main: str) -> dict[str, Path]:
    """Return a module and all of ours that it imports, by name, with the packages they are in."""
    found: dict[str, Path] = {}
    left = [main]
    while left:
        name = left.pop()
        if name in found or (path := _file(name)) is None:
            continue
        found[name] = path
        left += _imports(ast.parse(path.read_bytes()))
        left += [name.rpartition(".")[0]] if "." in name else []
    return found


def _file(module: str) -> Path | None:
    """The file of one of our modules or packages; None for what is neither, as a name in a module is."""
    stem = _ROOT.parent.joinpath(*module.split("."))
    if module.partition(".")[0] != _ROOT.name:
        return None
    candidates = (stem.with_suffix(".py"), stem / "__init__.py")
    return next((each for each in candidates if each.is_file()), None)


_HOLDERS = (ast.stmt, ast.excepthandler, ast.match_case)
"""What an import may stand in. Not to look into expressions takes the search for modules from 212 to 126 ms."""


def _imports(tree: ast.AST) -> Iterator[str]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            continue
        elif isinstance(node, _HOLDERS):
            yield from _imports(node)
