"""A function's packages, installed into a folder for the base's interpreter and platform, whatever this machine has.

Python's come as wheels only, by uv or else by pip: a source distribution could only be built for this machine. Node's
come by npm and by what its lock says, and run no scripts. Installers get what the account says of indexes, proxies and
certificates; what they print is told when they fail.
"""

import json
import os
import platform as machine
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from importlib import metadata
from pathlib import Path

import msgspec

from dayfly.client.image.server import SERVED
from dayfly.model.errors import BuildFailed, NotSupported
from dayfly.oci.platform import Platform, this_machine

TIMEOUT_S = 900.0
_LAST_CHARACTERS = 2000
_WHEELS: dict[tuple[str, str], tuple[str, tuple[str, ...]]] = {
    ("amd64", "glibc"): ("x86_64-manylinux_2_28", ("manylinux_2_28_x86_64", "manylinux2014_x86_64")),
    ("arm64", "glibc"): ("aarch64-manylinux_2_28", ("manylinux_2_28_aarch64", "manylinux2014_aarch64")),
    ("amd64", "musl"): ("x86_64-unknown-linux-musl", ("musllinux_1_2_x86_64", "musllinux_1_1_x86_64")),
    ("arm64", "musl"): ("aarch64-unknown-linux-musl", ("musllinux_1_2_aarch64", "musllinux_1_1_aarch64")),
}
"""What uv and pip call a platform."""
_TOLD = ("INSTALLER", "REQUESTED", "direct_url.json", "uv_cache.json")
_LOCAL = re.compile(rf"(\.\./)*bin/|[^,]*\.pyc,|[^,/]*\.dist-info/({'|'.join(map(re.escape, _TOLD))}),")
_NODE_CPUS = {"amd64": "x64", "arm64": "arm64", "arm": "arm", "386": "ia32", "ppc64le": "ppc64", "s390x": "s390x"}


class Target(msgspec.Struct, frozen=True):
    """What packages are installed for."""

    platform: Platform
    libc: str
    python: int = 0
    """The minor version of its Python 3."""

    @property
    def text(self) -> str:
        """All of it in one spelling."""
        return f"{self.platform} {self.libc} python3.{self.python}"

    @property
    def is_this_interpreter(self) -> bool:
        """Whether what is installed beside us runs there too."""
        ours = "glibc" if machine.libc_ver()[0] == "glibc" else "musl"
        return (this_machine(), ours, sys.version_info.minor) == (self.platform, self.libc, self.python)


def install_served(target: Target, requirements: Sequence[str], folder: Path) -> None:
    """Put what the hosts need into a folder: what is installed here if it fits, else from the index."""
    if target.is_this_interpreter:
        for name in SERVED:
            copy_installed(name, folder)
    else:
        install_python(target, "".join(f"{line}\n" for line in requirements), folder)


def install_python(target: Target, requirements: str, folder: Path, programs: Sequence[str] = ()) -> None:
    """Install what a requirements.txt asks for into a folder, and these programs of it into the folder `bin` beside it.

    Raises BuildFailed, NotSupported.
    """
    names = _WHEELS.get((target.platform.architecture, target.libc))
    if names is None:
        known = ", ".join(sorted({f"linux/{architecture}" for architecture, _ in _WHEELS}))
        raise NotSupported(f"Python packages cannot be installed for {target.platform}; they can for {known}.")
    folder.mkdir(parents=True, exist_ok=True)
    asked = folder.with_name(f"{folder.name}.txt")
    asked.write_text(requirements)
    version = f"3.{target.python}"
    if uv := _find_uv():
        argv = [uv, "pip", "install", "--python", sys.executable, "--python-platform", names[0], "--no-progress"]
        argv += ["--python-version", version, "--link-mode", "copy"]
    else:
        argv = [sys.executable, "-m", "pip", "install", "--no-input", "--disable-pip-version-check", "--no-compile"]
        argv += ["--progress-bar", "off", "--python-version", version]
        argv += [f"--platform={each}" for each in names[1]]
    _run([*argv, "--only-binary", ":all:", "--target", str(folder), "--requirement", str(asked)], folder.parent)
    for name in programs:
        shutil.move(folder / "bin" / name, folder.with_name("bin") / name)
    _settle(folder)


