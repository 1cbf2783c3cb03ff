"""Where nats-server is and how it lets us in, as a private file has it that whoever starts the server writes."""

import msgspec

from dayfly.queue.keeper import PREVIOUS

USER, SYSTEM_USER = "dayfly", "system"
"""Of the account that holds the calls, and of the one that may ask the server about itself."""


class Access(msgspec.Struct, frozen=True):
    """Where the server is, and as whom it lets us in."""

    port: int
    password: str
    """Of the account that holds the calls."""
    system_password: str
    """Of the account that may ask the server about itself."""
    pid: int = 0
    store: str = ""
    """The folder that it keeps calls in; empty where it is none of ours."""
    host: str = "127.0.0.1"
    previous: str = ""
    """The password before this one, where it was changed: the server may not have heard of the change yet."""
    system_previous: str = ""

    def logins(self, user: str) -> list[tuple[str, str]]:
        """Return as whom one may be let in, and with what, the likeliest first; `keeper` says what servers take."""
        words = (self.password, self.previous) if user == USER else (self.system_password, self.system_previous)
        return [(name, word) for word in words if word for name in (user, user + PREVIOUS)]
