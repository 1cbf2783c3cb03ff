"""Archives made byte by byte, so that a test can say what no honest tool would write."""

import gzip
import io
import tarfile

BLOCK = 512


def header(
    name: bytes,
    size: int = 0,
    *,
    kind: bytes = b"0",
    mode: int = 0o644,
    link: bytes = b"",
    prefix: bytes = b"",
    size_field: bytes | None = None,
    checksum: bytes | None = None,
) -> bytes:
    """Return a ustar header."""
    block = bytearray(BLOCK)
    block[0 : len(name)] = name
    block[100:108] = b"%07o\0" % mode
    block[108:116] = block[116:124] = b"0000000\0"
    block[124:136] = size_field if size_field is not None else b"%011o\0" % size
    block[136:148] = b"00000000000\0"
    block[148:156] = b" " * 8
    block[156:157] = kind
    block[157 : 157 + len(link)] = link
    block[257:265] = b"ustar\x0000"
    block[345 : 345 + len(prefix)] = prefix
    block[148:156] = checksum if checksum is not None else b"%06o\0 " % sum(block)
    return bytes(block)


def entry(name: bytes, content: bytes = b"", **fields: object) -> bytes:
    """Return a header with its content, padded."""
    return header(name, len(content), **fields) + padded(content)  # type: ignore[arg-type] # passed on as given


def padded(content: bytes) -> bytes:
    """Return the content filled up to whole blocks."""
    return content + bytes(-len(content) % BLOCK)


def pax(**fields: str) -> bytes:
    """Return an extended header that says these things of the next entry."""
    body = b"".join(pax_line(name.encode(), value.encode()) for name, value in fields.items())
    return entry(b"PaxHeader", body, kind=b"x")


def pax_line(name: bytes, value: bytes) -> bytes:
    """Return one line of an extended header, which begins with its own length."""
    length = len(name) + len(value) + 3
    while len(str(length)) + len(name) + len(value) + 3 != length:
        length = len(str(length)) + len(name) + len(value) + 3
    return b"%d %s=%s\n" % (length, name, value)


def long_name(name: bytes) -> bytes:
    """Return GNU's way to give the next entry a long name."""
    return entry(b"././@LongLink", name + b"\0", kind=b"L")


def archive(*entries: bytes, end: bytes = bytes(2 * BLOCK)) -> bytes:
    """Return the gzipped archive of these entries."""
    return gzip.compress(b"".join(entries) + end, compresslevel=1, mtime=0)


def honest(files: dict[str, bytes], *, form: int = tarfile.PAX_FORMAT) -> bytes:
    """Return what Python's own tarfile makes of these files."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form) as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(content), 0o644
            tar.addfile(info, io.BytesIO(content))
    return gzip.compress(out.getvalue(), mtime=0)
