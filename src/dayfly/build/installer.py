"""Running uv, pip or npm: with an argument list, a small environment, a deadline, and everything they say in a log.

The account's own settings for indexes, proxies and certificates come through; nothing else of the platform's
environment does. Wheels only, unless the operator says otherwise: building a source distribution runs its author's
code, outside of any function's confinement.
"""

import asyncio
import contextlib
import os
import shutil
import signal
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

from dayfly.model.errors import BuildFailed

Run = Callable[[list[str], Path], Awaitable[None]]

_TIMEOUT_S = 900.0
_LAST_LINES, _LAST_CHARACTERS = 15, 2000
_KEPT = {
    "HOME", "LANG", "LC_ALL", "LOGNAME", "NETRC", "PATH", "TMPDIR", "USER", "XDG_CACHE_HOME", "XDG_CONFIG_HOME",
    "ALL_PROXY", "HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY",
    "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "SSL_CERT_DIR", "SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS",
}  # fmt: skip
_KEPT_PREFIXES = ("PIP_", "UV_", "NPM_CONFIG_", "npm_config_")


def installer_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that an installer gets: the account's, as far as they say where packages come from."""
    return {name: value for name, value in environ.items() if name.upper() in _KEPT or name.startswith(_KEPT_PREFIXES)}


def install_argv(interpreter: str, requirements: Path, site: Path, *, allow_sdist: bool, uv: str | None) -> list[str]:
    """Return the command that installs the requirements into the folder `site`."""
    wheels_only = [] if allow_sdist else ["--only-binary", ":all:"]
    # A layer may be read by functions under this account: linked into uv's cache, they could change the cache.
    with_uv = ["--python", interpreter, "--compile-bytecode", "--link-mode", "copy", "--no-progress"]
    with_pip = ["--no-input", "--disable-pip-version-check", "--progress-bar", "off", "--no-warn-script-location"]
    command = [uv, "pip", "install", *with_uv] if uv else [interpreter, "-m", "pip", "install", *with_pip]
    return [*command, *wheels_only, "--target", str(site), "--requirement", str(requirements)]


def find_uv(interpreter: str) -> str | None:
    """Return the path of uv: the one beside the interpreter, else the one on the PATH, else None."""
    beside = Path(interpreter).with_name("uv")
    return str(beside) if os.access(beside, os.X_OK) else shutil.which("uv")


async def run_installer(argv: list[str], log: Path, *, timeout_s: float = _TIMEOUT_S) -> None:
    """Run the command with its output appended to `log`. It and all it started are gone when this returns or raises.

    Raises BuildFailed with the log's last lines when it fails or takes longer than `timeout_s`.
    """
    with log.open("ab") as output:
        try:
            process = await asyncio.create_subprocess_exec(
                *argv,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=installer_environment(os.environ),
                start_new_session=True,
            )
        except OSError as failed:
            raise BuildFailed(f"{argv[0]} could not be run: {failed.strerror}") from failed
    try:
        code = await asyncio.wait_for(process.wait(), timeout_s)
    except TimeoutError:
        raise BuildFailed(f"installing the dependencies took longer than {timeout_s:g} s{last_lines(log)}") from None
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
    if code:
        raise BuildFailed(f"the dependencies could not be installed (code {code}){last_lines(log)}")


def last_lines(log: Path) -> str:
    """Return the end of the log as the end of a sentence."""
    lines = log.read_text(errors="replace").splitlines()[-_LAST_LINES:]
    return ":\n" + "\n".join(lines)[-_LAST_CHARACTERS:] if lines else ""
