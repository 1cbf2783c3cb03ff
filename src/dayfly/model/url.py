"""URLs that somebody gave for us to connect to: taken apart only when it is beyond doubt where they lead."""

from urllib.parse import SplitResult, urlsplit

MAX_URL = 2_048


def split_url(url: str) -> SplitResult:
    """Return the parts of an absolute http:// or https:// URL. Raises ValueError, whose text says what is wrong."""
    if not url.isascii() or not url.isprintable() or " " in url or len(url) > MAX_URL or "\\" in url:
        raise ValueError("the URL is too long or holds a blank, a backslash or a byte beyond ASCII")
    parts = urlsplit(url)
    _ = parts.port  # which raises what is wrong with it
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("an absolute http:// or https:// URL is needed")
    return parts
