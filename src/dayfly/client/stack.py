"""stack.yaml: several functions in one file, as faas-cli reads it, with a few keys of ours.

A stack is read in three steps: variables are put in (`substitution`), the text becomes dicts and lists of text
(`yaml_text`), and each function asked for becomes a `FunctionSpec` with the folder its code is in. Keys nobody knows
are ignored, as faas-cli ignores them. Errors name the file, the function and the field.

Dayfly's own keys of a function: `timeout`, `max_inflight`, `concurrency`, `dialect`, and `entrypoint` (`module` or
`module:attribute` of the handler). `lang` chooses the dialect unless `dialect` is there:

| lang | dialect |
|---|---|
| `python` | found by looking at the handler: older stacks mean the classic one by it |
| `python3-http`, `python3-http-debian` | `python` |
| `python-classic`, `python3`, `python3-debian`, `python3-flask`, `python3-flask-debian` | `python-classic` |
| `python-typed` | `python-typed` |
| `asgi`, `wsgi` | the same |

Relative paths (`handler`, `environment_file`) are relative to the stack file, or to the working folder when the file's
own folder has no such entry.
"""

import os
import re
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import cast, get_args

import msgspec

from dayfly.client import yaml_text
from dayfly.client.stack_fields import Fields
from dayfly.client.substitution import substitute
from dayfly.model.egress import PUBLIC, Network
from dayfly.model.errors import DayflyError, InvalidRequest, InvalidSpec
from dayfly.model.function import Concurrency, Dialect, FunctionSpec, Resources

DEFAULT_FILES = ("stack.yaml", "stack.yml")
DIALECTS: dict[str, Dialect] = {
    "python": "auto",
    "python3-http": "python",
    "python3-http-debian": "python",
    "python-classic": "python-classic",
    "python3": "python-classic",
    "python3-debian": "python-classic",
    "python3-flask": "python-classic",
    "python3-flask-debian": "python-classic",
    "python-typed": "python-typed",
    "asgi": "asgi",
    "wsgi": "wsgi",
}
_MAX_BYTES = 1024 * 1024
_MAX_FUNCTIONS = 10_000


class StackFunction(msgspec.Struct, frozen=True):
    """One function of a stack, ready to be packed and deployed."""

    spec: FunctionSpec
    """Without a bundle yet."""
    folder: Path
    """Where its code is."""


class Stack(msgspec.Struct, frozen=True):
    """A stack file, read but not yet judged: only functions that are asked for have to be right."""

    path: Path
    gateway: str
    """`provider.gateway` as written, or empty."""
    entries: dict[str, Fields]
    environ: dict[str, str]
    envsubst: bool

    def functions(self, *, glob: str = "", regex: str = "") -> Iterator[StackFunction]:
        """Yield the functions whose names match, sorted by name.

        `glob` is case-sensitive with `*` only, `regex` is searched for anywhere in the name; both together are refused.
        Raises InvalidSpec for a function that cannot be deployed, InvalidRequest when none matches.
        """
        names = select(list(self.entries), glob=glob, regex=regex)
        if not names:
            which = "no functions matching --filter/--regex were found" if glob or regex else "there are no functions"
            raise InvalidRequest(f"{which} in {self.path}")
        for name in names:
            yield self._function(name, self.entries[name])

    def _function(self, name: str, fields: Fields) -> StackFunction:
        lang = fields.text("lang")
        handler = fields.text("handler")
        if not handler:
            raise fields.refusal("handler", "is missing: name the folder of the function's code")
        spec = FunctionSpec(
            name=name,
            namespace=fields.text("namespace") or FunctionSpec(name=name).namespace,
            image=fields.text("image"),
            lang=lang or "python",
            dialect=_dialect(fields, lang),
            handler=fields.text("entrypoint") or "handler",
            process=fields.text("fprocess"),
            env=self._environment(fields),
            labels=fields.texts("labels"),
            annotations=fields.texts("annotations"),
            secrets=tuple(dict.fromkeys(fields.items("secrets"))),
            constraints=tuple(fields.items("constraints")),
            limits=_resources(fields.part("limits")),
            requests=_resources(fields.part("requests")),
            timeout=fields.text("timeout"),
            max_inflight=fields.number("max_inflight"),
            concurrency=cast("Concurrency", fields.choice("concurrency", get_args(Concurrency), "auto")),
            network=cast("Network", fields.choice("network", get_args(Network), "proxy")),
            allow=tuple(fields.items("allow")) if "allow" in fields.values else (PUBLIC,),
            read_only_root_filesystem=fields.truth("readonly_root_filesystem"),
        )
        try:
            spec.check()
        except InvalidRequest as error:
            raise fields.refusal("", error.message) from error
        return StackFunction(spec, self._found(handler))

    def _environment(self, fields: Fields) -> dict[str, str]:
        env = fields.texts("environment")
        for name in fields.items("environment_file"):
            path = self._found(name)
            root = _read(path, self.environ, envsubst=self.envsubst)
            env |= root.texts("environment")
        return env

    def _found(self, name: str) -> Path:
        beside = self.path.parent / name
        return beside if beside.exists() or not Path(name).exists() else Path(name)


