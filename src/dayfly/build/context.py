"""A build context as `faas-cli` sends it, and what it is known to be.

    context/…                           a template with a handler in it, as for `docker build`
    com.openfaas.docker.config          what is asked for, as JSON
    com.openfaas.secrets                secrets of the build, sealed; not always there

A context of a template that we know needs no image: its handler's folder runs here as it is. Which template it is says
the `language` of its template.yml, which the client copies along. Any other is a Dockerfile's.
"""

import posixpath
import re
from typing import BinaryIO

import msgspec

from dayfly.build.tar import ArchiveLimits, Entry, TarReader
from dayfly.model.builder import CONTEXT_FOLDER, MAX_CONTEXT_BYTES, SECRETS_FILE, WISH_FILE, BuildWish
from dayfly.model.errors import InvalidRequest
from dayfly.model.flask import with_flask
from dayfly.model.function import Dialect
from dayfly.model.runtime import Runtime

_ABOUT, _REQUIREMENTS = "template.yml", "requirements.txt"
_GLUE = {_ABOUT, "Dockerfile", ".dockerignore"}
"""Files at the top that are of no use to a function that is not an image."""
_MAX_WISH_BYTES = 64 * 1024
_SCALAR = r"(?m)^{}:[ \t]*[\"']?([A-Za-z0-9._/-]+)[\"']?[ \t]*(?:#.*)?$"
_LANGUAGE, _FOLDER = re.compile(_SCALAR.format("language")), re.compile(_SCALAR.format("handler_folder"))


class File(msgspec.Struct, frozen=True):
    """One file of a context, or of a bundle."""

    content: bytes
    is_executable: bool = False


Files = dict[str, File]


class Context(msgspec.Struct, frozen=True):
    """What was sent."""

    files: Files
    """By their paths, relative to the context."""
    wish: BuildWish
    sealed: bytes = b""


class Template(msgspec.Struct, frozen=True, kw_only=True):
    """A template whose functions run here without an image."""

    runtime: Runtime
    dialect: Dialect = "auto"
    names: frozenset[str] = frozenset()
    whole: bool = False
    """Whether the handler needs the template's files around it."""
    process: str = ""
    env: dict[str, str] = {}


TEMPLATES = (
    Template(runtime="python", names=frozenset({"python"})),
    Template(
        runtime="python",
        dialect="python-flask",
        names=frozenset(
            {"python3-http", "python3-http-debian", "python-flask", "python3-flask", "python3-flask-debian"}
        ),
    ),
    Template(
        runtime="python",
        dialect="python-classic",
        names=frozenset({"python-classic", "python3", "python3-debian"}),
    ),
    Template(runtime="python", dialect="python-typed", names=frozenset({"python-typed"})),
    Template(runtime="python", dialect="flow", names=frozenset({"python-flow"})),
    Template(runtime="python", dialect="asgi", names=frozenset({"asgi"})),
    Template(runtime="python", dialect="wsgi", names=frozenset({"wsgi"})),
    Template(runtime="node", names=frozenset({"node", *(f"node{each}" for each in (12, 14, 16, 17, 18, 20, 22, 24))})),
    Template(runtime="static", names=frozenset({"static"})),
    Template(runtime="exec", names=frozenset({"exec"}), process="./run"),
    Template(runtime="http", names=frozenset({"http"}), process="./run"),
    Template(runtime="exec", names=frozenset({"bash"}), process="bash handler.sh"),
    Template(
        runtime="exec",
        names=frozenset({"bash-streaming"}),
        process="bash ./function/handler.sh",
        env={"mode": "streaming"},
        whole=True,
    ),
)  # fmt: skip


def read_context(archive: BinaryIO) -> Context:
    """Return what an archive holds, all of it in memory. Raises InvalidRequest, PayloadTooLarge."""
    limits = ArchiveLimits(unpacked_bytes=MAX_CONTEXT_BYTES)
    reader = TarReader(archive, limits, gzipped=False)
    files: Files = {}
    beside: dict[str, bytes] = {}
    for entry in reader.entries():
        content = b"".join(reader.content())
        if entry.name in (WISH_FILE, SECRETS_FILE):
            beside[entry.name] = content
        elif not entry.is_folder:
            files[_path(entry)] = File(content, entry.is_executable)
    wish = beside.get(WISH_FILE, b"")
    try:
        asked = msgspec.json.decode(wish[: _MAX_WISH_BYTES + 1], type=BuildWish)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidRequest(f"the archive's {WISH_FILE} does not say what to build: {error}") from error
    return Context(files, asked, beside.get(SECRETS_FILE, b""))


def language_of(files: Files) -> str:
    """Return what the context's template is called; empty when it does not say so, as Dockerfiles of authors do not."""
    found = _LANGUAGE.search(_about(files))
    return found[1] if found else ""


def template_of(files: Files) -> Template | None:
    """Return the template that the context is of, None when it takes its Dockerfile to build it."""
    language = language_of(files)
    return next((template for template in TEMPLATES if language in template.names), None)


def code_of(files: Files, template: Template) -> Files:
    """Return what is to be packed. Raises InvalidRequest when there is nothing."""
    if template.whole:
        found = {path: file for path, file in files.items() if path not in _GLUE}
    else:
        match = _FOLDER.search(_about(files))
        folder = f"{match[1].strip('/') if match else 'function'}/"
        found = {path.removeprefix(folder): file for path, file in files.items() if path.startswith(folder)}
    if template.dialect == "python-flask":
        given = found.get(_REQUIREMENTS, File(b"")).content
        sources = (file.content for path, file in found.items() if path.endswith(".py"))
        if (more := with_flask(sources, given)) is not None:
            found[_REQUIREMENTS] = File(more)
    if not found:
        raise InvalidRequest("the archive holds no file of the function; its handler's folder is empty")
    return found


def _about(files: Files) -> str:
    return files[_ABOUT].content.decode(errors="replace") if _ABOUT in files else ""


def _path(entry: Entry) -> str:
    path = posixpath.normpath(entry.name)
    if not path.startswith(f"{CONTEXT_FOLDER}/") or ".." in entry.name.split("/"):
        raise InvalidRequest(f"the archive holds {entry.name[:80]!r}, which is not in its folder {CONTEXT_FOLDER}")
    return path.removeprefix(f"{CONTEXT_FOLDER}/")
