"""--tag: images called by the source they were made from."""

import hashlib
import subprocess
from pathlib import Path

import pytest

from dayfly.client.image_tag import digest_of, tagged
from dayfly.model.errors import InvalidRequest


def md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def git(*args: str) -> str:
    argv = ("git", "-c", "user.name=x", "-c", "user.email=x@example.org", *args)
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    git("init", "-q", "-b", "feature/one")
    git("commit", "-q", "--allow-empty", "-m", "x")
    return tmp_path


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        ("hello", "hello:latest"),
        ("x/hello:0.1", "x/hello:0.1"),
        ("localhost:5000/hello", "localhost:5000/hello:latest"),
        ("x/hello@sha256:" + "0" * 64, "x/hello@sha256:" + "0" * 64),
        ("", ""),
    ],
)
def test_latest_adds_what_is_missing(image: str, expected: str) -> None:
    assert tagged(image, "latest", Path()) == expected


def test_git_says_which_commit(repository: Path) -> None:
    sha = git("rev-parse", "--short", "HEAD")
    assert tagged("x/hello:1", "sha", repository) == f"x/hello:1-{sha}"
    assert tagged("x/hello", "branch", repository) == f"x/hello:latest-feature-one-{sha}"
    assert tagged("x/hello:1", "describe", repository) == f"x/hello:1-{sha}"
    git("tag", "v2")
    assert tagged("x/hello:1", "describe", repository) == "x/hello:1-v2"


@pytest.mark.parametrize("mode", ["sha", "branch", "describe"])
def test_without_a_repository_there_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: str) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    with pytest.raises(InvalidRequest, match="not a Git repository"):
        tagged("x/hello:1", mode, tmp_path)


def test_a_digest_is_that_of_the_files_by_path(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    for name in ("b/handler.py", "a.txt", "Z"):
        (tmp_path / name).write_text(name)
    (tmp_path / "link").symlink_to("a.txt")
    sums = "".join(md5(name.encode()) for name in ("Z", "a.txt", "b/handler.py"))
    assert digest_of(tmp_path) == md5(sums.encode())
    assert tagged("x/hello:1", "digest", tmp_path) == f"x/hello:{digest_of(tmp_path)}"
    with pytest.raises(InvalidRequest, match="cannot be read"):
        digest_of(tmp_path / "none")
