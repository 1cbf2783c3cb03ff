"""stack.yaml: several functions in one file, as faas-cli reads it, with a few keys of ours.

A stack is read in three steps: variables are put in (`substitution`), the text becomes dicts and lists of text
(`yaml_text`), and each function asked for becomes a `FunctionSpec` with the folder its code is in. Keys nobody knows
are ignored, as faas-cli ignores them. Errors name the file, the function and the field.

Dayfly's own keys of a function: `timeout`, `max_inflight`, `max_body`, `max_log_rate`, `concurrency`, `network`,
`allow`, `dialect`, `entrypoint` (`module` or `module:attribute` of a Python handler), `base` (what its image stands on)
and `runtime`. `lang` names a
template (`templates`), which says how the function is built and run; where a runtime or dialect is there, that one
counts. One with an `image` and no `handler` has no code here: the image is run as it is.

Relative paths (`handler`, `environment_file`, `configuration.copy`) and the folder `template` are relative to the stack
file, or to the working folder when the file's own folder has no such entry, or the stack file came from a URL.
"""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import cast, get_args
from urllib.parse import urlsplit

import msgspec

from dayfly.client import yaml_text
from dayfly.client.assembly import Copy
from dayfly.client.selection import NO_MATCH, select
from dayfly.client.stack_fields import Fields
from dayfly.client.stack_function import StackFunction, default_image
from dayfly.client.stack_text import is_url, read_text
from dayfly.client.stack_triggers import stack_triggers
from dayfly.client.substitution import substitute
from dayfly.client.template_file import Template
from dayfly.client.templates import PROJECT, find_template, plain_template
from dayfly.model.egress import PUBLIC, Network
from dayfly.model.errors import DayflyError, InvalidRequest, InvalidSpec
from dayfly.model.function import Concurrency, Dialect, FunctionSpec, Resources
from dayfly.model.runtime import Runtime

_MAX_FUNCTIONS = 10_000


class Stack(msgspec.Struct, frozen=True):
    """A stack file, read but not yet judged: only functions that are asked for have to be right."""

    path: Path
    """The file; of one from a URL, where it would be if it were here."""
    gateway: str
    """`provider.gateway` as written, or empty."""
    entries: dict[str, Fields]
    environ: dict[str, str]
    envsubst: bool
    copies: tuple[str, ...] = ()
    """`configuration.copy`: paths that go into every function."""
    origin: str = ""
    """The file, or the URL, as it was named."""
    templates: tuple[tuple[str, str], ...] = ()
    """`configuration.templates`: names, and where each is pulled from; nothing for the template store."""

    @property
    def is_here(self) -> bool:
        """Whether it is a file, which may change, and not from a URL."""
        return not is_url(self.origin)

    def functions(self, *, glob: str = "", regex: str = "") -> Iterator[StackFunction]:
        """Yield the functions whose names match, sorted by name.

        `glob` is case-sensitive with `*` only, `regex` is searched for anywhere in the name; both together are refused.
        Raises InvalidSpec for a function that cannot be deployed, InvalidRequest when none matches.
        """
        names = select(list(self.entries), glob=glob, regex=regex)
        if not names:
            raise InvalidRequest(f"{NO_MATCH if glob or regex else 'there are no functions in'} {self.origin}")
        for name in names:
            yield self._function(name, self.entries[name])

    def name_of(self, folder: Path) -> str:
        """Return the name of the first function whose code is in this folder; empty when there is none."""
        wanted = folder.resolve()
        for name, fields in sorted(self.entries.items()):
            if fields.text("handler") and self._found(fields.text("handler")).resolve() == wanted:
                return name
        return ""

    def _function(self, name: str, fields: Fields) -> StackFunction:
        handler = fields.text("handler")
        if not (handler or fields.text("image")):
            raise fields.refusal("handler", "is missing: name the folder of the function's code, or an image")
        template = self._template(fields) if handler else plain_template("image")
        env = {**template.environment, **self._environment(fields)}
        process = fields.text("fprocess") or env.get("function_process") or env.get("fprocess")
        spec = FunctionSpec(
            name=name,
            namespace=fields.text("namespace") or FunctionSpec(name=name).namespace,
            image=fields.text("image") or default_image(template, name),
            lang=_lang(fields) or template.name,
            runtime=template.runtime,
            dialect=cast("Dialect", fields.choice("dialect", get_args(Dialect), template.dialect)),
            handler=fields.text("entrypoint") or "handler",
            process=process or template.process,
            env=env,
            labels=fields.texts("labels"),
            annotations=fields.texts("annotations"),
            secrets=tuple(dict.fromkeys(fields.items("secrets"))),
            constraints=tuple(fields.items("constraints")),
            limits=_resources(fields.part("limits")),
            requests=_resources(fields.part("requests")),
            timeout=fields.text("timeout"),
            max_inflight=fields.number("max_inflight"),
            max_body=fields.text("max_body"),
            max_log_rate=fields.text("max_log_rate"),
            concurrency=cast("Concurrency", fields.choice("concurrency", get_args(Concurrency), "auto")),
            network=cast("Network", fields.choice("network", get_args(Network), "proxy")),
            allow=tuple(fields.items("allow")) if "allow" in fields.values else (PUBLIC,),
            read_only_root_filesystem=fields.truth("readonly_root_filesystem"),
        )
        try:
            spec.check()
        except InvalidRequest as error:
            raise fields.refusal("", error.message) from error
        return StackFunction(
            spec,
            self._found(handler) if handler else self.path.parent,
            template=template,
            build_args=fields.texts("build_args"),
            build_options=tuple(fields.items("build_options")),
            build_secrets={name: self._found(path) for name, path in fields.texts("build_secrets").items()},
            copies=tuple(self._copy(path) for path in self.copies),
            has_image=not handler or (template.runtime == "image" and fields.truth("skip_build")),
            skip_build=not handler or fields.truth("skip_build"),
            base=self._base(fields.text("base")),
            project=self._found(PROJECT).parent,
            namespace=fields.text("namespace"),
            triggers=stack_triggers(fields, name),
            files=tuple(self._found(name) for name in fields.items("environment_file")),
        )

    def _template(self, fields: Fields) -> Template:
        """The template of a function's `lang`, or the plain one of the runtime that wins over it."""
        lang, project = _lang(fields), self._found(PROJECT).parent
        said = "python" if fields.text("dialect") else ""
        if fields.text("runtime"):
            said = fields.choice("runtime", get_args(Runtime), said)
        try:
            found = find_template(lang, project) if lang or not said else None
        except InvalidSpec as error:
            if not said:
                raise fields.refusal("", error.message, hint=error.hint) from error
            found = None
        if found is None or (said and found.runtime != said):
            return plain_template(cast("Runtime", said))
        return found

    def _copy(self, name: str) -> Copy:
        parts = Path(name).parts
        if not parts or Path(name).is_absolute() or ".." in parts:
            raise InvalidSpec(f"{self.origin}: configuration.copy: {name[:80]!r} must be a path below the project")
        return self._found(name), Path(name).as_posix()

    def _base(self, text: str) -> str:
        """A base for images, a path of which is relative to the stack file."""
        return str(self._found(text)) if text and self._found(text).exists() else text

    def _environment(self, fields: Fields) -> dict[str, str]:
        env = fields.texts("environment")
        for name in fields.items("environment_file"):
            text = read_text(self._found(name), f"It is an environment_file of {self.origin}.")
            root = _parse(text, str(self._found(name)), self.environ, envsubst=self.envsubst)
            env |= root.texts("environment")
        return env

    def _found(self, name: str) -> Path:
        beside = self.path.parent / name
        return beside if beside.exists() or not Path(name).exists() else Path(name)


