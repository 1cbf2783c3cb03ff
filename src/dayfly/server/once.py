"""`dayfly run`: one function, one call, and no platform.

The function's process is made as a zygote makes a replica, and called over its socket as a gateway calls it, so that
what it is given and what it answers are the same. Its dependencies are installed as the platform installs them, into a
cache of the account's own. But it runs as the account itself: there is no box.
"""

import asyncio
import contextlib
import fcntl
import http.client
import os
import socket
import sys
import tempfile
import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import msgspec

from dayfly import __version__
from dayfly.build.prepare import Prepare
from dayfly.decide.orders import start_order
from dayfly.decide.quotas import Budget
from dayfly.model.debug import Debug
from dayfly.model.errors import FunctionFailed
from dayfly.model.function import FunctionSpec, Revision
from dayfly.model.names import BundleDigest, new_replica_id
from dayfly.model.quantities import format_duration
from dayfly.model.replica import Prepared, StartOrder
from dayfly.server.lone_replica import LoneReplica

_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")
_PIECE = 256 * 1024


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """The one call."""

    method: str = "POST"
    target: str = "/"
    """Path and query, percent-encoded."""
    headers: dict[str, str] = {}
    body: bytes | Iterator[bytes] = b""


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """What it was answered with; iterate `pieces` once."""

    status: int
    headers: tuple[tuple[str, str], ...]
    """Names in lower case."""
    pieces: Iterator[bytes]


def prepared(spec: FunctionSpec, bundle: bytes, digest: str, work: Path, cache: Path) -> Prepared:
    """Return where the code and the dependencies are, unpacked below `work` and installed below `cache`.

    Raises what preparing does: BuildFailed with the installer's last lines, NotSupported where the machine lacks what
    runs it.
    """
    blobs, code = work / "blobs", work / "code"
    for folder in (blobs, code, cache):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    packed = blobs / digest.removeprefix("sha256:")
    packed.write_bytes(bundle)

    async def main() -> Prepared:
        prepare = Prepare(_Packed(packed), code, cache, sys.executable)
        try:
            return await prepare.prepare(msgspec.structs.replace(spec, bundle=digest))
        finally:
            await prepare.close()

    with (cache / "lock").open("w") as lock:  # another `dayfly run` may install the same
        fcntl.flock(lock, fcntl.LOCK_EX)
        return asyncio.run(main())


def order_for(spec: FunctionSpec, ready: Prepared, source: Path, secrets: Path | None) -> StartOrder:
    """Return what a replica made here is told; `source` is its author's folder, `secrets` the one that holds them."""
    names = (*_PROXIES, *(name.lower() for name in _PROXIES))
    env = {name: os.environ[name] for name in names if name in os.environ} | spec.env
    if secrets is not None:
        env["DAYFLY_SECRETS"] = str(secrets)
    order = start_order(Revision(number=1, spec=spec, created_unix_ms=0), ready, new_replica_id(), Budget())
    return msgspec.structs.replace(order, env=env, network="host", allow=(), debug=Debug(str(source.resolve())))


@contextlib.contextmanager
def secret_files(secrets: Mapping[str, bytes]) -> Iterator[Path | None]:
    """Keep the secrets as files of a folder for as long as the block lasts; None when there are none."""
    if not secrets:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="dayfly-secrets-") as folder:
        for name, content in secrets.items():
            with open(os.open(f"{folder}/{name}", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o400), "wb") as file:
                file.write(content)
        yield Path(folder)


@contextlib.contextmanager
def called(order: StartOrder, call: Call, log: Callable[[str], None]) -> Iterator[Reply]:
    """Start the function, call it, and end it after the block; `log` is told each line that it prints.

    Raises FunctionFailed when it does not start, ends during the call or takes longer than its timeout.
    """
    with (
        tempfile.TemporaryDirectory(prefix="dayfly-run-") as folder,
        LoneReplica(order, f"{folder}/s", log) as replica,
        contextlib.closing(_Connection(replica.path, order.timeout_s)) as connection,
    ):
        try:
            connection.request(call.method, call.target, call.body, _headers(order, call))
            response = connection.getresponse()
            headers = tuple((name.lower(), value) for name, value in response.getheaders())
            yield Reply(status=response.status, headers=headers, pieces=_pieces(response))
        except TimeoutError as error:
            limit = format_duration(order.timeout_s)
            hint = "`timeout` in the stack file, or --timeout, gives it more."
            raise FunctionFailed(f"{order.key.name} took longer than its timeout of {limit}.", hint=hint) from error
        except (ConnectionError, http.client.HTTPException) as error:
            raise FunctionFailed(f"{order.key.name} ended during the call: {replica.end()}.") from error


class _Packed:
    """The one bundle there is."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def path(self, _digest: BundleDigest) -> Path:
        return self._path


class _Connection(http.client.HTTPConnection):
    """HTTP over a unix socket."""

    def __init__(self, path: str, timeout_s: float) -> None:
        super().__init__("localhost", timeout=timeout_s)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def _headers(order: StartOrder, call: Call) -> dict[str, str]:
    """What the gateway would send."""
    ours = {
        "Host": order.key.name,
        "User-Agent": f"dayfly/{__version__}",
        "X-Call-Id": str(uuid.uuid4()),
        "X-Forwarded-For": "127.0.0.1",
        "X-Forwarded-Host": order.key.name,
        "X-Forwarded-Proto": "http",
    }
    given = {name.lower() for name in call.headers}
    return {name: value for name, value in ours.items() if name.lower() not in given} | call.headers


def _pieces(response: http.client.HTTPResponse) -> Iterator[bytes]:
    while piece := response.read1(_PIECE):
        yield piece
