"""Conditions: what is told of an object in its status, where kubectl and other tools look for it."""

import logging

import msgspec

from dayfly.cluster.connection import Connection
from dayfly.cluster.kinds import Kind, Object, name_of, namespace_of
from dayfly.cluster.records import Condition
from dayfly.cluster.refusals import Changed
from dayfly.cluster.stamp import stamp
from dayfly.model.errors import DayflyError, NotFound
from dayfly.storage.kubernetes.shelf import ATTEMPTS, overtaken

log = logging.getLogger("dayfly.storage")
READY, ACCEPTED = "Ready", "Accepted"
"""Whether an object does what it is for, and whether what it says now was found to be in order and taken over."""


def merged(before: tuple[Condition, ...], news: tuple[Condition, ...], now: str) -> tuple[Condition, ...]:
    """Return the conditions with the new ones in place of theirs; the time is that of the last change of status."""
    kept = {each.type: each for each in before}
    for each in news:
        known = kept.get(each.type)
        same = known is not None and known.status == each.status and known.last_transition_time
        time = known.last_transition_time if known is not None and same else now
        kept[each.type] = msgspec.structs.replace(each, last_transition_time=time)
    return tuple(kept.values())


def conditions_of(obj: Object) -> tuple[Condition, ...]:
    """Return the object's conditions; none where something else is there."""
    try:
        return msgspec.convert((obj.get("status") or {}).get("conditions", ()), tuple[Condition, ...])
    except msgspec.ValidationError:
        return ()


async def tell(connection: Connection, kind: Kind, obj: Object, *news: Condition, known: Object | None = None) -> None:
    """Have the object's status say so, and what else is `known`; the conditions that are not named stay.

    Nothing is written when it says so already, or once the spec is another.
    """
    generation = obj["metadata"]["generation"]
    told = tuple(msgspec.structs.replace(each, observed_generation=generation) for each in news)
    for _ in range(ATTEMPTS):
        after = merged(conditions_of(obj), told, stamp())
        status = (obj.get("status") or {}) | (known or {}) | {
            "conditions": msgspec.json.decode(msgspec.json.encode(after)), "observedGeneration": generation,
        }  # fmt: skip
        if status == obj.get("status"):
            return
        try:
            await connection.replace(kind, {**obj, "status": status}, sub="status")
        except Changed:
            try:
                obj = await connection.get(kind, name_of(obj), namespace_of(obj))
            except NotFound:
                return
            if obj["metadata"]["generation"] != generation:
                return  # it will be looked at again
        except NotFound:
            return
        else:
            return
    raise overtaken(f"the status of the {kind.name.lower()} {name_of(obj)}")


async def refuse(connection: Connection, kind: Kind, obj: Object, error: DayflyError) -> None:
    """Tell of an object that it cannot be used, and why."""
    known = next((each for each in conditions_of(obj) if each.type == READY), None)
    if known is None or not known.message.startswith(str(error)):
        what = f"the {kind.name.lower()} {name_of(obj)} of the namespace {namespace_of(obj)}"
        log.warning("%s is left out: %s", what, error)
    message = f"{error}{f' ({error.hint})' if error.hint else ''}"
    ready = Condition(type=READY, status="False", reason=reason_of(error), message=message)
    await tell(connection, kind, obj, msgspec.structs.replace(ready, type=ACCEPTED), ready)


def reason_of(error: DayflyError) -> str:
    """Return an error's code as conditions write reasons."""
    return "".join(part.capitalize() for part in error.code.split("_"))


async def accept(connection: Connection, kind: Kind, obj: Object) -> None:
    """Tell of an object that what it says now is taken over."""
    await tell(connection, kind, obj, Condition(type=ACCEPTED, status="True", reason="Valid"))


def is_accepted(obj: Object) -> bool:
    """Whether what the object says now was taken over. Only who may write its status can say so."""
    generation = obj["metadata"]["generation"]
    return any(
        each.type == ACCEPTED and each.status == "True" and each.observed_generation == generation
        for each in conditions_of(obj)
    )
