"""Who may do what: roles, what a route asks for, and one table of both.

A credential says two things of whoever holds it: one role, and one namespace or all of them. A route says what it
takes, and which namespace it is about. Nobody gets further than this table allows, and what is not in it is refused.
"""

from typing import Literal, get_args

import msgspec

from dayfly.model.names import NamespaceName

Access = Literal["public", "signed", "known", "invoke", "look", "deploy", "payloads", "admin"]
"""public: anybody. signed: whoever signed the body, which the route itself checks; no credential opens it. known: who
has a credential. invoke: who may call functions. look: who may ask about functions and what belongs to them, in
queries that are too long for a GET too. deploy: functions and what belongs to them; looking at them takes less
than changing them. payloads: what calls were sent, which takes more than looking. admin: who may hand out tokens."""
Role = Literal["query", "view", "invoke", "deploy", "admin"]
OPEN: frozenset[Access] = frozenset({"public", "signed"})
"""Those that are asked for no credential."""
ROLES: tuple[Role, ...] = get_args(Role)

_Extent = Literal["none", "read", "all"]
_READING = frozenset(("GET", "HEAD", "OPTIONS"))
RIGHTS: dict[Role, dict[Access, _Extent]] = {
    "query": {
        "public": "all",
        "signed": "none",
        "known": "all",
        "invoke": "none",
        "look": "all",
        "deploy": "none",
        "payloads": "none",
        "admin": "none",
    },
    "view": {
        "public": "all",
        "signed": "none",
        "known": "all",
        "invoke": "none",
        "look": "all",
        "deploy": "read",
        "payloads": "none",
        "admin": "none",
    },
    "invoke": {
        "public": "all",
        "signed": "none",
        "known": "all",
        "invoke": "all",
        "look": "none",
        "deploy": "none",
        "payloads": "none",
        "admin": "none",
    },
    "deploy": {
        "public": "all",
        "signed": "none",
        "known": "all",
        "invoke": "all",
        "look": "all",
        "deploy": "all",
        "payloads": "all",
        "admin": "none",
    },
    "admin": {
        "public": "all",
        "signed": "none",
        "known": "all",
        "invoke": "all",
        "look": "all",
        "deploy": "all",
        "payloads": "all",
        "admin": "all",
    },
}
"""What a role may do with routes of an access: nothing, only read, or all of it."""


def may(role: Role, access: Access, method: str) -> bool:
    """Whether the role may use a route of this access with this method."""
    extent = RIGHTS[role][access]
    return extent == "all" or (extent == "read" and method in _READING)


class Principal(msgspec.Struct, frozen=True):
    """Who is asking, as the credential says."""

    name: str
    """For the log: `admin`, `local`, or `token ID`."""
    role: Role
    namespace: NamespaceName | None
    """The only one it is good for; None for all of them."""
    token: str = ""
    """The id of the token that it came with, if it did."""

    @property
    def is_everywhere(self) -> bool:
        """Whether it is good for the installation as a whole."""
        return self.namespace is None

    def sees(self, namespace: str) -> bool:
        """Whether it is good for this namespace."""
        return self.namespace is None or self.namespace == namespace
