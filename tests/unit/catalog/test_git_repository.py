"""A repository of one commit: git itself agrees with it, and what is no request for it is refused."""

import struct
import subprocess
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dayfly.catalog.git_repository import File, Repository
from dayfly.catalog.templates import OPENFAAS_NAMES, template_repository, templates_json
from dayfly.client.templates import built_in, find_template
from dayfly.model.errors import InvalidRequest

names = st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=8).filter(
    lambda name: name not in (".", "..") and name.lower() != ".git"
)


def git(folder: Path, *arguments: str, data: bytes = b"") -> bytes:
    argv = ["git", "-C", str(folder), *arguments]
    return subprocess.run(argv, input=data, capture_output=True, check=True, timeout=60).stdout


def test_git_takes_the_pack_and_finds_the_files_as_they_were(tmp_path: Path) -> None:
    files = [
        File("a", b"plain"),
        File("a.b", b""),
        File("a-dir/run", b"#!/bin/sh\n", is_executable=True),
        File("x/b/c", b"\0" * 100_000),
        File("x.z", b"before the folder x, whose name ends with a slash to git"),
        File("ü/ß", "Grüße".encode()),
    ]
    repository = Repository(files)
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "index-pack", "--strict", "--stdin", data=repository.pack)
    assert git(tmp_path, "fsck", "--strict", "--full", "--no-dangling") == b""
    listed = git(tmp_path, "-c", "core.quotePath=false", "ls-tree", "-r", repository.commit).decode().splitlines()
    assert {line.split("\t")[1]: line[:6] for line in listed} == {
        file.path: "100755" if file.is_executable else "100644" for file in files
    }
    for file in files:
        assert git(tmp_path, "cat-file", "blob", f"{repository.commit}:{file.path}") == file.content


@given(st.dictionaries(names, st.binary(max_size=300), min_size=1, max_size=6))
def test_the_same_files_are_the_same_commit_and_the_pack_holds_each_object_once(files: dict[str, bytes]) -> None:
    one = Repository([File(name, content) for name, content in files.items()])
    other = Repository([File(name, content) for name, content in reversed(files.items())])
    assert one.commit == other.commit
    assert struct.unpack(">4sII", one.pack[:12]) == (b"PACK", 2, 2 + len(set(files.values())))
    unpacker, at = zlib.decompressobj(), 12
    while one.pack[at] & 128:
        at += 1
    unpacker.decompress(one.pack[at + 1 :])
    assert unpacker.eof


REPOSITORY = Repository([File("a", b"b")])
WANT = f"0032want {REPOSITORY.commit}\n".encode()


def test_a_client_that_wants_a_shallow_copy_is_told_its_end_and_then_given_all() -> None:
    assert REPOSITORY.answer(WANT + b"000cdeepen 1" + b"0000") == b"0000"
    assert REPOSITORY.answer(WANT + b"000cdeepen 1" + b"00000009done\n").startswith(b"00000008NAK\nPACK")
    assert REPOSITORY.answer(WANT + b"00000009done\n").startswith(b"0008NAK\nPACK")


@pytest.mark.parametrize(
    "request_",
    [b"", b"0000", b"zzzz", b"0009done\n", b"0002", b"00ffwant", b"0032want " + b"0" * 40 + b"\n", b"\xff" * 8],
)
def test_what_is_no_request_is_refused(request_: bytes) -> None:
    with pytest.raises(InvalidRequest):
        REPOSITORY.answer(request_)


@given(st.binary(max_size=200))
def test_any_bytes_are_answered_or_refused(request_: bytes) -> None:
    try:
        REPOSITORY.answer(request_)
    except InvalidRequest:
        return
    assert REPOSITORY.commit.encode() in request_


def test_the_templates_go_by_the_names_that_the_client_knows() -> None:
    for name, folder in OPENFAAS_NAMES.items():
        assert find_template(name, Path("/nowhere")).name == folder
    listed = {each.template: each for each in templates_json("http://x")}
    assert listed.keys() == {each.name for each in built_in()} | OPENFAAS_NAMES.keys()
    assert {each.repo for each in listed.values()} == {"http://x/store/templates.git"}
    assert template_repository().commit == template_repository().commit
