"""Expressions over JSON documents: what they answer, and that none of them takes the platform with it."""

from typing import Any

import jmespath
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dayfly.decide.expressions import MAX_DEPTH, MAX_TEXT, Expression, Meter, Unanswerable
from dayfly.model.errors import InvalidSpec

EVENT: dict[str, Any] = {
    "type": "com.example.order",
    "subject": "eu/7",
    "extensions": {},
    "data": {"total": 120, "items": [{"sku": "a", "n": 2}, {"sku": "b", "n": 0}], "note": ""},
}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=12,
)
TEXTS = st.recursive(
    st.sampled_from(["a", "b", "@", "`1`", "'x'", "[0]", "[*].a", "[]", "*", "[?a]", "[0:2]"]),
    lambda inner: (
        st.builds("{}.{}".format, st.sampled_from(["a", "b", "*"]), st.sampled_from(["a", "[b]", "{c: a}"]))
        | st.builds("({}) {} ({})".format, inner, st.sampled_from(["==", "<", "&&", "||", "|"]), inner)
        | st.builds("{}({})".format, st.sampled_from(["length", "keys", "to_string", "type", "not_null", "!"]), inner)
        | st.builds("[{}, {}]".format, inner, inner)
        | st.builds("map(&{}, {})".format, inner, inner)
    ),
    max_leaves=6,
)


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("data.total > `100`", True),
        ("data.total > `100` && starts_with(subject, 'us/')", False),
        ("data.items[?n > `0`].sku", ["a"]),
        ("{all: length(data.items), first: data.items[0].sku}", {"all": 2, "first": "a"}),
        ("nothing.at.all", None),
        ("data.items[].sku | join('+', @)", "a+b"),
        ("sort_by(data.items, &n)[0].sku", "b"),
    ],
)
def test_answers(text: str, answer: object) -> None:
    assert Expression.of(text).evaluate(EVENT) == answer


@pytest.mark.parametrize(("text", "true"), [("data.total", True), ("`0`", True), ("data.note", False),
                                            ("extensions", False), ("missing", False), ("data.items", True),
                                            ("data.items[?n > `5`]", False), ("`false`", False)])  # fmt: skip
def test_what_is_true(text: str, true: bool) -> None:
    assert Expression.of(text).holds(EVENT) is true


@given(TEXTS, JSON)
def test_it_answers_as_the_language_does_or_not_at_all(text: str, document: Any) -> None:
    try:
        answer = Expression.of(text).evaluate(document)
    except (InvalidSpec, Unanswerable):
        return
    assert answer == jmespath.search(text, document)


@pytest.mark.parametrize(
    "text",
    ["", "a b", "a.", "[", "a[?b", "'", "f(", "a" * (MAX_TEXT + 1), "(" * 1000 + "a" + ")" * 1000, "!" * 1999,
     "[" * 1000 + "@" + "]" * 999, "`" + "[" * 1998 + "`", "a" + "|a" * MAX_DEPTH, "\x00", "a$",
     "unknown(@)", "a[].{b: open('x')}"],
)  # fmt: skip
def test_what_is_no_expression_is_refused_when_it_is_read(text: str) -> None:
    with pytest.raises(InvalidSpec, match="expression"):
        Expression.of(text)


DOUBLED = "|".join(["[@,@]"] * (MAX_DEPTH - 6))


@pytest.mark.parametrize(
    "text",
    [
        DOUBLED,
        f"{DOUBLED}|to_string(@)",
        f"{DOUBLED}|@ == @",
        f"{DOUBLED}|contains(@, @)",
        "|".join(["[@,@][]"] * 24),
        "|".join(["join('', [@,@,@,@,@,@,@,@])"] * 24),
        "|".join(["[@,@,@,@][].[@,@,@,@]"] * 10),
        "|".join(["map(&[@,@,@,@], @)[]"] * 10),
        "|".join(["[@]"] * (MAX_DEPTH - 4)) + "|" + "merge({a: @}, {b: @})|" * 3 + "[[[[" * 15 + "@" + "]]]]" * 15,
    ],
)
@pytest.mark.parametrize("document", ["a" * 100, [1, 2, 3, 4]], ids=["text", "list"])
def test_what_would_grow_without_end_is_cut_off(text: str, document: object) -> None:
    try:
        expression = Expression.of(text)
    except InvalidSpec:
        return
    with pytest.raises(Unanswerable):
        expression.evaluate(document)


@pytest.mark.parametrize("text", ["abs('a')", "sort_by(@, &a)", "length(`1`)", "avg('x')", "&a", "[&a]"])
def test_what_cannot_be_applied_has_no_answer(text: str) -> None:
    with pytest.raises(Unanswerable, match="expression"):
        Expression.of(text).evaluate([{"a": 1}, {"a": "x"}])


def test_functions_in_functions_cost_what_they_do() -> None:
    nested = "abs(" * 20 + "@" + ")" * 20
    assert Expression.of(nested).evaluate(-7) == 7


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("a.b.c", {"a"}), ("a[?x > `1`].y", {"a"}), ("{x: a, y: b.c}", {"a", "b"}), ("sort_by(l, &p)[0].q", {"l"}),
        ("a | b", {"a"}), ("a || !b && c == d", {"a", "b", "c", "d"}), ("@", set()), ("'text'", set()),
        ("a.{x: y}", {"a"}), ("*.x", set()), ('"with-dash".b', {"with-dash"}), ("l[1:2]", {"l"}), ("l[]", {"l"}),
        ("map(&x, l)", {"l"}), ("[a, b[0]]", {"a", "b"}), ("`[1]`", set()),
    ],
)  # fmt: skip
def test_the_names_that_are_looked_up_in_the_document_itself(text: str, names: set[str]) -> None:
    assert Expression.of(text).names == names


def test_evaluations_may_share_what_they_may_do() -> None:
    meter, expression = Meter(60), Expression.of("length(@)")
    assert expression.evaluate([1, 2, 3], meter) == 3
    assert 0 < meter.spent < 60
    meter.spend(60 - meter.spent)
    with pytest.raises(Unanswerable, match="more than 60 steps"):
        expression.evaluate([1, 2, 3], meter)
