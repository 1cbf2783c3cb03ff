"""What `faas-cli` sends is read, told by its template, and made what the function needs of it."""

import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.build.archives import BLOCK, entry
from tests.unit.build.sources import archive, context

from dayfly.build.context import TEMPLATES, Context, code_of, language_of, read_context, template_of
from dayfly.client.templates import built_in, find_template
from dayfly.model.builder import BuildWish
from dayfly.model.errors import InvalidRequest, PayloadTooLarge

WISH = b'{"image": "a/b:1"}'


def read(data: bytes) -> Context:
    return read_context(io.BytesIO(data))


def sent(*entries: bytes, wish: bytes = WISH) -> bytes:
    return b"".join((*entries, entry(b"com.openfaas.docker.config", wish), bytes(2 * BLOCK)))


def test_the_archive_of_faas_cli_is_understood() -> None:
    wish = {"image": "ttl.sh/a/b:1", "buildArgs": {"A": "1"}, "platforms": ["linux/amd64"], "other": 1}
    found = read(archive(context("python3-http", {"handler.py": "x", "sub/more.py": "y"}), wish, b"sealed", mode=0o755))
    assert found.wish == BuildWish(image="ttl.sh/a/b:1", build_args={"A": "1"}, platforms=("linux/amd64",))
    assert found.sealed == b"sealed"
    assert found.files.keys() == {
        "template.yml",
        "Dockerfile",
        "index.py",
        "function/handler.py",
        "function/sub/more.py",
    }
    assert found.files["function/handler.py"].content == b"x"
    assert found.files["function/handler.py"].is_executable


@pytest.mark.parametrize(
    ("entries", "what"),
    [
        ((entry(b"context/../../etc/passwd"),), "not in its folder"),
        ((entry(b"context/a/../../../x"),), "not in its folder"),
        ((entry(b"/context/x"),), "not in its folder"),
        ((entry(b"other/x"),), "not in its folder"),
        ((entry(b"contextual"),), "not in its folder"),
        ((entry(b"context/l", kind=b"2"),), "symbolic link"),
        ((entry(b"context/l", kind=b"1"),), "hard link"),
        ((entry(b"context/s", mode=0o4755),), "setuid"),
    ],
)
def test_what_leads_elsewhere_is_refused(entries: tuple[bytes, ...], what: str) -> None:
    with pytest.raises(InvalidRequest, match=what):
        read(sent(*entries))


@pytest.mark.parametrize(
    "wish", [b"", b"{}", b"[]", b"nothing", b'{"image": 1}', b'{"image": "' + b"x" * 70_000 + b'"}']
)
def test_an_archive_that_does_not_say_what_to_build_is_refused(wish: bytes) -> None:
    with pytest.raises(InvalidRequest, match="does not say what to build"):
        read(sent(entry(b"context/a"), wish=wish))


def test_what_is_larger_than_it_may_be_is_refused() -> None:
    with pytest.raises(PayloadTooLarge):
        read(sent(entry(b"context/a", bytes(65 * 2**20))))


@given(st.binary(max_size=2000))
def test_any_bytes_are_refused_in_words(data: bytes) -> None:
    with pytest.raises(InvalidRequest):
        read(data)


@given(st.data())
def test_a_cut_archive_is_refused(data: st.DataObject) -> None:
    whole = archive(context("python3-http", {"handler.py": "x"}))
    at = data.draw(st.integers(0, whole.index(b"ustar", 3 * BLOCK)))
    with pytest.raises(InvalidRequest):
        read(whole[:at])


def test_every_template_means_what_it_means_to_dayfly_deploy() -> None:
    for template in TEMPLATES:
        for name in template.names:
            ours = find_template(name, Path("/nonexistent"))
            assert (template.runtime, template.dialect) == (ours.runtime, ours.dialect), name
            assert template.env == ours.environment, name
            assert template.process == ours.process, name
            assert template.whole is not ours.packs_handler, name
    known = {name for template in TEMPLATES for name in template.names}
    plain = [each for each in built_in() if each.packs_handler and each.runtime != "image"]
    assert {name for each in plain for name in (each.name, *each.also)} <= known


@pytest.mark.parametrize(
    ("about", "language"),
    [
        ("language: node20\n", "node20"),
        ("a: 1\nlanguage: 'node20' # x\n", "node20"),
        ('language: "node20"', "node20"),
        ("# language: node20\n", ""),
        ("  language: node20\n", ""),
        ("", ""),
    ],
)
def test_the_language_is_read(about: str, language: str) -> None:
    assert language_of(read(archive({"template.yml": about.encode()})).files) == language


def test_the_handlers_folder_is_the_function() -> None:
    files = read(archive(context("python3-http", {"handler.py": "x", "sub/a.py": "y"}))).files
    template = template_of(files)
    assert template is not None
    assert {path: file.content for path, file in code_of(files, template).items()} == {
        "handler.py": b"x", "sub/a.py": b"y",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("source", "given", "found"),
    [
        ("from flask import Response\n", "", b"flask\n"),
        ("import flask\n", "httpx", b"httpx\nflask\n"),
        ("import flask\n", "Flask>=3\n", b"Flask>=3\n"),
        ("x = 1\n", "httpx\n", b"httpx\n"),
    ],
)
def test_flask_is_there_for_who_uses_it_as_with_the_template(source: str, given: str, found: bytes) -> None:
    files = read(archive(context("python3-flask", {"handler.py": source, "requirements.txt": given}))).files
    template = template_of(files)
    assert template is not None
    assert code_of(files, template)["requirements.txt"].content == found


def test_a_handlers_folder_of_another_name_is_found() -> None:
    parts = context("python3-http", {"handler.py": "x"}, folder="src")
    parts["template.yml"] += b"handler_folder: src\n"
    files = read(archive(parts)).files
    template = template_of(files)
    assert template is not None
    assert list(code_of(files, template)) == ["handler.py"]


def test_a_template_whose_files_are_needed_is_packed_with_them() -> None:
    files = read(archive(context("bash-streaming", {"handler.sh": "cat"}))).files
    template = template_of(files)
    assert template is not None
    assert sorted(code_of(files, template)) == ["function/handler.sh", "index.py"]


def test_no_handler_is_nothing_to_build() -> None:
    files = read(archive(context("python3-http", {}))).files
    template = template_of(files)
    assert template is not None
    with pytest.raises(InvalidRequest, match="is empty"):
        code_of(files, template)


@pytest.mark.parametrize("files", [{"Dockerfile": b"FROM x"}, context("java17", {"a": "b"}), {}])
def test_what_takes_a_dockerfile_is_of_no_template_of_ours(files: dict[str, bytes]) -> None:
    assert template_of(read(archive(files)).files) is None
