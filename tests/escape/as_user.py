"""Run a program as an ordinary account that owns nothing: `as_user.py UID PROGRAM …`, as root.

UID 0 stays root, for machines that give its functions no namespaces: they see the interpreter as other accounts do.

The interpreter may lie in a home folder that other accounts cannot pass. It is then shown, in mounts that this program
and what it starts see alone, at the same place in a folder that they can.
"""

import os
import stat
import sys
import tempfile

from dayfly.runtimes.jail import calls

_REC, _PRIVATE, _BIND = 16384, 1 << 18, 4096


def main(uid: int, argv: list[str]) -> None:
    calls.unshare(calls.CLONE_NEWNS)
    calls.mount("none", "/", flags=_REC | _PRIVATE)
    for prefix in {sys.base_prefix, sys.prefix, os.path.dirname(os.path.dirname(calls.__file__))}:
        open_way(os.path.realpath(prefix))
    if uid:
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
    os.execvp(argv[0], argv)


def open_way(prefix: str) -> None:
    """Make every folder on the way to `prefix` one that others may pass."""
    closed = [folder for folder in ancestors(prefix) if not stat.S_IMODE(os.stat(folder).st_mode) & stat.S_IXOTH]
    if not closed:
        return
    aside = tempfile.mkdtemp()
    calls.mount(prefix, aside, flags=_BIND | _REC)
    calls.mount("tmpfs", closed[0], "tmpfs", 0, "mode=755")
    os.umask(0o022)
    os.makedirs(prefix)
    calls.mount(aside, prefix, flags=_BIND | _REC)


def ancestors(path: str) -> list[str]:
    parts = path.strip("/").split("/")[:-1]
    return ["/" + "/".join(parts[: count + 1]) for count in range(len(parts))]


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
