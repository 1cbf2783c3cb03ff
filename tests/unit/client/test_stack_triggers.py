"""Triggers in a stack file, and what becomes of those that are there."""

from pathlib import Path
from typing import Any

import pytest

from dayfly.client.stack import load_stack
from dayfly.client.stack_triggers import in_order, settle_triggers
from dayfly.model.errors import InvalidSpec
from dayfly.model.function import FunctionSpec
from dayfly.model.trigger import TriggerSpec, TriggerStatus
from dayfly.model.trigger_source import EventSource

HEAD = "functions:\n  shop:\n    lang: python\n    handler: ./shop\n"


def read(folder: Path, triggers: str) -> tuple[TriggerSpec, ...]:
    (folder / "stack.yaml").write_text(HEAD + triggers)
    (function,) = load_stack(folder / "stack.yaml", environ={"BROKER": "m.example.org"}).functions()
    assert function.triggers is not None
    return function.triggers


def test_triggers_are_read_with_their_function(tmp_path: Path) -> None:
    one, two = read(tmp_path, """
    triggers:
      - name: orders
        source: {kind: mqtt, host: "${BROKER}", port: 1884, tls: true, qos: 2, topics: orders/#}
        filter: data.total > `100`
      - {name: daily, source: {kind: cron, schedule: "@daily"}, paused: true}
""")  # fmt: skip
    assert (one.name, one.function, one.bound, one.filter) == ("orders", "shop", True, "data.total > `100`")
    assert str(one.source.endpoints[0]) == "m.example.org:1884"
    assert (one.source.kind, two.source.kind, two.paused) == ("mqtt", "cron", True)
    assert read(tmp_path, "") == ()


@pytest.mark.parametrize(
    ("triggers", "says"),
    [
        ("    triggers: all\n", "triggers: must be a list"),
        ("    triggers: [{source: {kind: event}}]\n", "triggers.0.*name"),
        ("    triggers: [{name: a}]\n", "triggers.0.*kind"),
        ("    triggers: [{name: a, source: {kind: smoke}}]\n", "triggers.0.*smoke"),
        ("    triggers: [{name: a, source: {kind: event, tpyes: x}}]\n", "triggers.0.*tpyes"),
        ("    triggers: [{name: a, source: {kind: webhook}}]\n", "triggers.0.*source.secret"),
        ("    triggers: [{name: a, source: {kind: event}}, {name: a, source: {kind: event}}]\n", "triggers.1.name"),
        ("    triggers: [{name: A, source: {kind: event}}]\n", "triggers.0.*trigger name"),
    ],
)
def test_what_is_no_trigger_is_refused_with_its_place(tmp_path: Path, triggers: str, says: str) -> None:
    with pytest.raises(InvalidSpec, match=says):
        read(tmp_path, triggers)


class Kept:
    """A platform's triggers."""

    def __init__(self, *specs: TriggerSpec) -> None:
        self.specs = {spec.name: spec for spec in specs}

    def put_trigger(self, spec: TriggerSpec) -> None:
        self.specs[spec.name] = spec

    def list_triggers(self, namespace: str) -> list[TriggerStatus]:
        inside = [spec for spec in self.specs.values() if spec.namespace == namespace]
        return [TriggerStatus(spec=spec, created_unix_ms=1, updated_unix_ms=1) for spec in inside]

    def remove_trigger(self, name: str, *, namespace: str) -> None:
        assert self.specs.pop(name).namespace == namespace


def test_a_function_has_those_that_its_stack_file_names_and_others_are_left_alone() -> None:
    def spec(name: str, function: str = "shop", *, bound: bool = True) -> TriggerSpec:
        return TriggerSpec(name=name, namespace="team", function=function, source=EventSource(), bound=bound)

    kept: Any = Kept(spec("old"), spec("by-hand", bound=False), spec("others", "other"))
    settle_triggers(kept, FunctionSpec(name="shop", namespace="team"), [spec("new"), spec("newer")])
    assert sorted(kept.specs) == ["by-hand", "new", "newer", "others"]
    settle_triggers(kept, FunctionSpec(name="shop", namespace="team"), [])
    assert sorted(kept.specs) == ["by-hand", "others"]


def test_a_function_comes_after_those_whose_ends_its_triggers_wait_for(tmp_path: Path) -> None:
    def waiting(*names: str) -> str:
        listed = ", ".join(f"{{name: on-{name}, source: {{kind: function, name: {name}}}}}" for name in names)
        return f"{{lang: python, handler: ., triggers: [{listed}]}}"

    stack = tmp_path / "stack.yaml"
    waits = {"a": ["z"], "b": ["a", "elsewhere"], "c": [], "y": ["x"], "x": ["y"], "z": []}
    stack.write_text("functions:\n" + "\n".join(f"  {name}: {waiting(*others)}" for name, others in waits.items()))
    found = [one.spec.name for one in in_order(load_stack(stack).functions())]
    assert found == ["z", "a", "b", "c", "y", "x"]
