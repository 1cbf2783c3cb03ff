"""The tests' own base image: this machine's Python and a handful of programs, with the libraries they need.

No registry is asked: the image is a tar of files that are here, imported into the engine.
"""

import io
import re
import subprocess
import sys
import sysconfig
import tarfile
from collections.abc import Sequence
from pathlib import Path

import cryptography
import httptools
import msgspec
import nacl
import uvloop

WATCHDOG = Path(__file__).with_name("watchdog.py")
PROGRAMS = ("sh", "sleep", "setsid", "echo", "id", "cat", "ls")
_LEFT_OUT = ("test", "idlelib", "ensurepip", "lib2to3", "tkinter", "turtledemo", "site-packages")
_LIBRARY = re.compile(r"(?:=> )?(/\S+) \(0x")


def archive(*, programs: Sequence[str] = PROGRAMS, folders: Sequence[str] = ()) -> bytes:
    """Return the image's file system as a tar; `folders` are this machine's, and are under the same paths there."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as tar:
        for name in ("proc", "dev", "sys", "etc", "var"):
            _folder(tar, name)
        _folder(tar, "tmp", 0o1777)
        _text(tar, "etc/passwd", "root:x:0:0::/:/bin/sh\napp:x:100:100::/home/app:/bin/sh\nsly:x:0:0::/:/bin/sh\n")
        _text(tar, "etc/group", "root:x:0:\napp:x:100:\n")
        python = Path(sys.executable).resolve()
        stdlib = Path(sysconfig.get_path("stdlib"))
        binaries = [python, *stdlib.glob("lib-dynload/*.so")]
        # What serves functions in images, and the platform itself, need libraries more, of older versions of glibc.
        ours = (msgspec, httptools, uvloop, cryptography, nacl)
        binaries += [path for each in ours for path in Path(str(each.__file__)).parent.rglob("*.so")]
        for name in programs:
            found = Path(subprocess.run(["which", name], capture_output=True, text=True, check=True).stdout.strip())
            tar.add(found.resolve(), f"bin/{name}")
            binaries.append(found.resolve())
        tar.add(python, "bin/python3")
        for library in sorted(_libraries(binaries)):
            tar.add(library.resolve(), str(library).lstrip("/"))
        tar.add(stdlib, f"lib/{stdlib.name}", filter=_wanted)
        tar.add(WATCHDOG, "watchdog.py")
        for folder in folders:
            tar.add(folder, folder.lstrip("/"))
    return file.getvalue()


def _libraries(binaries: list[Path]) -> set[Path]:
    told = subprocess.run(["ldd", *map(str, binaries)], capture_output=True, text=True, check=False).stdout
    return {Path(path) for path in _LIBRARY.findall(told)}


def _wanted(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    return None if any(part in _LEFT_OUT or part.startswith("config-") for part in Path(member.name).parts) else member


def _folder(tar: tarfile.TarFile, name: str, mode: int = 0o755) -> None:
    entry = tarfile.TarInfo(name)
    entry.type, entry.mode = tarfile.DIRTYPE, mode
    tar.addfile(entry)


def _text(tar: tarfile.TarFile, name: str, text: str) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(text), 0o644
    tar.addfile(entry, io.BytesIO(text.encode()))
