"""Where a registry is and whom it may be: HTTPS everywhere, plain HTTP on this machine or where somebody asked for it.

Trusted are the system's certificates, those of the file that DAYFLY_CA_FILE names, and those that Docker keeps for a
registry in `/etc/docker/certs.d/HOST[:PORT]/*.crt`.
"""

import ipaddress
import os
import ssl
from collections.abc import Mapping
from pathlib import Path

import httpx2
import msgspec

from dayfly.model.errors import ConfigError, InvalidRequest
from dayfly.oci.reference import Reference

CERTIFICATES = Path("/etc/docker/certs.d")
_DEFAULT_PORTS = {"http": 80, "https": 443}


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """A registry to speak to."""

    name: str
    """What people call it: `docker.io`."""
    host: str
    """Where its API is, with the port if it has one: `registry-1.docker.io`."""
    insecure: bool = False
    """Whether somebody who said so does without: certificates are not checked, and plain HTTP is spoken if need be."""
    ca_file: str = ""
    certificates: Path = CERTIFICATES

    @property
    def is_loopback(self) -> bool:
        """Whether it is on this machine, where nobody listens in."""
        return is_loopback(httpx2.URL(f"https://{self.host}").host)

    @property
    def may_be_plain(self) -> bool:
        """Whether plain HTTP may be spoken with it."""
        return self.insecure or self.is_loopback

    def trust(self, *, checked: bool = False) -> ssl.SSLContext:
        """Return what certificates are trusted; `checked` says that they are whatever `insecure` says.

        Raises ConfigError when a file named holds none.
        """
        context = ssl.create_default_context()
        for path in (*([Path(self.ca_file)] if self.ca_file else []), *self._docker_certificates()):
            try:
                context.load_verify_locations(cafile=path)
            except (OSError, ssl.SSLError) as error:
                raise ConfigError(f"{path} holds no certificates to trust: {error}.") from error
        if self.insecure and not checked:
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        return context

    def _docker_certificates(self) -> list[Path]:
        try:
            return sorted((self.certificates / self.host).glob("*.crt"))
        except OSError:  # not for us to read: what is missing will be told by the handshake
            return []


def endpoint_of(reference: Reference, *, insecure: bool = False, environ: Mapping[str, str] = os.environ) -> Endpoint:
    """Return the endpoint of the registry that an image is in."""
    return Endpoint(
        name=reference.registry,
        host=reference.host,
        insecure=insecure,
        ca_file=environ.get("DAYFLY_CA_FILE", ""),
    )


def is_loopback(host: str) -> bool:
    """Whether this host, without a port, is this machine under a name that nothing can redirect."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def origin(url: httpx2.URL) -> tuple[str, str, int | None]:
    """Return scheme, host and port: what two URLs share whose credentials may be the same."""
    return url.scheme, url.host.lower(), url.port or _DEFAULT_PORTS.get(url.scheme)


def target(text: str, base: httpx2.URL, own: httpx2.URL) -> httpx2.URL:
    """Return where an answer from `base` sends us with `text`; `own` is the registry's origin.

    A registry behind a proxy that ends TLS may call itself http: it is meant as it was reached. Raises InvalidRequest
    for what is no address, and for one without encryption where there was some.
    """
    try:
        url = base.join(text) if text else httpx2.URL()
    except httpx2.InvalidURL:
        url = httpx2.URL()
    if url.host == own.host and url.scheme == "http" and own.scheme == "https" and url.port in (None, own.port):
        url = url.copy_with(scheme="https", port=own.port)
    if url.scheme not in ("http", "https") or not url.host:
        raise InvalidRequest(f"{own.host} sends us to {text[:80]!r}, which is no address.")
    if url.scheme == "http" and own.scheme == "https":
        raise InvalidRequest(f"{own.host} sends us to {url.host} without encryption; that is refused.")
    return url.copy_with(username=None, password=None) if url.userinfo else url
