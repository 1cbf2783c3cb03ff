"""--filter and --regex: the first with `*` only, the second found anywhere."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dayfly.client.selection import select
from dayfly.model.errors import InvalidRequest

LETTERS = st.text(alphabet="ab.[]?*-", max_size=6)


@pytest.mark.parametrize(
    ("glob", "regex", "expected"),
    [
        ("", "", ["a", "ab", "b.c", "b[c]"]),
        ("a*", "", ["a", "ab"]),
        ("*b*", "", ["ab", "b.c", "b[c]"]),
        ("a", "", ["a"]),
        ("A", "", []),
        ("b[c]", "", ["b[c]"]),
        ("b?c", "", []),
        ("b.c", "", ["b.c"]),
        ("", "b", ["ab", "b.c", "b[c]"]),
        ("", "^b.c$", ["b.c"]),
        ("", "^a|c", ["a", "ab", "b.c", "b[c]"]),
        ("", "B", []),
    ],
)
def test_select(glob: str, regex: str, expected: list[str]) -> None:
    assert select(["b[c]", "b.c", "ab", "a"], glob=glob, regex=regex) == expected


def globbed(glob: str, name: str) -> bool:
    """The definition: a star is any text, every other letter is itself."""
    if not glob:
        return not name
    if glob[0] == "*":
        return any(globbed(glob[1:], name[at:]) for at in range(len(name) + 1))
    return name[:1] == glob[0] and globbed(glob[1:], name[1:])


@given(LETTERS.filter(bool), st.lists(LETTERS))
def test_a_glob_matches_what_its_definition_says(glob: str, names: list[str]) -> None:
    assert select(names, glob=glob) == sorted(name for name in names if globbed(glob, name))


@given(st.text(alphabet="ab.-", min_size=1, max_size=4), st.lists(LETTERS))
def test_a_regex_is_not_anchored(part: str, names: list[str]) -> None:
    assert select(names, regex=re.escape(part)) == sorted(name for name in names if part in name)


def test_both_and_nonsense_are_refused() -> None:
    with pytest.raises(InvalidRequest, match="pass in a regex or a filter, not both"):
        select([], glob="a", regex="b")
    with pytest.raises(InvalidRequest, match="--regex"):
        select([], regex="(")
