"""Replicas apart: of any revision that is kept, started for calls that the platform itself makes.

No routing table names them. Whoever in the platform was given one writes it into the target of a call, on the socket
where gateways take calls of the platform and of nobody else: no caller from outside can choose a revision.
"""

import base64
import binascii
import re

import msgspec

from dayfly.model.table import Endpoint

_TARGET = re.compile(rb"/apart/([A-Za-z0-9_-]*=*)(/function/.*)", re.DOTALL)


class Apart(msgspec.Struct, frozen=True, kw_only=True):
    """One such replica, as a gateway has to know it."""

    endpoint: Endpoint
    timeout_s: float
    """How long a call of its revision may take."""

    def target(self, target: str) -> str:
        """Return the target that means this replica, and no other of the function that `target` names."""
        return f"/apart/{base64.urlsafe_b64encode(msgspec.json.encode(self)).decode()}{target}"


def apart_in(target: bytes) -> tuple[Apart, bytes] | None:
    """Return the replica that a target names and the target without it; None where it names none.

    Raises ValueError for one that nobody can read.
    """
    match = _TARGET.fullmatch(target)
    if match is None:
        return None
    try:
        return msgspec.json.decode(base64.urlsafe_b64decode(match[1]), type=Apart), match[2]
    except (binascii.Error, msgspec.DecodeError) as error:
        raise ValueError(f"the replica cannot be read: {error}") from error