def find_stack(folder: Path | None = None) -> Path | None:
    """Return the stack file of the folder (the working folder by default), or None."""
    candidates = ((folder or Path()) / name for name in DEFAULT_FILES)
    return next((path for path in candidates if path.is_file()), None)


def load_stack(
    path: str | os.PathLike[str], *, environ: Mapping[str, str] | None = None, envsubst: bool = True
) -> Stack:
    """Read a stack file; `environ` is what `${VAR}` is taken from, the process's own by default.

    Raises InvalidRequest when it cannot be read, InvalidSpec when it is no stack.
    """
    environ = dict(os.environ if environ is None else environ)
    root = _read(Path(path), environ, envsubst=envsubst)
    version = root.text("version")
    if version not in ("", "1.0"):
        raise root.refusal("version", f"{version!r} is not understood; 1.0 is")
    provider = root.part("provider")
    name = provider.text("name") if provider else ""
    if name not in ("", "openfaas", "faas", "dayfly"):
        raise root.refusal("provider.name", f"must be openfaas, but is {name!r}")
    functions = root.part("functions")
    entries = functions.parts() if functions else {}
    if len(entries) > _MAX_FUNCTIONS:
        raise root.refusal("functions", f"holds {len(entries)} functions; {_MAX_FUNCTIONS} is the most")
    return Stack(Path(path), provider.text("gateway") if provider else "", entries, environ, envsubst)


def select(names: list[str], *, glob: str = "", regex: str = "") -> list[str]:
    """Return the names that match, sorted. Raises InvalidRequest for both at once and for a bad expression."""
    if glob and regex:
        raise InvalidRequest("--filter and --regex cannot be used together")
    if glob:
        # Only `*` is special: `?` and `[` are turned into sets that hold just themselves.
        plain = re.sub(r"([?\[])", r"[\1]", glob)
        return sorted(name for name in names if fnmatchcase(name, plain))
    try:
        wanted = re.compile(regex)
    except (re.error, RecursionError, OverflowError) as error:
        raise InvalidRequest(f"--regex: {regex[:80]!r} is not a regular expression: {error}") from error
    return sorted(name for name in names if wanted.search(name))


def dialect_of(lang: str) -> Dialect:
    """Return the dialect a `lang` stands for; a template's `@ref` does not matter. Raises InvalidSpec."""
    name = lang.partition("@")[0]
    if name not in DIALECTS:
        known = ", ".join(sorted(DIALECTS))
        raise InvalidSpec(f"lang: {lang[:60]!r} is not one this version runs", hint=f"Known: {known}.")
    return DIALECTS[name]


def _dialect(fields: Fields, lang: str) -> Dialect:
    if fields.text("dialect"):
        return cast("Dialect", fields.choice("dialect", get_args(Dialect), "auto"))
    try:
        return dialect_of(lang or "python")
    except InvalidSpec as error:
        raise fields.refusal("", error.message, hint=error.hint) from error


def _resources(fields: Fields | None) -> Resources | None:
    if fields is None:
        return None
    memory, cpu = fields.text("memory"), fields.text("cpu")
    return Resources(memory, cpu) if memory or cpu else None


def _read(path: Path, environ: Mapping[str, str], *, envsubst: bool) -> Fields:
    try:
        with path.open("rb") as file:
            raw = file.read(_MAX_BYTES + 1)
        text = raw.decode("utf-8-sig")
    except OSError as error:
        raise InvalidRequest(f"{path} cannot be read: {error.strerror}.", hint="Name a stack file with -f.") from error
    except UnicodeDecodeError as error:
        raise InvalidSpec(f"{path}: this is not UTF-8 text") from error
    if len(raw) > _MAX_BYTES:
        raise InvalidSpec(f"{path}: larger than 1 MiB")
    try:
        tree = yaml_text.load(substitute(text, environ) if envsubst else text)
    except DayflyError as error:
        raise InvalidSpec(f"{path}: {error.message}", hint=error.hint) from error
    return Fields.root(str(path), tree)
