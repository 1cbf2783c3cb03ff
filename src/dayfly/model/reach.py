"""How far triggers reach: what their sources may connect to and read, where not the installation's administrator asks.

Sources connect from the control plane's network and read with its account, which is further than any function gets.
"""

import msgspec

from dayfly.model.endpoint import parse_endpoint
from dayfly.model.errors import InvalidSpec


class Reach(msgspec.Struct, frozen=True, kw_only=True):
    """What the operator allows."""

    endpoints: tuple[str, ...] = ()
    """`HOST:PORT` each, as a trigger names it: what namespaces' own triggers may connect to."""
    folders: tuple[str, ...] = ()
    """Below which folders the administrator's triggers may take files."""

    @classmethod
    def parse(cls, endpoints: str, folders: str) -> "Reach":
        """Return what two lists with commas between mean. Raises InvalidSpec."""
        named = tuple(part.strip() for part in endpoints.split(",") if part.strip())
        below = tuple(part.strip().rstrip("/") for part in folders.split(",") if part.strip())
        for text in named:
            if not text.rpartition(":")[2].isdigit() or text.endswith("]"):
                raise InvalidSpec(f"{text[:80]!r} is not HOST:PORT")
        for text in below:
            if not text.startswith("/") or ".." in text.split("/"):
                raise InvalidSpec(f"{text[:80]!r} is not a whole path below /")
        return cls(endpoints=tuple(str(parse_endpoint("an entry", text, 0)) for text in named), folders=below)
