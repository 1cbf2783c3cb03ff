"""Code that a Function's object names or holds as an archive: had once, held against its checksum, made a bundle.

Where a URL leads is judged on the address that is connected to, by the rules that callbacks obey (threat T9): what is
not granted, as this cluster's own services, is not connected to, whatever a name says; each redirect is judged anew.
Nothing is unpacked or kept before the checksum is right; then it is read as any bundle is, which believes nothing.
"""

import asyncio
import base64
import binascii
import functools
import gzip
import hashlib
import http.client
import io
import ssl
import tarfile
import zipfile
from urllib.parse import urljoin

from dayfly import __version__
from dayfly.build.tar import ArchiveLimits
from dayfly.cluster.records import Archive
from dayfly.model.errors import DayflyError, InvalidSpec, PayloadTooLarge, Unavailable
from dayfly.model.names import FunctionKey
from dayfly.queue.callback import Target, parse_url
from dayfly.queue.trust import Trust
from dayfly.runtimes.jail.egress.dial import Refused, dial
from dayfly.runtimes.jail.egress.lookups import Lookups, Unreachable
from dayfly.runtimes.jail.egress.policy import Rules

LIMITS = ArchiveLimits()
FETCH_S = 120.0
"""How long one may take to arrive."""
MAX_REDIRECTS = 5
_HEAD_BYTES = 64 * 1024
_CHUNK = 64 * 1024
_GZIP, _ZIP = b"\x1f\x8b", b"PK\x03\x04"
_LEADS_ON = (301, 302, 303, 307, 308)


class Archives:
    """Fetches from where `allow` grants, one at a time: each may be as large as it may be. Raises InvalidSpec."""

    def __init__(
        self, allow: tuple[str, ...], tls: ssl.SSLContext | None = None, lookups: Lookups | None = None,
        limits: ArchiveLimits = LIMITS,
    ) -> None:  # fmt: skip
        self._rules = Rules(allow)
        self._trust = Trust(tls)
        self._lookups = lookups or Lookups()
        self._limits = limits
        self._one = asyncio.Semaphore(1)

    async def bundle(self, key: FunctionKey, archive: Archive) -> bytes:
        """Return the function's code as a bundle.

        Raises InvalidSpec for what is not what its checksum says, or nowhere that may be reached; PayloadTooLarge;
        Unavailable when it may be had later.
        """
        async with self._one:
            content = _inline(archive) if archive.data else await self._fetch(key, archive.url)
            found = hashlib.sha256(content).hexdigest()
            if found != archive.sha256:
                where = f"what is at {archive.url}" if archive.url else "what is in data"
                raise InvalidSpec(f"spec.archive: {where} has the sha256 {found}, and not {archive.sha256}")
            return await asyncio.to_thread(_as_bundle, content, self._limits)

    async def _fetch(self, key: FunctionKey, url: str) -> bytes:
        try:
            async with asyncio.timeout(FETCH_S):
                for _ in range(MAX_REDIRECTS + 1):
                    answer = await self._ask(key, parse_url("spec.archive", url))
                    with answer:
                        if answer.status in _LEADS_ON and (onwards := answer.getheader("Location")):
                            url = urljoin(url, onwards)
                            continue
                        if answer.status == 200:
                            return answer.read()
                        raise _not_had(url, f"its server answered {answer.status}", later=answer.status >= 500)
                raise _not_had(url, f"it leads on more than {MAX_REDIRECTS} times")
        except Refused as why:
            raise InvalidSpec(f"spec.archive: {url} may not be fetched: {why}") from None
        except TimeoutError:
            raise _not_had(url, f"it did not arrive within {FETCH_S:g} s", later=True) from None
        except (Unreachable, OSError, http.client.HTTPException, EOFError) as error:
            raise _not_had(url, f"{error or type(error).__name__}", later=True) from error

    async def _ask(self, key: FunctionKey, target: Target) -> http.client.HTTPResponse:
        """Return the answer, whole. Raises PayloadTooLarge, and what a broken connection raises."""
        look_up = functools.partial(self._lookups.find, str(key))
        reader, writer = await dial(self._rules, look_up, target.host, target.port)
        try:
            if target.secure:
                await writer.start_tls(await asyncio.to_thread(self._trust.context), server_hostname=target.host)
            head = (
                f"GET {target.path} HTTP/1.1\r\nHost: {target.authority}\r\nUser-Agent: dayfly/{__version__}\r\n"
                "Accept: */*\r\nAccept-Encoding: identity\r\nConnection: close\r\n\r\n"
            )
            writer.write(head.encode("ascii"))
            said = bytearray()
            while piece := await reader.read(_CHUNK):
                said += piece
                if len(said) > self._limits.compressed_bytes + _HEAD_BYTES:
                    raise _too_large(self._limits)
        finally:
            writer.transport.abort()
        answer = http.client.HTTPResponse(_Said(bytes(said)))  # type: ignore[arg-type]  # it asks for a file of it only
        answer.begin()
        return answer


class _Said:
    """What a connection brought, for a parser that wants a socket."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def makefile(self, _mode: str) -> io.BytesIO:
        """Return it as a file."""
        return io.BytesIO(self._content)


def _inline(archive: Archive) -> bytes:
    try:
        return base64.b64decode("".join(archive.data.split()), validate=True)
    except (binascii.Error, ValueError):
        raise InvalidSpec("spec.archive.data: is no base64") from None


def _not_had(url: str, why: str, *, later: bool = False) -> DayflyError:
    return (Unavailable if later else InvalidSpec)(f"spec.archive: {url} cannot be fetched: {why}")


def _too_large(limits: ArchiveLimits) -> PayloadTooLarge:
    return PayloadTooLarge(f"spec.archive: is larger than the {limits.compressed_bytes} bytes it may have")


def _as_bundle(content: bytes, limits: ArchiveLimits) -> bytes:
    """Return an archive's files as a gzipped tar; one that is one stays as it is. Raises InvalidSpec."""
    if len(content) > limits.compressed_bytes:
        raise _too_large(limits)
    if content.startswith(_GZIP):
        return content
    if content.startswith(_ZIP):
        try:
            return gzip.compress(_from_zip(content, limits), mtime=0)
        except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, ValueError, OSError) as error:
            raise InvalidSpec(f"spec.archive: the zip file cannot be read: {error}") from error
    if content[257:262] == b"ustar":
        return gzip.compress(content, mtime=0)
    raise InvalidSpec("spec.archive: is no tar file, gzipped or not, and no zip file")


def _from_zip(content: bytes, limits: ArchiveLimits) -> bytes:
    target, left = io.BytesIO(), limits.unpacked_bytes
    with zipfile.ZipFile(io.BytesIO(content)) as source, tarfile.open(fileobj=target, mode="w") as tar:
        files = [each for each in source.infolist() if not each.is_dir()]
        if len(files) > limits.entries:
            raise InvalidSpec(f"spec.archive: has more than {limits.entries} files")
        for each in files:
            with source.open(each) as file:
                data = file.read(left + 1)  # what it says of its size itself is not believed
            left -= len(data)
            if left < 0:
                raise InvalidSpec(f"spec.archive: unpacked it is larger than {limits.unpacked_bytes} bytes")
            about = tarfile.TarInfo(each.filename)
            about.size, about.mode = len(data), 0o755 if (each.external_attr >> 16) & 0o100 else 0o644
            tar.addfile(about, io.BytesIO(data))
    return target.getvalue()
