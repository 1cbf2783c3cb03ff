"""Files as a bundle: the same files give the same bytes, so the same digest."""

import gzip
import hashlib
import io
import tarfile

from dayfly.build.context import Files
from dayfly.model.errors import InvalidRequest
from dayfly.model.names import BundleDigest

_LEVEL = 6
_MOST_RATIO = 90


def tar_of(files: Files) -> bytes:
    """Return the files as an archive that is not packed. Raises InvalidRequest for a path that none can carry."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w", format=tarfile.USTAR_FORMAT, encoding="utf-8") as tar:
        for path in sorted(files):
            about = tarfile.TarInfo(path)
            about.size = len(files[path].content)
            about.mode = 0o755 if files[path].is_executable else 0o644
            try:
                tar.addfile(about, io.BytesIO(files[path].content))
            except ValueError as error:
                raise InvalidRequest(f"{path[:80]} is too long a path for a bundle") from error
    return archive.getvalue()


def pack(files: Files) -> tuple[bytes, BundleDigest]:
    """Return the bundle and its digest. Raises InvalidRequest for a path that no bundle can carry."""
    plain = tar_of(files)
    data = gzip.compress(plain, compresslevel=_LEVEL, mtime=0)
    if len(plain) > _MOST_RATIO * len(data):
        # What shrinks that much looks like a bomb to whoever unpacks it, so it goes as it is.
        data = gzip.compress(plain, compresslevel=0, mtime=0)
    return data, BundleDigest(f"sha256:{hashlib.sha256(data).hexdigest()}")
