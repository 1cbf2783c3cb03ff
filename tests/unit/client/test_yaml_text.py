"""Scalars stay text, and no document can do more than be read."""

import contextlib

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from dayfly.client.yaml_text import dump, load
from dayfly.model.errors import InvalidSpec


@pytest.mark.parametrize(
    "written",
    [
        "true",
        "True",
        "yes",
        "no",
        "on",
        "010",
        "0x1F",
        "1.0",
        "1e3",
        "1_000",
        "12:30:45",
        "2026-11-22",
        ".inf",
        "=",
        "3",
    ],
)
def test_scalars_stay_as_they_were_written(written: str) -> None:
    assert load(f"key: {written}") == {"key": written}


@pytest.mark.parametrize("written", ["", "~", "null", "Null", "NULL"])
def test_only_null_is_none(written: str) -> None:
    assert load(f"key: {written}") == {"key": None}
    assert load(f"key: '{written}'") == {"key": written}


def test_nothing_is_none() -> None:
    assert load("") is None
    assert load("# a comment\n") is None


def test_anchors_and_merges_work() -> None:
    text = "base: &b {x: 1, y: 2}\none: {<<: *b, y: 3}\ntwo: {<<: [*b, {z: 4}]}\nlist: [*b]"
    assert load(text) == {
        "base": {"x": "1", "y": "2"},
        "one": {"x": "1", "y": "3"},
        "two": {"x": "1", "y": "2", "z": "4"},
        "list": [{"x": "1", "y": "2"}],
    }


BOMB = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n" + "\n".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)
)
MERGE_BOMB = "a0: &a0 {k: 1}\n" + "\n".join(
    f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 10)}]}}" for n in range(1, 10)
)


@pytest.mark.parametrize(
    "text",
    [
        BOMB,
        MERGE_BOMB,
        "a: &a [*a]",
        "a: &a {b: *a}",
        "a: &a {<<: *a}",
        "[" * 10_000,
        "{a: " * 10_000,
        "key: !!python/object/apply:os.system [true]",
        "key: !!python/name:os.system",
        "key: !mine x",
        "key: !!binary aGk=",
        "key: !!set {a}",
        "a: 1\na: 2",
        "? [a, b]\n: c",
        "<<: text",
        "*nowhere",
        "a: b: c",
        "a: 'open",
        "--- a\n--- b",
        "a: \x00",
        "\tkey: x",
        "%YAML 9.9\n--- a",
    ],
)  # fmt: skip
def test_what_is_dangerous_or_wrong_is_refused(text: str) -> None:
    with pytest.raises(InvalidSpec):
        load(text)


def test_refusals_say_where() -> None:
    with pytest.raises(InvalidSpec, match=r"line 3, column 1: the key 'a' is there twice"):
        load("a: 1\nb: 2\na: 3\n")


@given(st.text(alphabet="abc:-[]{}&*!<>|%@'\"#?, \n\t~0", max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(InvalidSpec):
        load(text)


def test_dump_writes_what_others_read() -> None:
    value = {"b": "ü", "a": [1, None, {"x": True}], "version": "1.0"}
    assert yaml.safe_load(dump(value)) == value
    assert dump(value).startswith("b: ü\n")
