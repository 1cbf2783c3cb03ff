"""Addresses as operators give them: a name would be looked up, and could mean another machine tomorrow."""

import ipaddress
from urllib.parse import urlsplit

from dayfly.model.errors import ConfigError


def address(text: str) -> str:
    """Return the IP address that a listener was given. Raises ConfigError."""
    if text == "localhost":
        return "127.0.0.1"
    try:
        return str(ipaddress.ip_address(text.strip("[]")))
    except ValueError:
        raise ConfigError(
            f"--host: {text!r} is not an IP address", hint="write for example 127.0.0.1, ::1 or 0.0.0.0"
        ) from None


def web_address(what: str, text: str) -> str:
    """Return the http(s) address that something was given, or nothing. Raises ConfigError."""
    if not text:
        return ""
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise ConfigError(f"{what}: {text[:200]!r} is not http://HOST:PORT or https://HOST:PORT")
    return text
