"""A function's triggers in its stack file, and keeping those that the platform has in step with it."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

import msgspec

from dayfly.client.stack_fields import Fields
from dayfly.client.trigger_kinds import is_list, settings
from dayfly.client.yaml_text import Tree
from dayfly.model.errors import InvalidRequest, NotFound
from dayfly.model.function import FunctionSpec
from dayfly.model.trigger import TriggerSpec, TriggerStatus
from dayfly.model.trigger_source import FunctionSource

if TYPE_CHECKING:
    from dayfly.client.asynchronous import AsyncClient
    from dayfly.client.blocking import Client
    from dayfly.client.stack_function import StackFunction


def stack_triggers(fields: Fields, function: str) -> tuple[TriggerSpec, ...]:
    """Return the triggers that a function's `triggers` lists. Raises InvalidSpec."""
    found: dict[str, TriggerSpec] = {}
    for section in fields.sections("triggers"):
        try:
            told = {**section.values, "source": _source(section.part("source")), "function": function, "bound": True}
            spec = msgspec.convert(told, TriggerSpec, strict=False)
            spec.check()
        except (msgspec.ValidationError, InvalidRequest) as error:
            raise section.refusal(
                "", str(error), hint="`dayfly trigger kinds KIND` lists a source's settings"
            ) from None
        if spec.name in found:
            raise section.refusal("name", f"{spec.name} is the name of another trigger of the function")
        found[spec.name] = spec
    return tuple(found.values())


def in_order(functions: "Iterable[StackFunction]") -> "list[StackFunction]":
    """Return the functions in their order, but for those whose ends the triggers of another wait for: before it.

    Where two wait for each other, one of them still comes first.
    """
    known = {one.spec.name: one for one in functions}
    placed: dict[str, StackFunction] = {}
    begun: set[str] = set()

    def place(one: "StackFunction") -> None:
        if one.spec.name in begun:
            return
        begun.add(one.spec.name)
        for trigger in one.triggers or ():
            if isinstance(trigger.source, FunctionSource) and trigger.source.name in known:
                place(known[trigger.source.name])
        placed[one.spec.name] = one

    for one in known.values():
        place(one)
    return list(placed.values())


def _source(fields: Fields | None) -> dict[str, Tree]:
    """Return a source with one text alone as a list of one, where a list is meant, as everywhere in a stack file."""
    values = dict(fields.values) if fields is not None else {}
    known = settings(str(values.get("kind")))
    for name, value in values.items():
        if isinstance(value, str) and name in known and is_list(known[name].type):
            values[name] = [value]
    return values


def settle_triggers(client: "Client", spec: FunctionSpec, wanted: Iterable[TriggerSpec]) -> None:
    """Let a function that is deployed have these triggers, and none that an earlier stack file gave it.

    Raises as `put_trigger` does.
    """
    wanted = tuple(wanted)
    for each in wanted:
        client.put_trigger(msgspec.structs.replace(each, namespace=spec.namespace))
    try:
        found = client.list_triggers(spec.namespace)
    except NotFound:  # A platform that knows no triggers has none to take away.
        return
    for name in _left_over(found, spec, wanted):
        client.remove_trigger(name, namespace=spec.namespace)


async def settle_triggers_while_writing(
    client: "AsyncClient", spec: FunctionSpec, wanted: tuple[TriggerSpec, ...]
) -> None:
    """The same, from an event loop, on a platform that knows triggers. Raises as `put_trigger` does."""
    for each in wanted:
        await client.put_trigger(msgspec.structs.replace(each, namespace=spec.namespace))
    for name in _left_over(await client.list_triggers(spec.namespace), spec, wanted):
        await client.remove_trigger(name, namespace=spec.namespace)


def _left_over(found: Iterable[TriggerStatus], spec: FunctionSpec, wanted: tuple[TriggerSpec, ...]) -> list[str]:
    """Return which of the function's own triggers no stack file names any more."""
    kept = {each.name for each in wanted}
    own = (status.spec for status in found if status.spec.bound and status.spec.function == spec.name)
    return [each.name for each in own if each.name not in kept]