def load_stack(
    source: str | os.PathLike[str], *, environ: Mapping[str, str] | None = None, envsubst: bool = True
) -> Stack:
    """Read a stack file, or fetch one from a URL; `environ` is what `${VAR}` is taken from, the process's by default.

    Raises InvalidRequest or Unavailable when it cannot be read, InvalidSpec when it is no stack.
    """
    environ = dict(os.environ if environ is None else environ)
    root = _parse(read_text(source), str(source), environ, envsubst=envsubst)
    version = root.text("version")
    if version not in ("", "1.0"):
        raise root.refusal("version", f"{version!r} is not understood; 1.0 is")
    provider = root.part("provider")
    name = provider.text("name") if provider else ""
    if name not in ("", "openfaas", "faas", "dayfly"):
        told = f"['openfaas'] is the only valid \"provider.name\" for the OpenFaaS CLI, but you gave: {name[:80]}"
        raise root.refusal("", told)
    functions = root.part("functions")
    entries = functions.parts() if functions else {}
    if len(entries) > _MAX_FUNCTIONS:
        raise root.refusal("functions", f"holds {len(entries)} functions; {_MAX_FUNCTIONS} is the most")
    settings = root.part("configuration")
    copies = tuple(settings.items("copy")) if settings else ()
    gateway = provider.text("gateway") if provider else ""
    path = Path(urlsplit(str(source)).path).name if is_url(source) else source
    return Stack(Path(path), gateway, entries, environ, envsubst, copies, str(source), _templates(settings))


def _templates(settings: Fields | None) -> tuple[tuple[str, str], ...]:
    sources = settings.sections("templates") if settings else []
    return tuple((each.text("name"), each.text("source")) for each in sources)


def _lang(fields: Fields) -> str:
    """The language; `Dockerfile` is one too."""
    lang = fields.text("lang")
    return "dockerfile" if lang == "Dockerfile" else lang


def _resources(fields: Fields | None) -> Resources | None:
    if fields is None:
        return None
    memory, cpu = fields.text("memory"), fields.text("cpu")
    return Resources(memory, cpu) if memory or cpu else None


def _parse(text: str, source: str, environ: Mapping[str, str], *, envsubst: bool) -> Fields:
    try:
        tree = yaml_text.load(substitute(text, environ) if envsubst else text)
    except DayflyError as error:
        raise InvalidSpec(f"{source}: {error.message}", hint=error.hint) from error
    return Fields.root(source, tree)
