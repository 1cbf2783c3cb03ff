"""Packing: the same bytes from the same folder, and none of what must not leave the machine."""

import gzip
import io
import os
import shutil
import socket
import tarfile
from pathlib import Path

import pytest

from dayfly.client import bundle as bundle_module
from dayfly.client import walk
from dayfly.client.bundle import pack
from dayfly.model.errors import InvalidRequest, PayloadTooLarge
from dayfly.model.token import new_token

KEY = b"-----BEGIN RSA PRIVATE KEY-----\n" + b"MIIEowIBAAKCAQEAtestkeymaterial0123456789\n"


@pytest.fixture
def code(tmp_path: Path) -> Path:
    folder = tmp_path / "code"
    (folder / "sub").mkdir(parents=True)
    (folder / "handler.py").write_text("def handle(event, context): ...\n")
    (folder / "sub" / "run.sh").write_text("#!/bin/sh\n")
    (folder / "sub" / "run.sh").chmod(0o700)
    return folder


def members(data: bytes) -> dict[str, tarfile.TarInfo]:
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        return {member.name: member for member in archive.getmembers()}


def test_the_archive_is_plain_and_sorted(code: Path) -> None:
    data = pack(code).data
    assert data[4:8] == bytes(4), "gzip's own time stamp"
    found = members(data)
    assert list(found) == ["handler.py", "sub", "sub/run.sh"]
    assert {name: oct(member.mode) for name, member in found.items()} == {
        "handler.py": "0o644", "sub": "0o755", "sub/run.sh": "0o755",
    }  # fmt: skip
    assert {(member.mtime, member.uid, member.gid, member.uname) for member in found.values()} == {(0, 0, 0, "")}


def test_the_same_folder_gives_the_same_digest(code: Path, tmp_path: Path) -> None:
    first = pack(code)
    twin = tmp_path / "twin"
    twin.mkdir()
    for name in ("sub", "handler.py"):
        (shutil.copytree if name == "sub" else shutil.copy)(code / name, twin / name)
    os.utime(twin / "handler.py", (1, 1))
    (twin / "handler.py").chmod(0o600)
    assert pack(twin).digest == first.digest
    (twin / "handler.py").write_text("other")
    assert pack(twin).digest != first.digest


def test_clutter_is_left_out(code: Path) -> None:
    for name in ("__pycache__", "node_modules", ".venv", ".idea", "env"):
        (code / name).mkdir()
        (code / name / "x").write_text("x")
    (code / "env" / "pyvenv.cfg").touch()
    for name in ("a.pyc", ".handler.py.swp", "handler.py~", ".DS_Store", ".dayflyignore"):
        (code / name).write_text("")
    assert list(members(pack(code).data)) == ["handler.py", "sub", "sub/run.sh"]


@pytest.mark.parametrize(
    "name",
    [
        ".git",
        ".env",
        ".env.production",
        "server.pem",
        "id_rsa",
        "id_ed25519",
        ".aws",
        ".kube",
        ".ssh",
        ".netrc",
        ".secrets",
    ],
)
@pytest.mark.parametrize("where", ["", "sub"])
def test_credentials_are_refused_by_name_unless_ignored(code: Path, name: str, where: str) -> None:
    (code / where / name).write_text("x")
    with pytest.raises(InvalidRequest, match=name):
        pack(code)
    (code / ".dayflyignore").write_text(f"{name}\n")
    assert name not in str(members(pack(code).data))


@pytest.mark.parametrize("name", ["id_map.py", "env.py", ".env.example", "pem.py", "github", ".gitignore"])
def test_innocent_names_are_carried(code: Path, name: str) -> None:
    (code / name).write_text("x")
    assert name in members(pack(code).data)


@pytest.mark.parametrize(
    "content",
    [
        KEY,
        b"x = 1\n" + KEY,
        KEY.replace(b"RSA ", b"OPENSSH "),
        KEY.replace(b"RSA ", b""),
        KEY.replace(b"RSA ", b"ENCRYPTED ").replace(b"\n", b"\r\n"),
        b"-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,0011\n\nMIIEowIBAAKCAQEA00",
        b'{"private_key": "-----BEGIN PRIVATE KEY-----\\nMIIEvQIBADANBgkqhkiG9w0B"}',
        b"PuTTY-User-Key-File-3: ssh-ed25519\n",
    ],
)
def test_private_keys_are_found_by_content(code: Path, content: bytes) -> None:
    (code / "sub" / "harmless.txt").write_bytes(content)
    with pytest.raises(InvalidRequest, match=r"harmless\.txt:[12]: a private key"):
        pack(code)


def test_tokens_are_found_by_content(code: Path) -> None:
    _, token = new_token()
    (code / "sub" / "ci.yaml").write_text(f"run: dayfly login --token {token}\n")
    with pytest.raises(InvalidRequest, match=r"sub/ci\.yaml:1: a token of Dayfly") as caught:
        pack(code)
    assert token not in str(caught.value)


