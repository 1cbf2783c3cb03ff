"""The extractor: honest archives come out as they went in, hostile ones leave no trace (threat T17)."""

import errno
import gzip
import io
import os
import stat
import tarfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.build.archives import BLOCK, archive, entry, header, honest, long_name, padded, pax, pax_line

from dayfly.build.extract import extract
from dayfly.build.tar import ArchiveLimits
from dayfly.model.errors import InvalidRequest, PayloadTooLarge, StoreFull, StoreUnavailable

SMALL = ArchiveLimits(compressed_bytes=200_000, unpacked_bytes=4_000_000, entries=50, ratio=100)
CANARY = "canary stays"


def unpack(data: bytes, folder: Path, *, shared: bool = True, limits: ArchiveLimits = SMALL) -> Path:
    extract(io.BytesIO(data), folder / "code", shared=shared, limits=limits)
    return folder / "code"


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


HOSTILE = {
    "dot-dot": archive(entry(b"../canary", b"x")),
    "dot-dot inside": archive(entry(b"a/../../canary", b"x")),
    "dot-dot that stays inside": archive(entry(b"a/../b", b"x")),
    "absolute": archive(entry(b"/tmp/canary", b"x")),
    "two slashes": archive(entry(b"//canary", b"x")),
    "empty part": archive(entry(b"a//b", b"x")),
    "no name": archive(entry(b"", b"x")),
    "only a dot, as a file": archive(entry(b".", b"x")),
    "backslash": archive(entry(b"..\\canary", b"x")),
    "drive": archive(entry(b"C:\\canary", b"x")),
    "newline in a name": archive(entry(b"a\nb", b"x")),
    "escape in a name": archive(entry(b"\x1b[2J", b"x")),
    "right-to-left override": archive(entry("a\u202eyp.x".encode(), b"x")),
    "not UTF-8": archive(entry(b"\xff\xfe", b"x")),
    "prefix leads out": archive(entry(b"canary", b"x", prefix=b"..")),
    "absolute by prefix": archive(entry(b"canary", b"x", prefix=b"/tmp")),
    "symbolic link": archive(entry(b"link", kind=b"2", link=b"/etc/passwd")),
    "symbolic link, then a file through it": archive(
        entry(b"link", kind=b"2", link=b".."), entry(b"link/canary", b"x")
    ),
    "hard link": archive(entry(b"a", b"x"), entry(b"link", kind=b"1", link=b"a")),
    "hard link to outside": archive(entry(b"link", kind=b"1", link=b"../canary")),
    "character device": archive(entry(b"null", kind=b"3")),
    "block device": archive(entry(b"disk", kind=b"4")),
    "named pipe": archive(entry(b"pipe", kind=b"6")),
    "contiguous file": archive(entry(b"a", b"x", kind=b"7")),
    "sparse file": archive(entry(b"a", b"x", kind=b"S")),
    "sparse file by pax": archive(pax(**{"GNU.sparse.major": "1"}), entry(b"a", b"x")),
    "long link": archive(entry(b"././@LongLink", b"../canary\0", kind=b"K"), entry(b"a", kind=b"2")),
    "unknown kind": archive(entry(b"a", b"x", kind=b"Z")),
    "setuid": archive(entry(b"a", b"x", mode=0o4755)),
    "setgid folder": archive(entry(b"a/", kind=b"5", mode=0o2755)),
    "sticky": archive(entry(b"a", b"x", mode=0o1644)),
    "pax path leads out": archive(pax(path="../canary"), entry(b"harmless", b"x")),
    "pax path is absolute": archive(pax(path="/tmp/canary"), entry(b"harmless", b"x")),
    "pax path for all": archive(entry(b"g", pax_line(b"path", b"elsewhere"), kind=b"g"), entry(b"harmless", b"x")),
    "pax path twice": archive(
        entry(b"p", pax_line(b"path", b"one") + pax_line(b"path", b"two"), kind=b"x"), entry(b"harmless", b"x")
    ),
    "pax size": archive(pax(size="4"), entry(b"a", b"xxxxyyyy")),
    "pax link": archive(pax(linkpath="../canary"), entry(b"a", b"x")),
    "pax line with a lying length": archive(entry(b"p", b"99 path=a\n", kind=b"x"), entry(b"a", b"x")),
    "pax line without end": archive(entry(b"p", b"9 path=ab", kind=b"x"), entry(b"a", b"x")),
    "long name leads out": archive(long_name(b"../canary"), entry(b"harmless", b"x")),
    "long path for realpath": archive(long_name(b"d" * 247 + (b"/" + b"d" * 247) * 15 + b"/x"), entry(b"a", b"x")),
    "too deep": archive(long_name(b"d/" * 40 + b"x"), entry(b"a", b"x")),
    "overlong part": archive(long_name(b"n" * 256), entry(b"a", b"x")),
    "the same path twice": archive(entry(b"a", b"x"), entry(b"a", b"y")),
    "the same path in two spellings": archive(entry(b"a", b"x"), entry(b"./a", b"y")),
    "the same but for case": archive(entry(b"Readme", b"x"), entry(b"README", b"y")),
    "folders the same but for case": archive(entry(b"Lib/a", b"x"), entry(b"lib/b", b"y")),
    "the same after normalising": archive(entry("caf\u00e9".encode(), b"x"), entry("cafe\u0301".encode(), b"y")),
    "a file that becomes a folder": archive(entry(b"a", b"x"), entry(b"a/b", b"y")),
    "a folder that becomes a file": archive(entry(b"a/", kind=b"5"), entry(b"a", b"y")),
    "a folder with content": archive(header(b"a/", 4, kind=b"5") + padded(b"abcd")),
    "size in base 256": archive(header(b"a", size_field=b"\x80" + bytes(10) + b"\x01") + padded(b"x")),
    "negative size": archive(header(b"a", size_field=b"-0000000001\0")),
    "wrong checksum": archive(header(b"a", 1, checksum=b"000000\0 ") + padded(b"x")),
    "cut off in a header": archive(entry(b"a", b"x"), end=b"a" * 100),
    "cut off in a file": archive(header(b"a", 5000) + padded(b"x"), end=b""),
    "without an end": archive(entry(b"a", b"x"), end=b""),
    "a second archive behind the end": archive(entry(b"a", b"x"), bytes(2 * BLOCK), entry(b"b", b"y")),
    "one empty block, then more": archive(entry(b"a", b"x"), bytes(BLOCK), entry(b"b", b"y")),
    "a second gzip member": archive(entry(b"a", b"x")) + archive(entry(b"b", b"y")),
    "rubbish behind": archive(entry(b"a", b"x")) + b"rubbish",
    "cut off gzip": archive(entry(b"a", os.urandom(3000)))[:-40],
    "wrong gzip checksum": archive(entry(b"a", b"x"))[:-8] + b"\0" * 8,
    "not gzip": b"PK\x03\x04" + bytes(100),
    "zip": b"PK\x05\x06" + bytes(18),
    "nothing": b"",
}