def install_node(target: Target, folder: Path) -> None:
    """Install what package.json in a folder, and a lock beside it, ask for. Raises BuildFailed, NotSupported."""
    npm = shutil.which("npm")
    if npm is None:
        raise NotSupported(
            "The function has packages to install, and there is no npm on this machine.",
            hint="Debian: apt-get install npm.",
        )
    cpu = _NODE_CPUS.get(target.platform.architecture, target.platform.architecture)
    quiet = ("--no-audit", "--no-fund", "--no-update-notifier", "--no-progress", "--logs-max=0")
    wanted = ("--ignore-scripts", "--omit=dev", "--os=linux", f"--cpu={cpu}", f"--libc={target.libc}")
    if not (folder / "package-lock.json").exists():
        _run([npm, "install", "--package-lock-only", *wanted, *quiet], folder)
    _run([npm, "ci", *wanted, *quiet], folder)


def copy_installed(name: str, folder: Path) -> None:
    """Put what is installed here of a distribution into a folder, but for its programs."""
    distribution = metadata.distribution(name)
    for file in distribution.files or ():
        if ".." in file.parts or "__pycache__" in file.parts:
            continue
        source = Path(str(distribution.locate_file(file)))
        target = folder.joinpath(*file.parts)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
    _settle(folder)


def _settle(folder: Path) -> None:
    """Take away what tells of this machine: scripts that name its interpreter, who installed, and the records of it."""
    shutil.rmtree(folder / "bin", ignore_errors=True)
    (folder / ".lock").unlink(missing_ok=True)
    for about in folder.glob("*.dist-info"):
        for name in _TOLD:
            (about / name).unlink(missing_ok=True)
        lines = [line for line in (about / "RECORD").read_text().splitlines() if not _LOCAL.match(line)]
        (about / "RECORD").write_text("".join(f"{line}\n" for line in sorted(lines)))


def _find_uv() -> str | None:
    beside = Path(sys.executable).with_name("uv")
    return str(beside) if os.access(beside, os.X_OK) else shutil.which("uv")


def _run(argv: list[str], folder: Path) -> None:
    try:
        done = subprocess.run(
            argv,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=TIMEOUT_S,
            env=dict(_environment()),
        )
    except subprocess.TimeoutExpired:
        raise BuildFailed(f"Installing the packages took longer than {TIMEOUT_S:g} s.") from None
    except OSError as error:
        raise BuildFailed(f"{argv[0]} could not be run: {error.strerror}.") from error
    if done.returncode:
        said = done.stdout.decode(errors="replace").strip()[-_LAST_CHARACTERS:]
        raise BuildFailed(f"The packages could not be installed (code {done.returncode}):\n{said}")


def _environment() -> Iterator[tuple[str, str]]:
    """What says where things are and where packages come from; nothing else decides on what is installed."""
    kept = {
        "PATH", "HOME", "TMPDIR", "LANG", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "ALL_PROXY", "HTTPS_PROXY", "HTTP_PROXY",
        "NO_PROXY", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "SSL_CERT_DIR", "SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS",
        "NETRC",
    }  # fmt: skip
    for name, value in os.environ.items():
        if name.upper() in kept or name.upper().startswith(("PIP_", "UV_", "NPM_CONFIG_")):
            yield name, value


def has_node_packages(manifest: bytes) -> bool:
    """Whether a package.json asks for anything that is needed to run. Raises BuildFailed when it is no JSON."""
    try:
        told = json.loads(manifest)
    except ValueError as error:
        raise BuildFailed(f"package.json cannot be read: {error}.") from error
    return isinstance(told, dict) and bool(told.get("dependencies") or told.get("optionalDependencies"))
