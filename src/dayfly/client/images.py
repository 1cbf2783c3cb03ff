"""Images from Dockerfiles: built by the container engine of this machine, because nothing else can execute one."""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from dayfly.client import build_steps
from dayfly.client.template_file import Template
from dayfly.model.builder import PACKAGES_ARGUMENT
from dayfly.model.errors import InvalidSpec, NotSupported

ENGINES = ("docker", "podman", "buildah")
_PROXIES = ("http_proxy", "https_proxy")


def find_engine(engines: Sequence[str] = ENGINES) -> str | None:
    """Return the first engine whose program is here and can reach what it drives, or None."""
    for engine in engines:
        if shutil.which(engine) and build_steps.version_of_program((engine, "info")) is not None:
            return engine
    return None


def build_image(
    template: Template,
    folder: Path,
    image: str,
    args: Mapping[str, str],
    options: Sequence[str] = (),
    *,
    labels: Mapping[str, str] = {},
    no_cache: bool = False,
    secrets: Mapping[str, Path] = {},
) -> None:
    """Build the image of a build folder and give it this name.

    Raises NotSupported when there is no engine, BuildFailed with all it printed, InvalidSpec for an unknown option.
    """
    engine = find_engine()
    if engine is None:
        raise NotSupported(
            f"A Dockerfile is built by Docker, Podman or buildah, and none answers here ({', '.join(ENGINES)} info).",
            hint="Install one (apt-get install docker.io, or podman) and start it; other languages need none.",
        )
    environ = build_steps.environment({})
    given = {name: environ[name] for name in _PROXIES if name in environ}
    given |= {**args, PACKAGES_ARGUMENT: packages_of(template, args, options)}
    argv = [engine, "build", "--tag", image]
    for name, value in sorted(given.items()):
        argv += ["--build-arg", f"{name}={value}"]
    for name, value in sorted(labels.items()):
        argv += ["--label", f"{name}={value}"]
    argv += ["--no-cache"] if no_cache else []
    for name, path in sorted(secrets.items()):
        if not path.is_file():
            raise InvalidSpec(f"build_secrets: {name[:60]}: there is no file {path}")
        argv += ["--secret", f"id={name},src={path.resolve()}"]
    build_steps.run_step([*argv, "."], folder, environ, timeout_s=template.recipe.timeout_s)


def packages_of(template: Template, args: Mapping[str, str], options: Sequence[str]) -> str:
    """Return what the options stand for and the argument names, each once, sorted, as faas-cli passes it.

    Raises InvalidSpec for an option that the template lacks.
    """
    wanted = set(args.get(PACKAGES_ARGUMENT, "").split())
    for option in options:
        if option not in template.build_options:
            known = ", ".join(sorted(template.build_options)) or "none"
            raise InvalidSpec(f"build_options: {template.name} has no option {option!r}; it has {known}")
        wanted |= set(template.build_options[option])
    return " ".join(sorted(wanted))