TOO_LARGE = {
    "a gigabyte of zeros": gzip.compress(header(b"a", 10**9) + bytes(5_000_000), compresslevel=9),
    "high ratio": archive(entry(b"a", bytes(2_000_000))),
    "too many entries": archive(*(entry(b"%d" % number) for number in range(51))),
    "too large compressed": archive(entry(b"a", os.urandom(300_000))),
    "zeros behind the end": archive(entry(b"a", b"x"), bytes(3_000_000)),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_archive_is_refused_and_leaves_nothing(tmp_path: Path, name: str) -> None:
    (tmp_path / "canary").write_text(CANARY)
    room = tmp_path / "room"
    room.mkdir()
    with pytest.raises(InvalidRequest):
        unpack(HOSTILE[name], room)
    assert list(room.iterdir()) == []
    assert [path.name for path in tmp_path.iterdir() if path != room] == ["canary"]
    assert (tmp_path / "canary").read_text() == CANARY


@pytest.mark.parametrize("name", TOO_LARGE)
def test_a_bomb_is_refused_by_what_it_unpacks_to(tmp_path: Path, name: str) -> None:
    with pytest.raises(PayloadTooLarge):
        unpack(TOO_LARGE[name], tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_what_is_unpacked_is_counted_whatever_the_archive_says(tmp_path: Path) -> None:
    data = archive(entry(b"a", os.urandom(6_000)), entry(b"b", os.urandom(6_000)))
    with pytest.raises(PayloadTooLarge, match="unpacks to more than 10000 bytes"):
        unpack(data, tmp_path, limits=ArchiveLimits(unpacked_bytes=10_000))


@pytest.mark.parametrize(
    ("kind", "name"), [(b"1", "hard link"), (b"2", "symbolic link"), (b"3", "device"), (b"6", "named pipe")]
)
def test_a_refusal_names_what_was_found(tmp_path: Path, kind: bytes, name: str) -> None:
    with pytest.raises(InvalidRequest, match=f"holds a {name}, 'thing'"):
        unpack(archive(entry(b"thing", kind=kind)), tmp_path)


def test_an_extended_header_cannot_fill_the_memory(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match="overlong"):
        unpack(archive(header(b"p", 3_000_000, kind=b"x") + bytes(3_000_000)), tmp_path)


@pytest.mark.parametrize("form", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT, tarfile.USTAR_FORMAT])
def test_what_tarfile_wrote_comes_out_the_same(tmp_path: Path, form: int) -> None:
    long = "folder/" * 12 + "n" * 60
    files = {"handler.py": b"print(1)\n", "sub/data.bin": os.urandom(70_000), "empty": b"", long: b"deep"}
    assert contents(unpack(honest(files, form=form), tmp_path)) == files


def test_names_beyond_ascii_and_leading_dots_are_taken(tmp_path: Path) -> None:
    data = archive(entry(b"./", kind=b"5"), entry("./süß/ñ.py".encode(), b"1"), entry(b".hidden", b"2"))
    assert contents(unpack(data, tmp_path)) == {"süß/ñ.py": b"1", ".hidden": b"2"}


def test_a_folder_may_be_named_again(tmp_path: Path) -> None:
    data = archive(entry(b"a/b", b"1"), entry(b"a/", kind=b"5"), entry(b"a/", kind=b"5"))
    assert contents(unpack(data, tmp_path)) == {"a/b": b"1"}


@pytest.mark.parametrize(
    ("shared", "folder_mode", "file_mode", "program_mode"),
    [(True, 0o755, 0o444, 0o555), (False, 0o700, 0o400, 0o500)],
)
def test_modes_are_ours(tmp_path: Path, shared: bool, folder_mode: int, file_mode: int, program_mode: int) -> None:
    data = archive(entry(b"f", b"x", mode=0o666), entry(b"p", b"x", mode=0o777), entry(b"d/", kind=b"5", mode=0o777))
    code = unpack(data, tmp_path, shared=shared)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (code, *code.iterdir())}
    assert modes == {"code": folder_mode, "f": file_mode, "p": program_mode, "d": folder_mode}


