"""The rules of .dayflyignore."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dayfly.client.ignore import IgnoreRules


@pytest.mark.parametrize(
    ("rules", "path", "is_folder", "expected"),
    [
        ("*.log", "a.log", False, True),
        ("*.log", "sub/a.log", False, True),
        ("*.log", "a.logs", False, False),
        ("/a.log", "sub/a.log", False, False),
        ("/a.log", "a.log", False, True),
        ("data/", "data", True, True),
        ("data/", "data", False, False),
        ("data/", "sub/data", True, True),
        ("a/b", "a/b", False, True),
        ("a/b", "x/a/b", False, False),
        ("**/b", "x/a/b", False, True),
        ("**/b", "b", False, True),
        ("a/**", "a/x/y", False, True),
        ("a/**/z", "a/z", False, True),
        ("a/**/z", "a/b/c/z", False, True),
        ("a*c", "a/c", False, False),
        ("?.py", "a.py", False, True),
        ("?.py", "ab.py", False, False),
        ("[ab].py", "b.py", False, True),
        ("[!ab].py", "b.py", False, False),
        ("[z-a].py", "b.py", False, False),
        ("[", "[", False, True),
        ("a.b", "axb", False, False),
        ("*\n!keep", "keep", False, False),
        ("*\n!keep", "other", False, True),
        ("!keep\n*", "keep", False, True),
        ("# a\n\n", "a", False, False),
        ("\\#a", "#a", False, True),
        ("a   ", "a", False, True),
    ],
)
def test_rules(rules: str, path: str, is_folder: bool, expected: bool) -> None:
    assert IgnoreRules(rules).ignores(path, is_folder=is_folder) is expected


@given(st.text(alphabet="ab*?[]!^\\/-.#~|& \n", max_size=30), st.text(alphabet="ab/.", max_size=12))
def test_any_rules_can_be_asked(rules: str, path: str) -> None:
    assert IgnoreRules(rules).ignores(path, is_folder=False) in (True, False)
