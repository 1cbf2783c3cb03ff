"""Templates from repositories, archives and folders: what is written, and what is refused before anything is."""

import io
import subprocess
import tarfile
from pathlib import Path
from typing import BinaryIO

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dayfly.build.extract import extract
from dayfly.client import git
from dayfly.client.template_pull import Meta, Pulled, pull
from dayfly.client.template_store import find_in_store, list_templates, pull_from_store, store_url
from dayfly.client.templates import find_template, templates
from dayfly.model.errors import Conflict, InvalidRequest, InvalidSpec, NotFound, Unavailable
from dayfly.model.store import StoreTemplate


def unpack(archive: BinaryIO, target: Path) -> None:
    extract(archive, target, shared=False)


def run_git(folder: Path, *arguments: str) -> str:
    argv = ["git", "-C", str(folder), "-c", "user.name=t", "-c", "user.email=t@example.org", *arguments]
    return subprocess.run(argv, capture_output=True, check=True, timeout=60, text=True).stdout.strip()


def write_templates(folder: Path, text: str = "one") -> None:
    for name in ("cobol", "python3-http"):
        starter = folder / "template" / name / "function"
        starter.mkdir(parents=True, exist_ok=True)
        (starter / "handler.txt").write_text(text)
        (starter.parent / "template.yml").write_text(f"language: {name}\nwelcome_message: Hello\n")
        (starter.parent / "Dockerfile").write_text("FROM scratch\n")
        (starter.parent / "run").write_text("#!/bin/sh\n")
        (starter.parent / "run").chmod(0o755)


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with a tag for what was before."""
    folder = tmp_path_factory.mktemp("repository")
    run_git(folder, "init", "--quiet", "--initial-branch=main")
    for text in ("one", "two"):
        write_templates(folder, text)
        run_git(folder, "add", "--all")
        run_git(folder, "commit", "--quiet", "--message", text)
        if text == "one":
            run_git(folder, "tag", "v1")
            run_git(folder, "branch", "feature/x")
    return folder


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    return folder


def handler(project: Path, name: str) -> str:
    return (project / "template" / name / "function" / "handler.txt").read_text()


def meta(project: Path, name: str) -> Meta:
    return msgspec.json.decode((project / "template" / name / "meta.json").read_bytes(), type=Meta)


def test_a_repository_is_cloned_and_where_it_came_from_is_noted(repository: Path, project: Path) -> None:
    done = pull(f"file://{repository}", project, unpack)
    assert done == Pulled(("cobol", "python3-http"))
    assert handler(project, "cobol") == "two"
    assert (project / "template/cobol/run").stat().st_mode & 0o777 == 0o755
    about = meta(project, "cobol")
    assert (about.repository, about.ref_name) == (f"file://{repository}", "")
    assert about.sha == run_git(repository, "rev-parse", "main")
    assert find_template("cobol", project).welcome == "Hello"
    assert find_template("python3-http", project).runtime == "python", "ours takes its place"


@pytest.mark.parametrize("ref", ["v1", "feature/x", "sha-"])
def test_a_branch_a_tag_or_a_commit_is_a_template_of_its_own(repository: Path, project: Path, ref: str) -> None:
    ref += run_git(repository, "rev-parse", "--short=10", "v1") if ref == "sha-" else ""
    assert pull(f"file://{repository}#{ref}", project, unpack, only="cobol").names == (f"cobol@{ref}",)
    assert meta(project, f"cobol@{ref.replace('/', '-')}").ref_name == ref
    template = find_template(f"cobol@{ref}", project)
    assert (template.starter / "handler.txt").read_text() == "one"
    assert template in templates(project, lambda bad: pytest.fail(bad.message))
    with pytest.raises(InvalidSpec, match="'cobol' is no template"):
        find_template("cobol", project)


def test_what_is_there_is_replaced_or_kept(repository: Path, project: Path) -> None:
    pull(f"file://{repository}#v1", project, unpack)
    (project / "template/cobol@v1/mine").touch()
    with pytest.raises(Conflict, match=r"unable to overwrite the following: \[cobol@v1 python3-http@v1\]"):
        pull(f"file://{repository}#v1", project, unpack, overwrite=False)
    assert (project / "template/cobol@v1/mine").exists()
    pull(f"file://{repository}#v1", project, unpack)
    assert not (project / "template/cobol@v1/mine").exists()
    assert sorted(each.name for each in (project / "template").iterdir()) == ["cobol@v1", "python3-http@v1"]


def test_a_folder_is_copied_without_git(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_templates(tmp_path / "ours#1")
    monkeypatch.setattr(git, "clone", None)
    assert pull(str(tmp_path / "ours#1"), project, unpack, only="cobol").names == ("cobol",)
    assert meta(project, "cobol").sha == ""


@pytest.mark.parametrize("prefix", ["", "templates-main/"])
def test_an_archive_is_unpacked_with_or_without_a_folder_around(
    repository: Path, project: Path, tmp_path: Path, prefix: str
) -> None:
    archive = tmp_path / "t.tar.gz"
    run_git(repository, "archive", f"--prefix={prefix}", f"--output={archive}", "main")
    assert pull(str(archive), project, unpack).names == ("cobol", "python3-http")
    with pytest.raises(InvalidRequest, match="has no branches"):
        pull(f"{archive}#main", project, unpack)


def test_an_archive_that_leads_out_of_its_folder_is_refused(project: Path, tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "evil.tgz", "w:gz") as archive:
        about = tarfile.TarInfo("template/x/../../../../evil")
        archive.addfile(about, io.BytesIO())
    with pytest.raises(InvalidRequest, match="not a plain path"):
        pull(str(tmp_path / "evil.tgz"), project, unpack)
    assert not (project / "template").exists()


def test_a_link_in_a_folder_is_refused_and_nothing_of_it_is_left(project: Path, tmp_path: Path) -> None:
    write_templates(tmp_path)
    (tmp_path / "template/cobol/passwd").symlink_to("/etc/passwd")
    with pytest.raises(InvalidRequest, match="cobol holds passwd"):
        pull(str(tmp_path), project, unpack)
    assert list((project / "template").iterdir()) == []


def test_a_link_in_a_repository_becomes_its_text(project: Path, tmp_path: Path) -> None:
    write_templates(tmp_path / "r")
    (tmp_path / "r/template/cobol/passwd").symlink_to("/etc/passwd")
    run_git(tmp_path / "r", "init", "--quiet")
    run_git(tmp_path / "r", "add", "--all")
    run_git(tmp_path / "r", "commit", "--quiet", "--message", "x")
    pull(f"file://{tmp_path}/r", project, unpack)
    copied = project / "template/cobol/passwd"
    assert (copied.is_symlink(), copied.read_text()) == (False, "/etc/passwd")


def test_nothing_of_a_repository_is_run(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither hooks of a template folder for git nor what GIT_ variables name."""
    write_templates(tmp_path / "r")
    run_git(tmp_path / "r", "init", "--quiet")
    run_git(tmp_path / "r", "add", "--all")
    run_git(tmp_path / "r", "commit", "--quiet", "--message", "x")
    hook = tmp_path / "for-git/hooks/post-checkout"
    hook.parent.mkdir(parents=True)
    hook.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
    hook.chmod(0o755)
    monkeypatch.setenv("GIT_TEMPLATE_DIR", str(hook.parent.parent))
    pull(f"file://{tmp_path}/r", project, unpack)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    "source",
    ["", "-x", "--upload-pack=touch x", "ext::sh -c x", "http://example.org/r.git", "ftp://h/r", "https://-x/r",
     "https://", "git@-host:r", "user@host:-r", "http://[::1", "nowhere", "git://example.org/r.git", "fd::17"],
)  # fmt: skip
def test_what_is_no_safe_way_to_a_repository_never_reaches_git(
    source: str, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subprocess, "run", None)
    with pytest.raises(InvalidRequest):
        git.clone(source, "", project / "x")


