"""`--tag`: what a function's image is called when its name is to say which source it was made from.

    latest      as it is written, `:latest` where no tag is
    sha         TAG-SHA, the commit's short name
    branch      TAG-BRANCH-SHA
    describe    TAG-TEXT, where the text is that of `git describe --tags --always`
    digest      the tag replaced by the MD5 of the handler's files: of their own sums, one after the other by path

These are faas-cli's names, so that both call the same source's image the same.
"""

import hashlib
import os
import re
import subprocess
from pathlib import Path

from dayfly.model.errors import InvalidRequest

LATEST = "latest"
MODES = (LATEST, "sha", "branch", "describe", "digest")
_TIMEOUT_S = 30.0
_NOT_IN_A_TAG = re.compile(r"[^A-Za-z0-9_.-]", re.ASCII)


def tagged(image: str, mode: str, handler: Path) -> str:
    """Return the image's name with the tag of this mode. Raises InvalidRequest outside of a Git repository."""
    if not image or "@" in image:
        return image
    if ":" not in image.rpartition("/")[2]:
        image += ":latest"
    if mode == "sha":
        return f"{image}-{_sha('SHA')}"
    if mode == "branch":
        branch = _git("rev-parse", "--abbrev-ref", "HEAD", what="branch and SHA")
        return f"{image}-{_NOT_IN_A_TAG.sub('-', branch)}-{_sha('branch and SHA')}"
    if mode == "describe":
        described = _git("describe", "--tags", "--always", what="Tag and SHA")
        return f"{image}-{_NOT_IN_A_TAG.sub('-', described)}"
    if mode == "digest":
        return f"{image.rpartition(':')[0]}:{digest_of(handler)}"
    return image


def digest_of(folder: Path) -> str:
    """Return the MD5, as 32 hex digits, of the regular files below the folder. Raises InvalidRequest."""
    try:
        paths = [
            os.path.join(root, name)
            for root, _, names in os.walk(folder, onerror=_refuse)
            for name in names
            if not os.path.islink(os.path.join(root, name)) and os.path.isfile(os.path.join(root, name))
        ]
        sums = "".join(_md5(Path(path).read_bytes()) for path in sorted(paths, key=os.fsencode))
    except OSError as error:
        raise InvalidRequest(f"--tag digest: {folder} cannot be read: {error.strerror}.") from error
    return _md5(sums.encode())


def _refuse(error: OSError) -> None:
    raise error


def _md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def _sha(what: str) -> str:
    return _git("rev-parse", "--short", "HEAD", what=what)


def _git(*args: str, what: str) -> str:
    try:
        argv = ("git", *args)
        done = subprocess.run(argv, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise InvalidRequest(f"cannot tag image with Git {what}: git does not run here: {error}.") from error
    if done.returncode or not done.stdout.strip():
        told = done.stderr.strip().splitlines()[-1:] or ["it has no commit"]
        raise InvalidRequest(
            f"cannot tag image with Git {what} as this is not a Git repository, or has no commit: {told[0]}"
        )
    return done.stdout.strip()
