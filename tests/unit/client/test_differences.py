"""diff: fields that a stack file and a deployment do not share."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dayfly.client.differences import Difference, EnvMode, differences
from dayfly.client.stack import load_stack
from dayfly.client.stack_function import StackFunction
from dayfly.model.function import FunctionSpec, Resources

TEXTS = st.dictionaries(st.sampled_from("ABC"), st.sampled_from(["1", "2"]))
SPECS = st.builds(
    FunctionSpec,
    name=st.just("f"),
    image=st.sampled_from(["x:1", "x:2"]),
    process=st.sampled_from(["a", "b"]),
    env=TEXTS,
    labels=TEXTS,
    annotations=TEXTS,
    secrets=st.sets(st.sampled_from("ab")).map(tuple),
    constraints=st.sets(st.sampled_from("ab")).map(tuple),
    limits=st.sampled_from([None, Resources("1Gi"), Resources("1Gi", "1")]),
    read_only_root_filesystem=st.booleans(),
)


@pytest.fixture
def one(tmp_path: Path) -> StackFunction:
    (tmp_path / "stack.yaml").write_text(
        "functions: {f: {image: 'x:1', environment: {A: 1, B: 2}, labels: {l: 1}, limits: {memory: 1Gi}}}"
    )
    (found,) = load_stack(tmp_path / "stack.yaml", environ={}).functions()
    return found


def test_what_is_not_deployed_is_one_difference(one: StackFunction) -> None:
    assert differences(one, None) == [Difference("function", "defined in stack.yaml", "not deployed")]


@pytest.mark.parametrize(
    ("mode", "fields"),
    [("local", ["env.A", "env.B"]), ("remote", ["env.B", "env.C"]), ("all", ["env.A", "env.B", "env.C"])],
)
def test_variables_count_by_the_mode(one: StackFunction, mode: EnvMode, fields: list[str]) -> None:
    deployed = FunctionSpec(
        name="f", image="x:1", process="cat", env={"B": "3", "C": "4"}, labels={"l": "1"}, limits=Resources("1Gi")
    )
    assert [each.field for each in differences(one, deployed, mode)] == fields


def test_every_field_counts(one: StackFunction) -> None:
    deployed = FunctionSpec(
        name="f", image="x:2", env={"A": "1", "B": "2"}, labels={"m": "1"}, annotations={"a": "b"}, secrets=("s",),
        constraints=("c",), limits=Resources("2Gi", "1"), requests=Resources("1Mi"), read_only_root_filesystem=True,
    )  # fmt: skip
    assert [each.field for each in differences(one, deployed)] == [
        "annotation.a", "constraint.c", "image", "label.l", "label.m", "limits.cpu", "limits.memory",
        "readonly_root_filesystem", "requests.memory", "secret.s",
    ]  # fmt: skip
    assert differences(one, deployed)[-2] == Difference("requests.memory", None, "1Mi")


@given(SPECS, st.sampled_from(["local", "remote", "all"]))
def test_a_function_does_not_differ_from_itself(spec: FunctionSpec, mode: EnvMode) -> None:
    assert differences(StackFunction(spec, Path()), spec, mode) == []


@given(SPECS, SPECS)
def test_all_sees_what_either_side_sees(here: FunctionSpec, there: FunctionSpec) -> None:
    one = StackFunction(here, Path())
    everything = {each.field for each in differences(one, there, "all")}
    for mode in ("local", "remote"):
        assert {each.field for each in differences(one, there, mode)} <= everything
