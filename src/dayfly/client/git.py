"""The one thing that is asked of the program `git`: a copy of a repository, for what is in it.

What somebody named reaches git as one argument behind `--`, never as an option and never through a shell. Only https,
ssh and, on this machine, http and plain paths are spoken: what a repository holds is built and run later, so nobody on
the way may change it. Nothing of the copy is executed here: no hooks, no submodules, no filters of large files.
"""

import os
import re
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

from dayfly.client.gateway import LOOPBACK
from dayfly.model.errors import InvalidRequest, NotSupported, Unavailable

TIMEOUT_S = 180.0
SHA_PREFIX = "sha-"
"""In front of a commit's hash, where a branch or tag may stand too."""
_REF = re.compile(r"(?![-/.])(?!.*(?:\.\.|//|@\{|\.lock(?:/|$)))[A-Za-z0-9._/@+-]{1,200}(?<![/.])", re.ASCII)
_SHA = re.compile(r"[0-9a-fA-F]{7,40}", re.ASCII)
_SSH = re.compile(r"(?!-)[A-Za-z0-9._-]+@(?!-)[A-Za-z0-9.-]+:(?!-)[^\s:][^\s]*", re.ASCII)
_OPTIONS = (
    "-c", "core.hooksPath=/dev/null", "-c", "core.symlinks=false", "-c", "core.autocrlf=false",
    "-c", "protocol.ext.allow=never", "-c", "submodule.recurse=false", "-c", "advice.detachedHead=false",
)  # fmt: skip
_ENVIRONMENT = {
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_ALLOW_PROTOCOL": "https:ssh:http:file",
    "GIT_LFS_SKIP_SMUDGE": "1",
    "GIT_SSH_COMMAND": "ssh -o BatchMode=yes",
}
_SAID_BYTES = 2000


def clone(url: str, ref: str, target: Path) -> str:
    """Copy the repository's files of `ref` (a branch, a tag or `sha-HASH`; empty for its own choice) to `target`.

    Returns the commit's hash. Raises InvalidRequest for a URL or a ref that is none, or is not there, NotSupported
    without git, Unavailable when the repository cannot be had.
    """
    check_url(url)
    check_ref(ref)
    by_commit, sha = ref.startswith(SHA_PREFIX), ref.removeprefix(SHA_PREFIX)
    if by_commit and not _SHA.fullmatch(sha):
        raise InvalidRequest(f"{ref[:80]!r} is no commit: write sha- and 7 to 40 hexadecimal digits")
    depth = [] if by_commit else ["--depth=1", *([f"--branch={ref}"] if ref else [])]
    _git("clone", "--quiet", "--no-tags", "--no-recurse-submodules", "--template=", *depth, "--", url, str(target),
         what=f"{shown(url)} cannot be cloned{f' at {ref}' if ref else ''}")  # fmt: skip
    if by_commit:
        _git("-C", str(target), "checkout", "--quiet", "--detach", sha, what=f"{shown(url)} has no commit {sha}")
    return _git("-C", str(target), "rev-parse", "HEAD", what="the copy has no commit").strip()


def shown(url: str) -> str:
    """Return a repository's URL as it may be told and kept: without a password."""
    return re.sub(r"(?<=://)[^/@]*@", "", url[:400])[:200]


def check_url(url: str) -> None:
    """Refuse what is no way to a repository that may be gone. Raises InvalidRequest."""
    if _SSH.fullmatch(url) or (not url.startswith("-") and "::" not in url and os.path.isdir(url)):
        return
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        parts, host = urlsplit(""), ""
    scheme = parts.scheme.lower()
    if scheme == "file" or (scheme in ("https", "ssh") and host and not host.startswith("-")):
        return
    if scheme == "http" and host in LOOPBACK:
        return
    if scheme == "http" and host:
        hint = "Use https, or clone it yourself and name the folder."
        raise InvalidRequest(f"{shown(url)} is not cloned: on plain http anybody may change it.", hint=hint)
    hint = "Name https://HOST/REPOSITORY.git, git@HOST:REPOSITORY.git, a folder or a .tar.gz archive."
    raise InvalidRequest(f"{url[:200]!r} is no git repository, archive or folder", hint=hint)


def check_ref(ref: str) -> None:
    """Refuse what can be neither a branch nor a tag; empty is no ref at all. Raises InvalidRequest."""
    if ref and not _REF.fullmatch(ref):
        raise InvalidRequest(f"{ref[:80]!r} is not the name of a branch, a tag, or sha-COMMIT")


def _git(*arguments: str, what: str) -> str:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")} | _ENVIRONMENT
    try:
        done = subprocess.run(
            ["git", *_OPTIONS, *arguments],  # noqa: S607 - the user's own git
            stdin=subprocess.DEVNULL, capture_output=True, timeout=TIMEOUT_S, env=environ, check=False,
        )  # fmt: skip
    except FileNotFoundError as error:
        raise NotSupported("Templates from a repository take the program git.", hint="apt-get install git") from error
    except subprocess.TimeoutExpired as error:
        raise Unavailable(f"{what}: git did not end within {TIMEOUT_S:g} s.") from error
    if done.returncode != 0:
        said = " ".join(done.stderr[-_SAID_BYTES:].decode(errors="replace").split())
        raise Unavailable(f"{what}: {said or f'git ended with {done.returncode}'}")
    return done.stdout.decode(errors="replace")
