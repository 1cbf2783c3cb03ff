"""Running a template's build on the author's machine: compilers, in a clean environment, with an end in time.

This is the author's own code on the author's machine, as with `docker build`; nothing of it is confined. What a build
may depend on is in its folder and in what the template names; of the caller's environment it gets only where things are
(homes, caches, proxies), so that the same source makes the same function wherever the command was typed.
"""

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from dayfly.client.template_file import Glob, Step, Template
from dayfly.model.errors import BuildFailed, NotSupported

CHECK_TIMEOUT_S = 10.0
MAX_OUTPUT_BYTES = 1024 * 1024
"""Of what a step prints, the last of this many bytes are told when it fails."""
_PLACES = (
    "PATH", "HOME", "USER", "LOGNAME", "TMPDIR", "LANG", "LC_ALL", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME",
    "XDG_RUNTIME_DIR", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy",
    "SSL_CERT_FILE", "SSL_CERT_DIR", "SSH_AUTH_SOCK", "GOPATH", "GOCACHE", "GOMODCACHE", "GOPROXY", "GOPRIVATE",
    "GOROOT", "CARGO_HOME", "RUSTUP_HOME", "RUSTUP_TOOLCHAIN", "JAVA_HOME", "DOCKER_HOST", "DOCKER_CONFIG",
    "DOCKER_CONTEXT", "CONTAINER_HOST",
)  # fmt: skip


def version_of(template: Template) -> str | None:
    """Return what the template's check prints; None when it fails."""
    return version_of_program(template.check)


def version_of_program(argv: Sequence[str]) -> str | None:
    """Return what a program prints, at most 4 KiB; None when it fails, or takes more than 10 s."""
    try:
        done = subprocess.run(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=CHECK_TIMEOUT_S,
            env=environment({}),
        )
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return None
    return done.stdout[:4096].decode(errors="replace").strip() if done.returncode == 0 else None


def missing(template: Template) -> NotSupported:
    """Return the error for a build whose toolchain is not there."""
    return NotSupported(
        f"This machine cannot build {template.name} functions: `{' '.join(template.check)}` does not work here.",
        hint=f"It takes {template.needs}." if template.needs else "",
    )


def environment(more: Mapping[str, str]) -> dict[str, str]:
    """Return what a build finds around it: the places it may use, and these variables."""
    return {**{name: os.environ[name] for name in _PLACES if name in os.environ}, **more}


def run(template: Template, folder: Path, args: Mapping[str, str]) -> None:
    """Run the steps in the build folder; `args` are further variables, which win over the template's.

    Raises NotSupported when a program is not there, BuildFailed with all it printed when one fails or takes too long.
    """
    recipe = template.recipe
    directory = folder / recipe.directory
    environ = environment({**recipe.environment, **args})
    for step in recipe.steps:
        run_step(words(step, directory), directory, environ, timeout_s=recipe.timeout_s)


def words(step: Step, directory: Path) -> list[str]:
    """Return a step with the files that its globs stand for."""
    found: list[str] = []
    for item in step:
        if isinstance(item, Glob):
            found += sorted(path.relative_to(directory).as_posix() for path in directory.glob(item.pattern))
        else:
            found.append(item)
    return found


def run_step(argv: Sequence[str], directory: Path, environ: Mapping[str, str], *, timeout_s: float) -> str:
    """Run one program to its end and return the last it printed. Raises NotSupported, BuildFailed."""
    shown = " ".join(argv)
    shown = shown if len(shown) <= 200 else f"{shown[:200]} …"
    if shutil.which(argv[0], path=environ.get("PATH")) is None and "/" not in argv[0]:
        raise NotSupported(f"The build needs the program {argv[0]}, which is not on this machine's PATH.")
    with tempfile.TemporaryFile() as printed:  # a file, not a pipe: what a step leaves running must not hold us up
        try:
            process = subprocess.Popen(
                argv,
                cwd=directory,
                env=dict(environ),
                stdin=subprocess.DEVNULL,
                stdout=printed,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as error:
            raise BuildFailed(f"`{shown}` could not be started: {error.strerror}") from error
        try:
            code = process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            told = f"`{shown}` did not end within {timeout_s:g} s (build_timeout in template.yml)."
            raise BuildFailed(told) from None
        finally:
            if process.returncode is None:  # too late, or Ctrl-C
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        printed.seek(max(0, printed.seek(0, os.SEEK_END) - MAX_OUTPUT_BYTES))
        output = printed.read().decode(errors="replace")
    if code:
        how = f"exit code {code}" if code > 0 else signal.Signals(-code).name
        raise BuildFailed(f"`{shown}` ended with {how}:\n{output}")
    return output
