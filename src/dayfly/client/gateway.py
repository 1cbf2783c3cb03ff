"""Which gateway is meant, and by what credential: the choice every command and every `Client()` makes.

From strongest to weakest: the URL given, the stack file's `provider.gateway` (unless it is the default everybody has
there), `DAYFLY_URL`, `OPENFAAS_URL`, the platform this account started on this machine, and `http://127.0.0.1:8080`.

A credential never goes to another gateway than its own: the token of the local instance only to the URL that instance
listens at, a login only to the URL it was made for. Where we keep none for it, faas-cli's own is used.
"""

import os
from collections.abc import Mapping
from urllib.parse import SplitResult, urlsplit

import msgspec

from dayfly.client.credentials import Credential, CredentialFile
from dayfly.client.faas_cli_login import find_login
from dayfly.client.local import find_instance
from dayfly.model.errors import InvalidRequest
from dayfly.model.names import (
    DEFAULT_NAMESPACE,
    FunctionKey,
    NamespaceName,
    parse_function_key,
    parse_function_name,
    parse_namespace,
)

DEFAULT_URL = "http://127.0.0.1:8080"
LOOPBACK = frozenset(("127.0.0.1", "localhost", "::1"))
"""This machine, under names that nothing can redirect: where plain http is heard by nobody else."""
_ANY_ADDRESS = {"0.0.0.0", "::"}  # noqa: S104 - compared with, never bound
_DEFAULT_PORTS = {"http": 80, "https": 443}


class Target(msgspec.Struct, frozen=True):
    """A gateway and how to be let in."""

    url: str
    """Normalised: scheme, host and port, no slash at the end."""
    credential: Credential | None = None
    own_namespace: NamespaceName = DEFAULT_NAMESPACE
    """What is meant where no namespace is named: the login's own, if it is for one."""
    is_verified: bool = True
    """Whether its certificate has to be good, where it has one."""

    def with_own(self, credential: Credential | None, namespace: str) -> "Target":
        """Return the same gateway with the credential and the namespace that a caller gives. Raises InvalidName."""
        if credential is not None:
            return Target(self.url, credential, parse_namespace(namespace), self.is_verified)
        return Target(self.url, self.credential, self.namespace(namespace), self.is_verified)

    def namespace(self, given: str) -> NamespaceName:
        """Return the namespace that is meant, empty for none named. Raises InvalidName."""
        return parse_namespace(given) if given else self.own_namespace

    def key(self, name: str, namespace: str = "") -> FunctionKey:
        """Return the key of `NAME`, or of `NAME.NAMESPACE` with no namespace given beside it. Raises InvalidName."""
        if namespace or "." not in name:
            return FunctionKey(self.namespace(namespace), parse_function_name(name))
        return parse_function_key(name)

    @property
    def is_loopback(self) -> bool:
        """Whether the gateway is on this machine."""
        return (urlsplit(self.url).hostname or "") in LOOPBACK

    @property
    def is_exposed(self) -> bool:
        """Whether what is said to the gateway can be read on the way."""
        return self.url.startswith("http://") and not self.is_loopback


def normalise_url(text: str) -> str:
    """Return a gateway's URL in the one form that credentials are kept under.

    `http://` is assumed where no scheme is given; scheme and host become lower case; the scheme's own port and slashes
    at the end go. Raises InvalidRequest.
    """
    full = text.strip() if "://" in text else f"http://{text.strip()}"
    parts, host, port = _split(full, text)
    if parts.scheme.lower() not in _DEFAULT_PORTS or not host:
        raise InvalidRequest(f"{text[:200]!r} is not a gateway's URL; write for example http://127.0.0.1:8080")
    if parts.username is not None or parts.password is not None:
        raise InvalidRequest("A gateway's URL must not carry a password.", hint="Use `dayfly login` instead.")
    if parts.query or parts.fragment:
        raise InvalidRequest(f"{text[:200]!r} is not a gateway's URL: it has a query or a fragment")
    scheme = parts.scheme.lower()
    shown_host = f"[{host}]" if ":" in host else host
    shown_port = "" if port is None or port == _DEFAULT_PORTS[scheme] else f":{port}"
    return f"{scheme}://{shown_host}{shown_port}{parts.path.rstrip('/')}"


def choose_target(
    given: str = "", *, stack: str = "", environ: Mapping[str, str] | None = None, data_dir: str | None = None
) -> Target:
    """Return the gateway to talk to and the credential kept for it.

    `given` is what the caller asked for, `stack` the stack file's `provider.gateway`. Raises InvalidRequest for a URL
    that is none, and ConfigError for a credential file that is readable by others.
    """
    found = find_target(given, stack=stack, environ=environ, data_dir=data_dir)
    return found if found is not None else Target(DEFAULT_URL)


def find_target(
    given: str = "", *, stack: str = "", environ: Mapping[str, str] | None = None, data_dir: str | None = None
) -> Target | None:
    """Return the gateway that `choose_target` does, None where nothing speaks for any.

    That is when none was named, none was started here, and no login for the one that everybody has is kept.
    """
    environ = os.environ if environ is None else environ
    instance = find_instance(data_dir, environ)
    asked = _asked_for(given, stack, environ)
    if asked:
        url = normalise_url(asked)
    else:
        url = _reachable(normalise_url(instance.gateway_url)) if instance else DEFAULT_URL
    if instance and _same_place(url, normalise_url(instance.gateway_url)):
        return Target(url, Credential.bearer(instance.token))
    kept = CredentialFile.default(environ).find(url)
    if kept is not None:
        return Target(url, kept.credential, kept.own_namespace)
    theirs = find_login(lambda other: _is_url(other, url), environ)
    return Target(url, theirs) if asked or theirs is not None else None


def _is_url(text: str, url: str) -> bool:
    try:
        return normalise_url(text) == url
    except InvalidRequest:
        return False


def _asked_for(given: str, stack: str, environ: Mapping[str, str]) -> str:
    if given:
        return given
    if stack and not _same_place(normalise_url(stack), DEFAULT_URL):
        return stack
    return environ.get("DAYFLY_URL", "") or environ.get("OPENFAAS_URL", "")


def _split(full: str, text: str) -> tuple[SplitResult, str, int | None]:
    try:
        parts = urlsplit(full)
        host = (parts.hostname or "").lower()
        host.encode("idna" if host.isascii() else "utf-8")
        return parts, host, parts.port
    except ValueError as error:
        raise InvalidRequest(f"{text[:200]!r} is not a gateway's URL: {error}") from error


def _reachable(url: str) -> str:
    """An instance that listens on every address is called on the loopback one."""
    host = urlsplit(url).hostname or ""
    if host not in _ANY_ADDRESS:
        return url
    shown, loopback = (f"[{host}]", "[::1]") if ":" in host else (host, "127.0.0.1")
    return url.replace(shown, loopback, 1)


def _same_place(one: str, other: str) -> bool:
    """Whether two normalised URLs are the same listener, all names of this machine's loopback being one."""
    return _place(one) == _place(other)


def _place(url: str) -> tuple[str, str, int, str]:
    parts = urlsplit(url)
    host = parts.hostname or ""
    if host in LOOPBACK or host in _ANY_ADDRESS:
        host = "127.0.0.1"
    return parts.scheme, host, parts.port or _DEFAULT_PORTS[parts.scheme], parts.path
