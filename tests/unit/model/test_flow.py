"""What may be a flow, and what travels through one."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dayfly.model.errors import DayflyError, InvalidRequest, InvalidSpec, PayloadTooLarge
from dayfly.model.flow import FlowSpec
from dayfly.model.flow_data import MAX_DATA_BYTES, to_body, to_data
from dayfly.model.flow_rules import MAX_DEPTH, MAX_STEPS
from dayfly.model.flow_step import every

CALL = {"do": "call", "name": "a", "function": "f"}
SET = {"do": "set", "name": "s", "value": "input"}


def check(*steps: Any, **fields: Any) -> FlowSpec:
    spec = msgspec.convert({"name": "test", "steps": list(steps), **fields}, FlowSpec)
    spec.check()
    return spec


def group(depth: int) -> dict[str, Any]:
    inside = group(depth - 1) if depth else SET
    return {"do": "group", "name": f"g{depth}", "steps": [inside]}


def test_every_kind_of_step_can_be_written() -> None:
    steps = [
        {**CALL, "retry": {"attempts": 5, "wait": "1s"}, "timeout": "30s", "catch": {"steps": [SET]}},
        {"do": "choice", "name": "c", "branches": [{"when": "a", "steps": []}], "otherwise": []},
        {"do": "parallel", "name": "p", "branches": {"l": [{**SET, "name": "l"}]}},
        {"do": "map", "name": "m", "over": "a", "steps": [{**SET, "name": "mm"}], "concurrency": 3},
        {"do": "filter", "name": "f", "over": "a", "keep": "item"},
        {"do": "split", "name": "sp", "over": "a", "size": 3},
        {"do": "delay", "name": "d", "for": "10m"},
        {"do": "wait", "name": "w", "event": "paid", "timeout": "24h"},
        {"do": "approval", "name": "ap", "prompt": "Ship?"},
        {"do": "group", "name": "g", "steps": [{**SET, "name": "gg"}]},
        {"do": "fail", "name": "x", "code": "too_dear"},
    ]
    spec = check(*steps)
    assert msgspec.json.decode(msgspec.json.encode(spec), type=FlowSpec) == spec
    assert [step.name for step in every(spec.steps)][:3] == ["a", "s", "c"]


def test_a_sequence_names_its_steps_after_their_functions() -> None:
    spec = FlowSpec.sequence("test", "team", ("load", "0-clean", "load"))
    spec.check()
    assert [step.name for step in spec.steps] == ["load", "f0-clean", "load-2"]


WRONG: list[tuple[list[Any], str]] = [
    ([], "one at least"),
    ([{**CALL, "name": "1a"}], "not a step's name"),
    ([{**CALL, "name": "input"}], "that name already"),
    ([CALL, CALL], "two steps called a"),
    ([CALL, {"do": "group", "name": "g", "steps": [CALL]}], "two steps called a"),
    ([{**CALL, "function": "No.Such"}], "function name"),
    ([{**CALL, "timeout": "soon"}], "step a.timeout"),
    ([{**CALL, "timeout": "0s"}], "more than 0s"),
    ([{**CALL, "timeout": "9000h"}], "at most 366 days"),
    ([{**CALL, "retry": {"attempts": 0}}], "retry.attempts"),
    ([{**CALL, "retry": {"wait": "1h", "max_wait": "1m"}}], "more than max_wait"),
    ([{**CALL, "retry": {"on": ["No Code"]}}], "retry.on"),
    ([{**CALL, "catch": {"steps": []}}], "catch.steps"),
    ([{**CALL, "catch": {"steps": [SET], "on": ["A"]}}], "catch.on"),
    ([{**CALL, "body": "x" * 2001}], "1 to 2000 characters"),
    ([{**SET, "value": ""}], "1 to 2000 characters"),
    ([{"do": "choice", "name": "c", "branches": []}], "1 to 50"),
    ([{"do": "choice", "name": "c", "branches": [{"when": "", "steps": []}]}], "branches\\[0\\].when"),
    ([{"do": "parallel", "name": "p", "branches": {}}], "1 to 50"),
    ([{"do": "parallel", "name": "p", "branches": {"a.b": [SET]}}], "branch's name"),
    ([{"do": "map", "name": "m", "over": "a", "steps": []}], "there are none"),
    ([{"do": "map", "name": "m", "over": "a", "steps": [SET], "concurrency": 0}], "concurrency"),
    ([{"do": "group", "name": "g", "steps": []}], "there are none"),
    ([{"do": "split", "name": "s", "over": "a"}], "either a size"),
    ([{"do": "split", "name": "s", "over": "a", "size": 1, "by": ","}], "either a size"),
    ([{"do": "split", "name": "s", "over": "a", "size": -1}], "either a size"),
    ([{"do": "delay", "name": "d"}], "either `for` or `until`"),
    ([{"do": "delay", "name": "d", "for": "1s", "until": "input"}], "either `for` or `until`"),
    ([{"do": "delay", "name": "d", "for": "1s", "timeout": "1s"}], "no timeout"),
    ([{"do": "delay", "name": "d", "for": "9000h"}], "at most 366 days"),
    ([{"do": "wait", "name": "w", "event": "a b"}], "event's name"),
    ([{"do": "approval", "name": "p", "prompt": "x" * 501}], "at most 500"),
    ([{"do": "fail", "name": "f", "code": "No!"}], "error's code"),
    ([{"do": "fail", "name": "f", "message": "x" * 501}], "at most 500"),
    ([group(MAX_DEPTH)], "nested more than"),
    ([{**SET, "name": f"s{at}"} for at in range(MAX_STEPS + 1)], f"at most {MAX_STEPS}"),
]


@pytest.mark.parametrize(("steps", "said"), WRONG, ids=[said for _, said in WRONG])
def test_what_cannot_be_a_flow_is_refused(steps: list[Any], said: str) -> None:
    with pytest.raises(DayflyError, match=said):
        check(*steps)


@pytest.mark.parametrize(
    "fields",
    [{"name": "No"}, {"namespace": "No"}, {"timeout": "x"}, {"output": "x" * 2001}, {"description": "x" * 501}],
)
def test_what_a_flow_says_of_itself_is_checked_too(fields: dict[str, Any]) -> None:
    with pytest.raises(DayflyError):
        check(CALL, **fields)


def test_a_flow_that_is_too_large_is_refused() -> None:
    with pytest.raises(InvalidSpec, match="bytes"):
        check(*({**SET, "name": f"s{at}", "value": "x" * 1999} for at in range(150)))


@pytest.mark.parametrize("step", [{**CALL, "fonction": "x"}, {"do": "jump", "name": "a"}, {"name": "a"}])
def test_what_nobody_knows_is_refused(step: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        check(step)


@pytest.mark.parametrize(
    ("body", "media_type", "data"),
    [
        (b'{"a": 1}', "application/json", {"a": 1}),
        (b"[1]", "application/cloudevents+json; charset=utf-8", [1]),
        (b'{"a": 1}', "text/plain", '{"a": 1}'),
        (b"hello", "", "hello"),
        (b"", "application/json", None),
        (b"\x89PNG", "image/png", {"content_type": "image/png", "base64": "iVBORw=="}),
        (b"\xff", "text/plain", {"content_type": "text/plain", "base64": "/w=="}),
        (b"\xff", "", {"content_type": "application/octet-stream", "base64": "/w=="}),
    ],
)
def test_bodies_become_data(body: bytes, media_type: str, data: Any) -> None:
    assert to_data(body, media_type) == data


@pytest.mark.parametrize(
    ("data", "body", "media_type"),
    [
        ({"a": 1}, b'{"a":1}', "application/json"),
        ("hello", b"hello", "text/plain; charset=utf-8"),
        (None, b"", "text/plain; charset=utf-8"),
        (0, b"0", "application/json"),
        ({"content_type": "image/png", "base64": "iVBORw=="}, b"\x89PNG", "image/png"),
        ({"content_type": "a/b\r\nX: y", "base64": ""}, b'{"content_type":"a/b\\r\\nX: y","base64":""}',
         "application/json"),
        ({"content_type": "a/b", "base64": "?"}, b'{"content_type":"a/b","base64":"?"}', "application/json"),
    ],
)  # fmt: skip
def test_data_become_bodies(data: Any, body: bytes, media_type: str) -> None:
    assert to_body(data) == (body, media_type)


@given(st.binary(max_size=50))
def test_bytes_pass_through_as_they_were(body: bytes) -> None:
    again, _ = to_body(to_data(body, "image/png"))
    assert again == body


@given(st.text(max_size=50))
def test_text_passes_through_as_it_was(text: str) -> None:
    again, _ = to_body(to_data(text.encode(), "text/plain"))
    assert again == text.encode()


@pytest.mark.parametrize("body", [b"{", b"\xff", b"[" * 70 + b"]" * 70, b'"\\ud800"'])
def test_what_is_said_to_be_json_and_is_not_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidRequest):
        to_data(body, "application/json")


def test_data_are_bounded() -> None:
    with pytest.raises(PayloadTooLarge):
        to_data(b"x" * (MAX_DATA_BYTES + 1), "text/plain")
    with pytest.raises(PayloadTooLarge):
        to_data(b"\xff" * (MAX_DATA_BYTES - 1), "image/png")
    assert to_data(json.dumps("x" * (MAX_DATA_BYTES - 2)).encode(), "application/json")