def test_everything_is_flushed_before_it_has_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flush, flushed = os.fsync, set[int]()

    def note(descriptor: int) -> None:
        flushed.add(os.fstat(descriptor).st_ino)
        assert not (tmp_path / "code").exists() or os.fstat(descriptor).st_ino == tmp_path.stat().st_ino
        flush(descriptor)

    monkeypatch.setattr("os.fsync", note)
    code = unpack(honest({"handler.py": b"x", "deep/er/more.py": b"y"}), tmp_path)
    assert {path.stat().st_ino for path in (tmp_path, code, *code.rglob("*"))} <= flushed


@pytest.mark.parametrize(("number", "kind"), [(errno.ENOSPC, StoreFull), (errno.EIO, StoreUnavailable)])
def test_a_disk_that_fails_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, kind: type[StoreUnavailable]
) -> None:
    def fail(_descriptor: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises(StoreUnavailable) as refusal:
        unpack(honest({"handler.py": b"x"}), tmp_path)
    assert type(refusal.value) is kind
    assert list(tmp_path.iterdir()) == []


def test_a_destination_that_is_there_is_kept(tmp_path: Path) -> None:
    unpack(archive(entry(b"a", b"first")), tmp_path)
    unpack(archive(entry(b"a", b"second")), tmp_path)
    assert contents(tmp_path / "code") == {"a": b"first"}
    assert [path.name for path in tmp_path.iterdir()] == ["code"]


NAMES = st.text(st.characters(codec="ascii", categories=("L", "N")), min_size=1, max_size=8)


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.lists(NAMES, min_size=1, max_size=3).map("/".join), st.binary(max_size=2000), max_size=8))
def test_an_honest_archive_is_the_identity_or_refused(
    tmp_path_factory: pytest.TempPathFactory, files: dict[str, bytes]
) -> None:
    folder = tmp_path_factory.mktemp("any")
    try:
        code = unpack(honest(files), folder)
    except InvalidRequest:
        folded = [name.casefold() for name in files]
        parents = {"/".join(name.split("/")[:depth]) for name in folded for depth in range(1, 3)}
        spellings = {part for name in files for part in ("/".join(name.split("/")[:d]) for d in range(1, 4))}
        assert len({spelling.casefold() for spelling in spellings}) < len(spellings) or parents & set(folded)
    else:
        assert contents(code) == files


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=4), st.integers(0, 3000), st.integers(0, 64))
def test_a_damaged_archive_is_refused_or_stays_inside(
    tmp_path_factory: pytest.TempPathFactory, noise: bytes, at: int, cut: int
) -> None:
    folder = tmp_path_factory.mktemp("damaged")
    good = b"".join((entry(b"dir/a", b"x" * 700), entry(b"b", b"y"), bytes(2 * BLOCK)))
    bad = good[:at] + noise + good[at + len(noise) + cut :]
    try:
        unpack(gzip.compress(bad), folder)
    except InvalidRequest:
        assert list(folder.iterdir()) == []
    else:
        assert [path.name for path in folder.iterdir()] == ["code"]
