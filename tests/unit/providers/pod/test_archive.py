"""Code and layers arrive as they are, and nothing else does."""

import io
import os
import tarfile
from pathlib import Path

import pytest
from tests.unit.providers.docker.orders import order

from dayfly.model.errors import InvalidRequest, PayloadTooLarge
from dayfly.providers.pod import archive


def test_what_is_packed_is_unpacked(tmp_path: Path) -> None:
    code, layer, out = tmp_path / "code", tmp_path / "layer", tmp_path / "out"
    for folder in (code / "deep", layer, out):
        folder.mkdir(parents=True)
    (code / "handler.py").write_text("x = 1")
    (code / "deep" / "run").write_bytes(os.urandom(1_000_000))
    (code / "deep" / "run").chmod(0o755)
    (code / "link").symlink_to("handler.py")
    (code / "aside").symlink_to("deep")
    (layer / "module.py").write_text("y = 2")
    wanted = order(code_dir=str(code), layer_dirs=(str(layer), str(layer)))
    pieces = list(archive.pieces(wanted))
    assert max(map(len, pieces)) <= 256 << 10
    archive.unpack(io.BytesIO(b"".join(pieces)), out)
    found, layers = archive.places(wanted, out)
    assert (Path(found) / "deep" / "run").read_bytes() == (code / "deep" / "run").read_bytes()
    assert (Path(found) / "deep" / "run").stat().st_mode & 0o111
    assert (Path(found) / "link").read_text() == "x = 1"
    assert [(Path(each) / "module.py").read_text() for each in layers] == ["y = 2", "y = 2"]


def _member(name: str, kind: bytes = tarfile.REGTYPE, target: str = "") -> tarfile.TarInfo:
    found = tarfile.TarInfo(name)
    found.type, found.linkname = kind, target
    return found


@pytest.mark.parametrize(
    "member",
    [
        _member("../outside"),
        _member("code/..", tarfile.DIRTYPE),
        _member("/etc/outside"),
        _member("code/link", tarfile.SYMTYPE, "/etc/passwd"),
        _member("code/link", tarfile.LNKTYPE, "/etc/passwd"),
        _member("code/device", tarfile.CHRTYPE),
        _member("code/pipe", tarfile.FIFOTYPE),
    ],
    ids=lambda member: f"{member.name} {member.type!r} {member.linkname}",
)
def test_nothing_leads_out_or_is_no_file(member: tarfile.TarInfo, tmp_path: Path) -> None:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        tar.addfile(member)
    packed.seek(0)
    (tmp_path / "out").mkdir()
    with pytest.raises(InvalidRequest, match="the archive holds"):
        archive.unpack(packed, tmp_path / "out")
    assert not (tmp_path / "outside").exists()
    assert not any(path.is_symlink() or path.is_fifo() for path in (tmp_path / "out").rglob("*"))


def test_nothing_is_made_through_a_link_or_over_what_is_there(tmp_path: Path) -> None:
    for first, second in (
        (_member("code", tarfile.SYMTYPE, "../elsewhere"), _member("code/x")),
        (_member("code/x"), _member("code/x")),
        (_member("code/x", tarfile.SYMTYPE, "../../elsewhere/y"), _member("code/x")),
    ):
        packed, out = io.BytesIO(), tmp_path / str(id(first))
        with tarfile.open(fileobj=packed, mode="w") as tar:
            tar.addfile(first)
            tar.addfile(second)
        packed.seek(0)
        (tmp_path / "elsewhere").mkdir(exist_ok=True)
        out.mkdir()
        with pytest.raises((InvalidRequest, FileExistsError)):
            archive.unpack(packed, out)
        assert list((tmp_path / "elsewhere").iterdir()) == []


def test_what_would_become_too_much_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for name in ("a", "b", "c"):
            member = tarfile.TarInfo(name)
            member.size = 100
            tar.addfile(member, io.BytesIO(b"x" * 100))
    for what, most in (("MAX_UNPACKED_BYTES", 250), ("MAX_ENTRIES", 2)):
        with monkeypatch.context() as patch:
            patch.setattr(archive, what, most)
            packed.seek(0)
            (tmp_path / what).mkdir()
            with pytest.raises(PayloadTooLarge, match="code and dependencies are more than"):
                archive.unpack(packed, tmp_path / what)


def test_what_is_no_archive_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match="cannot be unpacked"):
        archive.unpack(io.BytesIO(b"x" * 2048), tmp_path)
