"""What a query may not do to the platform, whoever wrote it: go deep, repeat, or look for a match for ever."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.observe.promql.samples import answer

from dayfly.model.errors import InvalidRequest
from dayfly.observe.history.budget import MAX_S, MAX_SAMPLES, MAX_WORK, Budget
from dayfly.observe.promql.faults import QueryFailed
from dayfly.observe.promql.leaves import MAX_MOMENTS
from dayfly.observe.promql.nodes import Call
from dayfly.observe.promql.parser import MAX_DEPTH, MAX_LENGTH, MAX_OPERATORS, parse
from dayfly.observe.promql.pattern import Pattern
from dayfly.observe.promql.reach import Reach, reaches
from dayfly.observe.promql.signatures import MISSING


@pytest.mark.parametrize(
    ("query", "why"),
    [
        ("(" * MAX_DEPTH + "a" + ")" * MAX_DEPTH, "nested deeper"),
        ("-" * MAX_DEPTH + "a", "nested deeper"),
        ("abs(" * MAX_DEPTH + "a" + ")" * MAX_DEPTH, "nested deeper"),
        ("a" + "+a" * (MAX_OPERATORS + 1), "operators"),
        ("a" * (MAX_LENGTH + 1), "longer than"),
        ('a{b=~"' + "(" * 60 + ")" * 60 + '"}', "nested deeper"),
        ('a{b=~"(x{1000}){1000}"}', "more than 2000 steps"),
        ('a{b=~"x{1001}"}', "more than 1000 times"),
        ("a[200y]", "no more than 100y"),
        ("a[200y:1m]", "no more than 100y"),
        ("a @ 9007199254741", "out of bounds"),
    ],
)
def test_what_is_too_much_is_refused_with_its_place(query: str, why: str) -> None:
    with pytest.raises(InvalidRequest, match=rf"^1:\d+: parse error: .*{why}"):
        parse(query)


def test_as_much_as_may_be_is_taken() -> None:
    inner = "a" + "+a" * (MAX_OPERATORS - 1)
    tree = parse("(" * (MAX_DEPTH - 2) + inner + ")" * (MAX_DEPTH - 2))
    assert len(reaches(tree, Reach(0, 0))) == MAX_OPERATORS


def test_a_subquery_has_no_more_moments_than_may_be() -> None:
    most = f"count_over_time(vector(1)[{MAX_MOMENTS - 1}s:1s])"
    assert answer(most, [0], [])[0].values == [MAX_MOMENTS]
    for query in (
        f"count_over_time(vector(1)[{MAX_MOMENTS}s:1s])",
        "count_over_time(vector(1)[100y:1ms])",
        f"count_over_time(count_over_time(vector(1)[{MAX_MOMENTS // 2}s:1s])[{MAX_MOMENTS // 2}s:1m])",
    ):
        with pytest.raises(QueryFailed, match="more than 200,000 moments"):
            answer(query, [0, 100_000_000], [])


def test_the_moments_of_a_subquery_that_no_span_holds_are_left_out() -> None:
    day_ms = 86_400_000
    (column,) = answer("count_over_time(vector(1)[5m:1m])", [day_ms * day for day in range(10_000)], [])
    assert column.values == [6.0] * 10_000


@pytest.mark.parametrize("name", MISSING)
def test_what_prometheus_has_and_this_has_not_is_named(name: str) -> None:
    with pytest.raises(InvalidRequest, match=rf"^1:5: .*{name}.*subset of PromQL"):
        parse(f"1 + {name}(a)")


def test_a_pattern_that_others_would_try_for_years_takes_steps_in_proportion_to_the_text() -> None:
    for text in (r"(a+)+b", r"(a|aa)+c", r"(a*)*(a*)*d", "a?" * 30 + "a" * 30 + "e"):
        assert Pattern(text).match("a" * 60) is None
    assert Pattern("a?" * 30 + "a" * 30).match("a" * 30) is not None


_PIECES = st.recursive(
    st.sampled_from(("a", "b", ".", "[ab]", "[^a]", r"\d", "x", "1", r"\.", "[0-9x]")),
    lambda inner: st.one_of(
        st.builds("({})".format, inner),
        st.builds("(?:{}|{})".format, inner, inner),
        st.builds("{}{}".format, inner, inner),
        st.builds("(?:{}){}".format, inner, st.sampled_from(("*", "+", "?", "{2}", "{1,3}", "{0,}", "*?", "+?"))),
        st.builds("{}|{}".format, inner, inner),
    ),
    max_leaves=8,
)


@given(pattern=_PIECES, text=st.text("abx1.", max_size=8))
def test_a_pattern_finds_what_pythons_own_finds(pattern: str, text: str) -> None:
    found, wanted = Pattern(pattern).match(text), re.fullmatch(pattern, text)
    assert (found is None) == (wanted is None)
    if found is not None:
        assert found[:2] == (0, len(text))


@pytest.mark.parametrize(
    ("pattern", "template", "text", "filled"),
    [
        (r"(.*)\.(.*)", "$2-$1", "a.b", "b-a"), (r"(?P<x>a)(b)?", "${x}$2$$", "a", "a$"), ("a.*", "$1x$", "ab", "$"),
        (r"(a|b)+", "${1}1", "ab", "b1"), ("(?i)HeL+o", "y", "hello", "y"), (r"\bа\B", "", "z", None),
        (r"^a\x41[[:digit:]\-_]+$", "y", "aA1-_", "y"),
    ],
)  # fmt: skip
def test_groups_fill_a_template(pattern: str, template: str, text: str, filled: str | None) -> None:
    read = Pattern(pattern)
    found = read.match(text)
    assert (None if found is None else read.expand(template, text, found)) == filled


@pytest.mark.parametrize(
    "text", ["(", ")", "[a", "*a", "a**", "a{2}{3}", r"\q", "(?=a)", "[b-a]", "a{3,1}", "[[:x:]]", "\\"]
)
def test_what_is_no_pattern_is_told(text: str) -> None:
    with pytest.raises(ValueError, match="a regular expression"):
        Pattern(text)


def test_a_budget_ends_with_its_samples_its_work_and_its_time() -> None:
    now = [0.0]
    Budget(lambda: now[0]).read(MAX_SAMPLES)
    with pytest.raises(QueryFailed, match="3,000,000 samples"):
        Budget(lambda: now[0]).read(MAX_SAMPLES + 1)
    with pytest.raises(QueryFailed, match="too much work"):
        Budget(lambda: now[0]).work(MAX_WORK + 1)
    budget = Budget(lambda: now[0])
    budget.work(1)
    now[0] = MAX_S + 1
    with pytest.raises(QueryFailed, match="15 seconds"):
        budget.work(100_000)


def test_a_call_knows_its_kind() -> None:
    tree = parse("scalar(a)")
    assert isinstance(tree, Call)
    assert tree.kind == "scalar"
