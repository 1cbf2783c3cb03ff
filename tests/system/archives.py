"""Archives of a function, whole and damaged, as people bring them to the page."""

import io
import tarfile
import zipfile

READER = """\
import os
from pathlib import Path


def handle(event, context):
    here = Path(__file__).parent
    files = sorted(str(path.relative_to(here)) for path in here.rglob("*.txt"))
    return {"files": {name: (here / name).read_text() for name in files}, "runs": os.access(here / "run.sh", os.X_OK)}
"""
LONG = f"packed/data/{'x' * 60}/{'y' * 60}.txt"
FILES = {
    "packed/handler.py": READER, LONG: "long", "packed/Grüße.txt": "hello", "packed/run.sh": "#!/bin/sh\n",
    "packed/empty.txt": "", "packed/__pycache__/left.txt": "out",
}  # fmt: skip


def packed(kind: str) -> bytes:
    """An archive of FILES, as `kind` has it."""
    held = io.BytesIO()
    if kind == "zip":
        with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, text in FILES.items():
                about = zipfile.ZipInfo(name)
                about.external_attr = (0o100755 if name.endswith(".sh") else 0o100644) << 16
                archive.writestr(about, text)
        return held.getvalue()
    form = tarfile.PAX_FORMAT if kind == "pax.tar" else tarfile.GNU_FORMAT
    with tarfile.open(fileobj=held, mode="w:gz" if kind == "tar.gz" else "w", format=form) as tar:
        folder = tarfile.TarInfo("packed")
        folder.type = tarfile.DIRTYPE
        tar.addfile(folder)
        for name, text in FILES.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(text.encode()), 0o755 if name.endswith(".sh") else 0o644
            entry.mtime = 1.5  # which PAX says in a header of its own
            tar.addfile(entry, io.BytesIO(text.encode()))
    return held.getvalue()


def damaged() -> list[tuple[bytes, str]]:
    """What is no archive that can be opened, and words of why."""
    neither = "This is neither a zip nor a tar archive, or it is damaged."
    zipped, gzipped, tar = packed("zip"), packed("tar.gz"), packed("pax.tar")
    secret = bytearray(zipped)
    for sign, at in ((b"PK\x01\x02", 8), (b"PK\x03\x04", 6)):
        secret[secret.index(sign) + at] |= 1
    lzma, empty = io.BytesIO(), io.BytesIO()
    with zipfile.ZipFile(lzma, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("handler.py", READER)
    zipfile.ZipFile(empty, "w").close()
    return [
        (b"only words", neither), (b"", neither), (b"x" * 4096, neither), (zipped[:200], "it has no end"),
        (bytes(secret), "asks for a password"), (lzma.getvalue(), "in a way that is not known here"),
        (gzipped[: len(gzipped) // 2], "cannot be unpacked"),
        (tar[: tar.index(READER.encode()) + 20], "in the middle of a file"), (empty.getvalue(), "holds no file"),
    ]  # fmt: skip
