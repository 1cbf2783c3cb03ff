"""From `--kind KIND --set NAME=VALUE` to a source: what each kind can be told is what its struct has."""

import typing
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import msgspec

from dayfly.model.errors import InvalidRequest

if TYPE_CHECKING:
    from dayfly.model.trigger import TriggerSource


def source_of(kind: str, given: Iterable[str], secret: str = "") -> "TriggerSource":
    """Return the source that was asked for. Raises InvalidRequest with what the kind can be told."""
    from dayfly.client.trigger_kinds import is_list, settings
    from dayfly.model.trigger import TriggerSource

    known = settings(kind)
    told: dict[str, Any] = {"kind": kind, **({"secret": secret} if secret else {})}
    for setting in given:
        name, equals, value = setting.partition("=")
        name = name.strip().replace("-", "_")
        if not equals or name not in known or name == "secret":
            raise InvalidRequest(
                f"--set {setting[:80]}: a source of kind {kind} has no such setting",
                hint=f"NAME=VALUE with one of {', '.join(name for name in known if name != 'secret')}",
            )
        if is_list(known[name].type):
            parts = [part.strip() for part in value.split(",") if part.strip()]
            told[name] = [*told.get(name, []), *parts]
        else:
            told[name] = value
    try:
        source: TriggerSource = msgspec.convert(told, TriggerSource, strict=False)
    except msgspec.ValidationError as error:
        raise InvalidRequest(
            f"--kind {kind}: {error}", hint=f"`dayfly trigger kinds {kind}` lists what it can be told"
        ) from None
    return source


def settings_of(kind: str) -> list[tuple[str, str, str]]:
    """Return what a kind can be told: name, sort of value, and what it is when nothing is said."""
    from dayfly.client.trigger_kinds import kinds, settings

    usual = {"port": _usual_port(kinds().get(kind))}
    return [(name, sort, usual.get(name) or default) for name, sort, default in map(_setting, settings(kind).values())]


def _usual_port(source: type | None) -> str:
    """Return what a port that nobody names is; empty for a kind without one."""
    plain, tls = getattr(source, "PORT", 0), getattr(source, "TLS_PORT", 0)
    return "" if not plain else str(plain) if tls == plain else f"{plain}, with tls {tls}"


def _setting(field: msgspec.structs.FieldInfo) -> tuple[str, str, str]:
    from dayfly.client.trigger_kinds import is_list

    sort = "list" if is_list(field.type) else "text"
    if typing.get_origin(field.type) is typing.Literal:
        sort = "|".join(str(each) for each in typing.get_args(field.type))
    elif field.type is bool:
        sort = "true|false"
    elif field.type is int:
        sort = "number"
    if field.required:
        return field.name, sort, "required"
    default = ",".join(field.default) if isinstance(field.default, tuple) else str(field.default)
    return field.name, sort, default.lower() if field.type is bool else default
