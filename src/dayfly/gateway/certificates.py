"""Certificates: which one a client is shown, and how new ones come in while the gateway serves.

The listener keeps one context for good. It asks here at each handshake, and what it is given is that of the host that
the client names: one of the folder's, else the one for all. So a change of files touches no connection that is open.
Files are looked at every POLL_S seconds; a pair that is no good leaves what was there before, and the log says so once.

In the folder, a host's pair is HOST.pem and HOST.key, or HOST/fullchain.pem and HOST/privkey.pem as ACME clients keep
it; `_.example.org` stands for `*.example.org`.
"""

import asyncio
import logging
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from dayfly.model.errors import ConfigError

POLL_S = 1.0
_DEFAULT = ""
_log = logging.getLogger("dayfly.gateway")


class Pair(NamedTuple):
    """A certificate with its chain, and its key."""

    cert: Path
    key: Path


_Stamp = tuple[tuple[int, int, int, int], ...] | str
"""What tells one state of a pair's files from the next; a text when they cannot be read."""


class Certificates:
    """The pair for all hosts, and those of a folder. `open` it before the listener, and `watch` while it serves."""

    def __init__(self, cert: str, key: str, folder: str = "") -> None:
        self._default = Pair(Path(cert), Path(key))
        self._folder = Path(folder) if folder else None
        self._contexts: dict[str, ssl.SSLContext] = {}
        self._stamps: dict[str, _Stamp] = {}

    def open(self) -> ssl.SSLContext:
        """Return the listener's context. Raises ConfigError when the pair for all hosts cannot be used."""
        try:
            self._stamps[_DEFAULT] = _stamp(self._default)
            self._contexts[_DEFAULT] = _load(self._default)
            context = _load(self._default)
        except (OSError, ssl.SSLError) as refused:
            why = f"the certificate {self._default.cert} and its key cannot be used: {refused}"
            raise ConfigError(why) from refused
        context.sni_callback = self._choose
        self.refresh()
        return context

    async def watch(self) -> None:
        """Take changes of the files in until cancelled."""
        while True:
            await asyncio.sleep(POLL_S)
            await asyncio.to_thread(self.refresh)

    def refresh(self) -> None:
        """Take in what has changed since the last time."""
        found = dict(self._pairs())
        for host, pair in found.items():
            stamp = _stamp(pair)
            if self._stamps.get(host) == stamp:
                continue
            self._stamps[host] = stamp
            self._take(host, pair, stamp)
        for host in self._stamps.keys() - found.keys():
            del self._stamps[host]
            if self._contexts.pop(host, None) is not None:
                _log.info("certificate gone host=%s", host)

    def context_for(self, name: str | None) -> ssl.SSLContext:
        """Return the context for a client that asks for this host, or for none."""
        host = (name or "").lower().removesuffix(".")
        contexts = self._contexts
        found = contexts.get(host) or contexts.get(f"*.{host.partition('.')[2]}")
        return found or contexts[_DEFAULT]

    def _take(self, host: str, pair: Pair, stamp: _Stamp) -> None:
        before = host in self._contexts
        try:
            if isinstance(stamp, str):
                raise OSError(stamp)
            self._contexts[host] = _load(pair)
        except (OSError, ssl.SSLError) as refused:
            stays = "the one before stays in use" if before else "the one for all hosts is used"
            _log.error("certificate refused file=%s reason=%s: %s", pair.cert, refused, stays)
        else:
            _log.info("certificate in use file=%s host=%s", pair.cert, host or "any")

    def _pairs(self) -> Iterator[tuple[str, Pair]]:
        yield _DEFAULT, self._default
        if self._folder is None:
            return
        for entry in sorted(self._folder.iterdir()) if self._folder.is_dir() else ():
            if entry.suffix == ".pem" and entry.with_suffix(".key").exists():
                yield _host(entry.stem), Pair(entry, entry.with_suffix(".key"))
            elif (entry / "fullchain.pem").exists():
                yield _host(entry.name), Pair(entry / "fullchain.pem", entry / "privkey.pem")

    def _choose(self, connection: Any, name: str | None, _context: ssl.SSLContext) -> None:
        connection.context = self.context_for(name)


def _host(name: str) -> str:
    name = name.lower()
    return f"*{name[1:]}" if name.startswith("_.") else name


def _stamp(pair: Pair) -> _Stamp:
    try:
        found = [path.stat() for path in pair]
    except OSError as error:
        return f"{error.strerror}: {error.filename}"
    return tuple((each.st_mtime_ns, each.st_size, each.st_ino, each.st_dev) for each in found)


def _load(pair: Pair) -> ssl.SSLContext:
    """Return a context with this pair. Raises OSError, ssl.SSLError."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    # Without a password an encrypted key would be asked for at the terminal, for ever.
    context.load_cert_chain(pair.cert, pair.key, password=_no_password)
    return context


def _no_password() -> str:
    raise OSError("the key is encrypted; give it without a password, for this account alone to read")
