"""The kinds of sources that a trigger can have, and what each can be told, as its struct says."""

import typing
from typing import Any

import msgspec

from dayfly.model.trigger import TriggerSource


def kinds() -> dict[str, type[TriggerSource]]:
    """Return the structs of all kinds."""
    return {str(each.__struct_config__.tag): each for each in typing.get_args(TriggerSource)}


def settings(kind: str) -> dict[str, msgspec.structs.FieldInfo]:
    """Return what a kind can be told, by name; nothing for an unknown kind."""
    struct = kinds().get(kind)
    return {field.name: field for field in msgspec.structs.fields(struct)} if struct is not None else {}


def is_list(kind: Any) -> bool:
    """Whether values of this type are lists."""
    return typing.get_origin(kind) is tuple
