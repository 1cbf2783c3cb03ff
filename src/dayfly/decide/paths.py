"""Paths of requests as routes read them, or why they are not read.

What a route protects is decided by the path, and the function reads that path once more, perhaps with other eyes. So a
path is decoded once, and one of which two readers could make two things is nobody's: an encoded slash, a backslash,
`.` and `..`, an empty segment, `;`, an escape within an escape, what is no escape at all, and control bytes.
"""

import re

_ESCAPE = re.compile(rb"%([0-9A-Fa-f]{2})")
_NO_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_SLASH = re.compile(rb"%2[Ff]")
_DOUBTFUL = re.compile(rb"[\x00-\x1f\x7f\\;]|%[0-9A-Fa-f]{2}|//|/\.\.?(?:/|$)")
_PLAIN = re.compile(rb"(?:/(?!\.)[A-Za-z0-9._~!$&'()*+,=:@-]+)+/?|/")


def plain_path(path: bytes) -> bytes | None:
    """Return the path of a target, without its query, decoded; None when it is not beyond doubt."""
    if _PLAIN.fullmatch(path):
        return path
    if _SLASH.search(path) or _NO_ESCAPE.search(path):
        return None
    decoded = _ESCAPE.sub(lambda match: bytes((int(match[1], 16),)), path)
    return None if _DOUBTFUL.search(decoded) else decoded


def host_name(host: bytes) -> bytes:
    """Return the name in a Host header as routes write it: no port, no last dot, lower case; empty for an address."""
    if host.startswith(b"["):
        return b""
    name = host.partition(b":")[0].lower()
    return name[:-1] if name.endswith(b".") else name
