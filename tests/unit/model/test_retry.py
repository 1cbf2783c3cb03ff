"""Retry policies, as annotations say them."""

import pytest

from dayfly.model.errors import InvalidSpec
from dayfly.model.function import FunctionSpec
from dayfly.model.retry import CONCURRENCY, RetryPolicy, concurrency_of, told_of

PREFIX = "com.openfaas.retry."


def test_annotations_say_how_often_after_what_and_when() -> None:
    annotations = {
        PREFIX + "attempts": "4", PREFIX + "codes": "503, 429,429", PREFIX + "min_wait": "5s",
        PREFIX + "max_wait": "1m30s", CONCURRENCY: "3",
    }  # fmt: skip
    expected = RetryPolicy(attempts=4, codes=(429, 503), min_wait_s=5, max_wait_s=90)
    assert RetryPolicy.from_annotations(annotations) == expected
    assert told_of(annotations) == (expected, 3)
    assert concurrency_of(annotations) == 3


def test_without_any_there_is_a_policy() -> None:
    assert RetryPolicy.from_annotations({}) == RetryPolicy()
    assert RetryPolicy.from_annotations({PREFIX + "min_wait": "5m"}).max_wait_s == 300


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("attempts", "0"), ("attempts", "1001"), ("attempts", "x"), ("attempts", "²"), ("codes", "99"),
        ("codes", "600"), ("codes", "5xx"), ("min_wait", "0s"), ("min_wait", "soon"), ("max_wait", "25h"),
        ("max_wait", "1ms"),
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_refused_at_deployment_and_harmless_later(name: str, value: str) -> None:
    annotations = {PREFIX + name: value}
    with pytest.raises(InvalidSpec, match=PREFIX):
        FunctionSpec(name="f", bundle="sha256:" + "a" * 64, annotations=annotations).check()
    assert told_of(annotations) == (RetryPolicy(), 0)


def test_so_is_a_concurrency_that_is_none() -> None:
    with pytest.raises(InvalidSpec, match=CONCURRENCY):
        FunctionSpec(name="f", bundle="sha256:" + "a" * 64, annotations={CONCURRENCY: "many"}).check()
