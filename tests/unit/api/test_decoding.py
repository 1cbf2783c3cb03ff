"""JSON's depth, measured on the bytes."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dayfly.api.decoding import MAX_JSON_DEPTH, decode_json, json_depth
from dayfly.model.errors import InvalidRequest

documents = st.recursive(
    st.none() | st.integers() | st.text('[]{}"\\ax'),
    lambda inner: st.lists(inner) | st.dictionaries(st.text("[]{}\\"), inner),
)


def depth(value: Any) -> int:
    if isinstance(value, dict):
        return 1 + max(map(depth, value.values()), default=0)
    return 1 + max(map(depth, value), default=0) if isinstance(value, list) else 0


@given(documents)
def test_wide_documents_are_measured_exactly(document: Any) -> None:
    wide: list[list[int]] = [[]] * MAX_JSON_DEPTH
    assert json_depth(json.dumps([document, wide]).encode()) == 1 + max(depth(document), 2)


@pytest.mark.parametrize("opening", [b"[", b'{"a":', b'[{"a":', b'["]]]]",'])
def test_deep_documents_are_refused(opening: bytes) -> None:
    for count in (MAX_JSON_DEPTH + 1, 100_000):
        with pytest.raises(InvalidRequest, match="deeper"):
            decode_json(opening * count, dict)


def test_brackets_in_text_are_no_depth() -> None:
    assert decode_json(json.dumps({"a": '\\"[' * 1000}).encode(), dict) == {"a": '\\"[' * 1000}
