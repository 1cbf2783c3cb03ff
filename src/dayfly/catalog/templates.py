"""The templates that come with Dayfly, as a template store offers them: by their own names and by OpenFaaS's.

They are read as files, from where the client has them; what they mean is the client's to know. `template_repository`
makes a git repository of them, which `faas-cli template pull` clones.
"""

import functools
from collections.abc import Iterator
from importlib import resources
from importlib.resources.abc import Traversable

from dayfly.catalog.git_repository import File, Repository
from dayfly.model.store import StoreTemplate

REPOSITORY = "/store/templates.git"
"""The path that it is served at."""
OPENFAAS_NAMES = {
    "bash-streaming": "bash-streaming",
    "dockerfile": "dockerfile",
    "golang-middleware": "go",
    "java11": "java",
    "node18": "node",
    "node20": "node",
    "node22": "node",
    "php8": "php",
    "python3": "python-classic",
    "python3-flask": "python-classic",
    "python3-flask-debian": "python-classic",
    "python3-http": "python",
    "python3-http-debian": "python",
    "ruby-http": "ruby",
}
"""Names of OpenFaaS's templates whose handlers ours runs, and which of ours each is."""
_RECOMMENDED = ("dockerfile", "golang-middleware", "node22", "python3-http")
_LEFT_BEHIND = ("__pycache__", ".pytest_cache")


def templates_json(base_url: str) -> tuple[StoreTemplate, ...]:
    """Return the list of a template store that is served at `base_url`."""
    return tuple(
        StoreTemplate(
            template=name,
            language=folder,
            source="dayfly",
            description=f"The template {folder} of Dayfly",
            repo=f"{base_url}{REPOSITORY}",
            official="true",
            recommended=name in _RECOMMENDED,
        )
        for name, folder in sorted(_names().items())
    )


@functools.cache
def template_repository() -> Repository:
    """Return them as a repository: the same commit for the same files."""
    files = []
    for name, folder in _names().items():
        for path, content, executable in _files(_templates() / folder, ""):
            files.append(File(f"template/{name}/{path}", content, executable))
    return Repository(files)


def template_folders() -> dict[str, Traversable]:
    """Return the folders of our templates by their own names."""
    return {each.name: each for each in _templates().iterdir() if (each / "template.yml").is_file()}


def _names() -> dict[str, str]:
    return {**{name: name for name in template_folders()}, **OPENFAAS_NAMES}


def _files(folder: Traversable, prefix: str) -> Iterator[tuple[str, bytes, bool]]:
    for each in folder.iterdir():
        if each.name in _LEFT_BEHIND:
            continue
        if each.is_dir():
            yield from _files(each, f"{prefix}{each.name}/")
        else:
            content = each.read_bytes()
            yield f"{prefix}{each.name}", content, content.startswith(b"#!")


def _templates() -> Traversable:
    return resources.files("dayfly") / "client" / "template"
