"""A function's own limit of depth, as its author writes it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dayfly.model.depth import ANNOTATION, HIGHEST, max_depth_of, told_depth
from dayfly.model.errors import InvalidSpec
from dayfly.model.function import FunctionSpec


@given(st.integers(1, HIGHEST))
def test_a_limit_is_what_was_written(limit: int) -> None:
    assert max_depth_of({ANNOTATION: f" {limit} "}) == told_depth({ANNOTATION: str(limit)}) == limit


def test_without_a_word_there_is_none() -> None:
    assert max_depth_of({}) == max_depth_of({ANNOTATION: ""}) == 0


@pytest.mark.parametrize("text", ["0", "-1", "1001", "1.5", "many", "٣", "9" * 5000])
def test_what_is_no_limit_is_refused_when_it_is_deployed(text: str) -> None:
    with pytest.raises(InvalidSpec, match=ANNOTATION):
        FunctionSpec(name="f", bundle="", annotations={ANNOTATION: text}).check()
    assert told_depth({ANNOTATION: text}) == 0