@pytest.mark.parametrize(
    "content",
    [b'MARK = "-----BEGIN PRIVATE KEY-----"', b"-----BEGIN CERTIFICATE-----\nMIIEowIBAAKCAQEAt", b"PRIVATE KEY"],
)
def test_talking_of_keys_is_no_key(code: Path, content: bytes) -> None:
    (code / "harmless.py").write_bytes(content)
    assert "harmless.py" in members(pack(code).data)


def test_links_inside_are_packed_as_what_they_point_at(code: Path) -> None:
    (code / "link.py").symlink_to("handler.py")
    (code / "folder").symlink_to("sub")
    found = members(pack(code).data)
    assert found["link.py"].isreg()
    assert found["folder"].isdir()
    assert found["folder/run.sh"].isreg()


@pytest.mark.parametrize("target", ["/etc/passwd", "../outside", "nowhere", ".", "loop"])
def test_links_that_lead_elsewhere_are_refused(code: Path, target: str) -> None:
    (code.parent / "outside").write_text("x")
    (code / "loop").symlink_to(target)
    with pytest.raises(InvalidRequest, match="loop"):
        pack(code)


def test_a_link_to_a_folder_that_it_is_in_is_refused_at_once(code: Path) -> None:
    (code / "sub" / "up").symlink_to("..")
    with pytest.raises(InvalidRequest, match="sub/up is a link to a folder that it is in"):
        pack(code)


def test_a_link_does_not_hide_the_name_of_a_credential(code: Path) -> None:
    (code / "sub" / ".env").write_text("PASSWORD=x")
    (code / "settings").symlink_to("sub/.env")
    (code / ".dayflyignore").write_text(".env\n")
    with pytest.raises(InvalidRequest, match=r"settings points at \.env"):
        pack(code)


def test_pipes_and_sockets_are_refused(code: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(code / "pipe")
    with pytest.raises(InvalidRequest, match="pipe is neither"):
        pack(code)
    (code / "pipe").unlink()
    monkeypatch.chdir(code)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("sock")
        with pytest.raises(InvalidRequest, match="sock is neither"):
            pack(code)


@pytest.mark.parametrize("name", [b"new\nline", b"esc\x1b", b"not\xffutf8", b"back\\slash", b"bidi\xe2\x80\xae"])
def test_names_that_cannot_be_carried_are_refused(code: Path, name: bytes) -> None:
    (code / os.fsdecode(name)).write_text("x")
    with pytest.raises(InvalidRequest, match="cannot be carried") as caught:
        pack(code)
    assert "\x1b" not in str(caught.value)


def test_names_that_differ_only_by_case_are_refused(code: Path) -> None:
    (code / "Handler.py").write_text("x")
    with pytest.raises(InvalidRequest, match="case"):
        pack(code)


def test_names_of_any_language_are_carried(code: Path) -> None:
    (code / "größe-数.txt").write_text("x")
    assert "größe-数.txt" in members(pack(code).data)


def test_long_paths_are_refused(code: Path) -> None:
    deep = code / ("d" * 200) / ("e" * 200)
    deep.mkdir(parents=True)
    (deep / "x").touch()
    with pytest.raises(InvalidRequest, match="too long"):
        pack(code)


def test_deep_folders_are_refused(code: Path) -> None:
    (code / "/".join("d" * 40)).mkdir(parents=True)
    with pytest.raises(InvalidRequest, match="deep"):
        pack(code)


def test_entries_are_counted(code: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(walk, "MAX_ENTRIES", 3)
    pack(code)
    (code / "fourth").touch()
    with pytest.raises(InvalidRequest, match="more than 3"):
        pack(code)


def test_content_is_measured(code: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundle_module, "MAX_CONTENT_BYTES", 100)
    with pytest.raises(PayloadTooLarge):
        pack(code)


def test_the_bundle_is_measured(code: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundle_module, "MAX_BUNDLE_BYTES", 10)
    with pytest.raises(PayloadTooLarge, match="64 MiB"):
        pack(code)


def test_what_shrinks_like_a_bomb_is_not_compressed(code: Path) -> None:
    (code / "zeros").write_bytes(bytes(3 * 2**20))
    data = pack(code).data
    assert len(gzip.decompress(data)) < 100 * len(data)


@pytest.mark.parametrize("folder", ["gone", "code/handler.py", "empty"])
def test_what_is_no_folder_of_code_is_refused(code: Path, folder: str) -> None:
    (code.parent / "empty" / "sub").mkdir(parents=True)
    with pytest.raises(InvalidRequest):
        pack(code.parent / folder)


def test_repr_does_not_hold_the_data(code: Path) -> None:
    assert len(repr(pack(code))) < 120
