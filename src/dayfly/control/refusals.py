"""Refusals that several use cases share."""

from collections.abc import Iterable

from dayfly.model.errors import NotFound
from dayfly.model.names import FunctionKey


def missing(key: FunctionKey) -> NotFound:
    """Return the refusal of a question about a function that there is not."""
    told = f"there is no function {key.name} in the namespace {key.namespace}"
    return NotFound(told, hint="`dayfly list` shows the functions there are.")


def not_kept(key: FunctionKey, number: int, kept: Iterable[int]) -> NotFound:
    """Return the refusal of a revision that never was or was dropped, with those that are `kept`."""
    listed = ", ".join(map(str, sorted(kept)))
    told = f"revision {number} of {key.name} is not kept; these are: {listed}"
    return NotFound(told, hint=f"`dayfly revisions {key.name}` says more of them.")
