"""The variables by which OpenFaaS's watchdogs are told how to run a program, as far as they mean something here.

They stand among the function's other variables, are read by what runs the program, and are judged when the function is
deployed. docs/runtimes.md lists them, and those that are without effect.
"""

import re
import urllib.parse
from collections.abc import Mapping
from typing import Literal, cast, get_args

import msgspec

from dayfly.model.errors import InvalidSpec
from dayfly.model.quantities import parse_duration

Mode = Literal["classic", "streaming", "serializing"]

PORT = 8080
MAX_INFLIGHT = 100_000
"""The highest limit of the calls that a replica takes at a time; more would mean none."""
START_TIMEOUT_S = 60.0
MAX_START_TIMEOUT_S = 110.0
"""A little less than the time after which the control plane gives a replica up: why should be told by who knows it."""
_LOOPBACK = {"127.0.0.1", "localhost", "::1", "0.0.0.0"}  # noqa: S104 - what people write who mean their own machine
_TRUE, _FALSE = {"1", "t", "true", "yes"}, {"0", "f", "false", "no"}
_FIELD = re.compile(r"[ -~]{1,200}")


class ExecSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How a call of the runtime `exec` is made."""

    mode: Mode = "classic"
    combine_output: bool = False
    """Whether what the program prints to stderr goes into the answer instead of the log."""
    content_type: str = ""
    cgi_headers: bool = True
    marshal_request: bool = False
    write_debug: bool = False

    @classmethod
    def of(cls, env: Mapping[str, str]) -> "ExecSettings":
        """Return what the variables say. Raises InvalidSpec."""
        mode = env.get("mode", "") or "classic"
        if mode in ("http", "static"):
            raise InvalidSpec(f"env: mode: {mode} is a runtime of its own here; deploy with `lang: {mode}`")
        if mode not in get_args(Mode):
            raise InvalidSpec(f"env: mode: {mode[:40]!r} must be one of {', '.join(get_args(Mode))}")
        return cls(
            mode=cast("Mode", mode),
            combine_output=_truth(env, "combine_output", default=False),
            content_type=_header(env, "content_type"),
            cgi_headers=_truth(env, "cgi_headers", default=True),
            marshal_request=_truth(env, "marshal_request", default=False),
            write_debug=_truth(env, "write_debug", default=False),
        )


class HttpSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How a program of the runtime `http` is reached."""

    port: int = PORT
    fixed: bool = False
    """Whether the program listens on this port whatever `$PORT` says."""
    ready_path: str = ""
    """Where a GET must be answered with 200 before the program counts as ready; empty: it must take a connection."""
    start_timeout_s: float = START_TIMEOUT_S

    @classmethod
    def of(cls, env: Mapping[str, str]) -> "HttpSettings":
        """Return what the variables say. Raises InvalidSpec."""
        port, fixed = _port(env)
        path = env.get("ready_path", "")
        if path and not (path.startswith("/") and _FIELD.fullmatch(path) and " " not in path):
            raise InvalidSpec(f"env: ready_path: {path[:40]!r} must be a path that begins with /")
        text = env.get("start_timeout", "")
        limit = _duration("start_timeout", text) if text else START_TIMEOUT_S
        if not 0 < limit <= MAX_START_TIMEOUT_S:
            raise InvalidSpec(
                f"env: start_timeout: {text[:40]!r} must be more than 0s and at most {MAX_START_TIMEOUT_S:g}s"
            )
        return cls(port=port, fixed=fixed, ready_path=path, start_timeout_s=limit)


class StaticSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What the runtime `static` serves."""

    folder: str = ""
    """The folder inside the bundle; empty for all of it."""
    cache_control: str = "no-cache"

    @classmethod
    def of(cls, env: Mapping[str, str]) -> "StaticSettings":
        """Return what the variables say. Raises InvalidSpec."""
        path = env.get("static_path", "")
        if path.startswith("/") or ".." in path.split("/") or "\0" in path:
            raise InvalidSpec(f"env: static_path: {path[:40]!r} must be a folder inside the bundle, as a relative path")
        return cls(folder=path.strip("/"), cache_control=_header(env, "cache_control") or "no-cache")


def exec_timeout_s(env: Mapping[str, str]) -> float | None:
    """Return how long a call may take by `exec_timeout`; None when it sets no limit. Raises InvalidSpec."""
    text = env.get("exec_timeout", "")
    return (_duration("exec_timeout", text) or None) if text else None


def max_inflight(env: Mapping[str, str]) -> int:
    """Return the calls that a replica takes at a time by `max_inflight`; 0 for no limit. Raises InvalidSpec."""
    text = env.get("max_inflight", "")
    if text and not (text.isascii() and text.isdigit() and int(text[:7]) <= MAX_INFLIGHT):
        raise InvalidSpec(f"env: max_inflight: {text[:40]!r} must be a whole number from 0 to {MAX_INFLIGHT}")
    return int(text or 0)


def _port(env: Mapping[str, str]) -> tuple[int, bool]:
    url = env.get("http_upstream_url", "") or env.get("upstream_url", "")
    if url:
        try:
            parts = urllib.parse.urlsplit(url)
            port = parts.port or 80
        except ValueError:
            parts, port = urllib.parse.urlsplit(""), 0
        if parts.scheme != "http" or parts.hostname not in _LOOPBACK or parts.path not in ("", "/") or not port:
            raise InvalidSpec(
                f"env: upstream_url: {url[:80]!r} must be http://127.0.0.1:PORT: the program runs beside us"
            )
        return port, True
    text = env.get("PORT", "")
    if not text:
        return PORT, False
    if not (text.isascii() and text.isdigit() and 0 < int(text[:6]) < 65_536):
        raise InvalidSpec(f"env: PORT: {text[:40]!r} must be a port, 1 to 65535")
    return int(text), True


def _header(env: Mapping[str, str], name: str) -> str:
    value = env.get(name, "")
    if value and not _FIELD.fullmatch(value):
        raise InvalidSpec(f"env: {name}: {value[:40]!r} cannot be a header's value")
    return value


def _truth(env: Mapping[str, str], name: str, *, default: bool) -> bool:
    text = env.get(name, "").lower()
    if text and text not in _TRUE | _FALSE:
        raise InvalidSpec(f"env: {name}: {text[:40]!r} must be true or false")
    return text in _TRUE if text else default


def _duration(name: str, text: str) -> float:
    try:
        return parse_duration(text)
    except InvalidSpec as error:
        raise InvalidSpec(f"env: {name}: {error.message}") from error
