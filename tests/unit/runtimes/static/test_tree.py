"""Which file a path means, and that no path means one outside."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dayfly.runtimes.static.tree import Tree


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A site beside a file that is none of its own."""
    root = tmp_path / "site"
    (root / "docs").mkdir(parents=True)
    (root / "empty").mkdir()
    (root / ".git").mkdir()
    (root / ".well-known").mkdir()
    for name in ("index.html", "a b.txt", "docs/index.html", ".env", ".git/config", ".well-known/security.txt"):
        (root / name).write_text(name)
    (tmp_path / "secret.txt").write_text("secret")
    (tmp_path / "site2").mkdir()
    (tmp_path / "site2/secret.txt").write_text("secret")
    (root / "inside.txt").symlink_to("a b.txt")
    (root / "outside.txt").symlink_to("../secret.txt")
    (root / "sibling.txt").symlink_to("../site2/secret.txt")
    (root / "above").symlink_to("..")
    os.mkfifo(root / "pipe")
    return root


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/", "index.html"),
        ("/index.html", "index.html"),
        ("/a%20b.txt", "a b.txt"),
        ("//docs/./", "docs/index.html"),
        ("/docs", "docs/index.html"),
        ("/docs%2Findex.html", "docs/index.html"),
        ("/inside.txt", "a b.txt"),
        ("/.well-known/security.txt", ".well-known/security.txt"),
    ],
)
def test_a_path_means_a_file(folder: Path, path: str, name: str) -> None:
    found = Tree(str(folder)).find(path.encode())
    assert found is not None
    assert Path(found.path) == folder / name
    assert found.size_bytes == len(name)


@pytest.mark.parametrize(
    "path",
    [
        "/missing", "/empty", "/empty/", "/index.html/", "/../secret.txt", "/%2e%2e/secret.txt", "/..%2fsecret.txt",
        "/docs/..%2f..%2fsecret.txt", "/outside.txt", "/sibling.txt", "/above/secret.txt", "/..%2fsite2/secret.txt",
        "/.env", "/.git/config", "/%2egit/config", "/a%00b", "/%ff", "/pipe", "/..", "/docs/../index.html", "/a\\..\\b",
    ],
)  # fmt: skip
def test_a_path_that_leads_elsewhere_means_nothing(folder: Path, path: str) -> None:
    assert Tree(str(folder)).find(path.encode()) is None


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], max_examples=300)
@given(parts=st.lists(st.sampled_from(["..", ".", "", "%2e%2e", "%2E.", "%2f", "%5c", "docs", "above", "secret.txt",
                                       "site", "outside.txt", "%252e%252e", "\\", "%00", ".git", "config"])),
       slash=st.sampled_from(["/", "%2f", "//", "\\"]))  # fmt: skip
def test_no_path_leads_out(folder: Path, parts: list[str], slash: str) -> None:
    tree = Tree(str(folder))
    path = "/" + slash.join(parts)
    found = tree.find(path.encode())
    if found is not None:
        assert Path(found.path).is_relative_to(folder)
        assert not [part for part in Path(found.path).relative_to(folder).parts if part.startswith(".")]


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.html", "text/html; charset=utf-8"),
        ("a.js", "text/javascript; charset=utf-8"),
        ("a.mjs", "text/javascript; charset=utf-8"),
        ("a.css", "text/css; charset=utf-8"),
        ("a.json", "application/json; charset=utf-8"),
        ("a.svg", "image/svg+xml; charset=utf-8"),
        ("a.PNG", "image/png"),
        ("a.wasm", "application/wasm"),
        ("a.woff2", "font/woff2"),
        ("a.webp", "image/webp"),
        ("a.tar.gz", "application/gzip"),
        ("a.tar.br", "application/octet-stream"),
        ("a.unheard-of", "application/octet-stream"),
        ("plain", "application/octet-stream"),
    ],
)
def test_types(tmp_path: Path, name: str, kind: str) -> None:
    (tmp_path / name).touch()
    found = Tree(str(tmp_path)).find(f"/{name}".encode())
    assert found is not None
    assert found.content_type == kind


def test_a_folder_that_is_not_there_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(NotADirectoryError):
        Tree(str(tmp_path / "nowhere"))
