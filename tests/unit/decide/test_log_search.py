"""What is searched for: parsed as it is written, refused in words, and never handed on as it is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dayfly.decide.log_level import level_of
from dayfly.decide.log_search import MAX_SEARCH, MAX_TERMS, Term, parse_search
from dayfly.model.errors import InvalidRequest
from dayfly.model.log import LEVELS


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("", ()),
        ("   ", ()),
        ("order", (Term("order"),)),
        ("order failed", (Term("order"), Term("failed"))),
        ('"order failed" again', (Term("order failed"), Term("again"))),
        ("time*", (Term("time", is_prefix=True),)),
        ('"order fai"*', (Term("order fai", is_prefix=True),)),
        ("a -b", (Term("a"), Term("b", is_absent=True))),
        ('a -"b c"', (Term("a"), Term("b c", is_absent=True))),
        ("a -b*", (Term("a"), Term("b", is_prefix=True, is_absent=True))),
        ("a ... ** - -- !", (Term("a"),)),
        ("/api/orders?id=7", (Term("/api/orders?id=7"),)),
        ("AND OR NOT NEAR(a", (Term("AND"), Term("OR"), Term("NOT"), Term("NEAR(a"))),
        ("text:a {b} ^c a+b", (Term("text:a"), Term("{b}"), Term("^c"), Term("a+b"))),
        ("größe 日本", (Term("größe"), Term("日本"))),
    ],
)
def test_a_search_is_words_phrases_beginnings_and_what_must_not_be(text: str, terms: tuple[Term, ...]) -> None:
    assert parse_search(text) == terms


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ('"open', "quotation mark"),
        ('a "b" "', "quotation mark"),
        ("-a", "names no word"),
        ("-a -b", "names no word"),
        ("...", "names no word"),
        ("*", "names no word"),
        ("a" * (MAX_SEARCH + 1), str(MAX_SEARCH)),
        ("a " * (MAX_TERMS + 1), str(MAX_TERMS)),
    ],
)
def test_what_cannot_be_searched_for_is_refused(text: str, named: str) -> None:
    with pytest.raises(InvalidRequest, match=named):
        parse_search(text)


@given(st.text(alphabet=st.sampled_from('ab1 "-*.\t\n'), max_size=40) | st.text(max_size=40))
def test_any_text_is_parsed_or_refused_and_every_term_has_a_word(text: str) -> None:
    try:
        terms = parse_search(text)
    except InvalidRequest:
        return
    assert all(any(letter.isalnum() for letter in term.text) for term in terms)
    assert bool(terms) is bool(text.strip())


@pytest.mark.parametrize(
    ("line", "level"),
    [
        ("2026-11-30 12:00:00,123 ERROR root: it broke", "error"),
        ("[WARN] slow", "warning"),
        ("WARNING: slow", "warning"),
        ("level=info msg=x", "info"),
        ('{"time": 1, "level": "Error", "msg": "x"}', "error"),
        ('{"severity":"CRITICAL"}', "fatal"),
        ("time=x lvl=debug", "debug"),
        ("error: no such file", "error"),
        ("Traceback (most recent call last):", "error"),
        ("ValueError: x", "error"),
        ("requests.exceptions.ConnectionError: x", "error"),
        ("no error here, all is fine", None),
        ("an informal word", None),
        ("INFORMATION about it", "info"),
        ("INFOX", None),
        ("", None),
        ("x" * 500 + " ERROR ", None),
    ],
)
def test_a_level_is_what_the_line_says(line: str, level: str | None) -> None:
    assert level_of(line) == level


@given(st.text(max_size=300))
def test_any_line_has_a_level_or_none(line: str) -> None:
    assert level_of(line) in (None, *LEVELS)