@pytest.mark.parametrize(
    "ref", ["-x", "--upload-pack=x", "a b", "a..b", "/a", "a/", "a.lock", "x@{1}", "sha-", "sha-xyz"]
)
def test_what_is_no_ref_never_reaches_git(ref: str, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subprocess, "run", None)
    with pytest.raises(InvalidRequest):
        git.clone("https://example.org/r.git", ref, project / "x")


@given(st.text(max_size=40))
def test_any_ref_is_taken_or_refused_and_none_is_an_option(ref: str) -> None:
    try:
        git.check_ref(ref)
    except InvalidRequest:
        return
    assert not ref.startswith("-")
    assert ref.isprintable()


@pytest.mark.parametrize(
    "url",
    [
        "https://example.org/r.git",
        "ssh://git@example.org/r",
        "git@example.org:o/r.git",
        "http://127.0.0.1:8080/store/templates.git",
        "http://localhost/r",
        "file:///r",
    ],
)
def test_ways_that_are_spoken(url: str) -> None:
    git.check_url(url)


def test_a_repository_that_is_not_there_says_so_and_keeps_a_password_to_itself(project: Path, tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="cannot be cloned"):
        pull(f"file://{tmp_path}/none", project, unpack)
    assert git.shown("https://user:secret@example.org/r.git") == "https://example.org/r.git"


def test_a_source_without_templates_or_without_the_one_wanted(repository: Path, project: Path, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no folder `template`"):
        pull(str(tmp_path), project, unpack)
    with pytest.raises(NotFound, match="has no template 'fortran'"):
        pull(f"file://{repository}", project, unpack, only="fortran")


def test_a_stores_list_is_ordered_and_searched() -> None:
    ours = list_templates()
    assert [each.recommended for each in ours] == sorted((each.recommended for each in ours), reverse=True)
    one = StoreTemplate(template="x", source="team", repo="https://example.org/x")
    assert find_in_store((one,), "x@v1") is find_in_store((one,), "team/x") is one
    with pytest.raises(NotFound, match="`y` does not exist"):
        find_in_store((one,), "y")
    assert store_url("", {"OPENFAAS_TEMPLATE_STORE_URL": "https://s"}) == "https://s"


def test_ours_need_no_pulling(project: Path) -> None:
    assert pull_from_store("go", "", project, unpack).names == ()
    assert not (project / "template").exists()


@pytest.mark.parametrize("name", ["-x", "ext::sh -c x"])
def test_a_folder_does_not_make_a_name_harmless(name: str, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (project / name).mkdir()
    monkeypatch.chdir(project)
    monkeypatch.setattr(subprocess, "run", None)
    with pytest.raises(InvalidRequest, match="no git repository"):
        git.clone(name, "", project / "target")


def test_what_was_named_is_an_argument_and_no_option(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[list[str]] = []

    def run(argv: list[str], **_: object) -> subprocess.CompletedProcess[bytes]:
        asked.append(argv)
        return subprocess.CompletedProcess(argv, 0, b"abc\n", b"")

    monkeypatch.setattr(subprocess, "run", run)
    git.clone("https://example.org/r.git", "v1", project / "x")
    assert asked[0][-4:] == ["--branch=v1", "--", "https://example.org/r.git", str(project / "x")]
