"""The table of operators, and that nothing but our own error ever comes out."""

import shutil
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dayfly.client.substitution import MAX_RESULT, substitute
from dayfly.model.errors import InvalidSpec

ENVIRON = {"A": "value", "EMPTY": "", "PATH_": "/usr/local/lib/x.tar.gz", "MIXED": "heLLo", "N": "aXbXc"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("${A}", "value"),
        ("x${A}y${A}z", "xvaluey" + "valuez"),
        ("${UNSET}", ""),
        ("${UNSET:-def}", "def"),
        ("${EMPTY:-def}", "def"),
        ("${A:-def}", "value"),
        ("${UNSET:-}", ""),
        ("${UNSET:=def}", "def"),
        ("${UNSET=def}", "def"),
        ("${A=def}", "value"),
        ("${UNSET:-${A}}", "value"),
        ("${UNSET:-a${OTHER:-b}c}", "abc"),
        ("${UNSET:-http://x:1/y}", "http://x:1/y"),
        ("${#A}", "5"),
        ("${#UNSET}", "0"),
        ("${MIXED^}", "HeLLo"),
        ("${MIXED^^}", "HELLO"),
        ("${MIXED,}", "heLLo"),
        ("${MIXED,,}", "hello"),
        ("${A:1}", "alue"),
        ("${A:1:2}", "al"),
        ("${A:9}", ""),
        ("${A:0:99}", "value"),
        ("${PATH_#/*/}", "local/lib/x.tar.gz"),
        ("${PATH_##*/}", "x.tar.gz"),
        ("${PATH_%.*}", "/usr/local/lib/x.tar"),
        ("${PATH_%%.*}", "/usr/local/lib/x"),
        ("${A#nomatch}", "value"),
        ("${N/X/-}", "a-bXc"),
        ("${N//X/-}", "a-b-c"),
        ("${N//X}", "abc"),
        ("${N//X/}", "abc"),
        ("${N/#a/z}", "zXbXc"),
        ("${N/#b/z}", "aXbXc"),
        ("${N/%c/z}", "aXbXz"),
        ("${N/%a/z}", "aXbXc"),
        ("${N//X/${A}}", "avaluebvaluec"),
        ("$A $ $$ {A} }", "$A $ $$ {A} }"),
        ("$${A}", "${A}"),
        ("# ${A} in a comment", "# value in a comment"),
        ("", ""),
    ],
)
def test_operators(text: str, expected: str) -> None:
    assert substitute(text, ENVIRON) == expected


@pytest.mark.parametrize(
    "text",
    [
        "${",
        "${}",
        "${A",
        "${A-def}",
        "${A+x}",
        "${A:?x}",
        "${A:+x}",
        "${1}",
        "${A:x}",
        "${A:-",
        "${A!}",
        "${A b}",
        "${-}",
    ],
)
def test_what_is_not_known_is_refused(text: str) -> None:
    with pytest.raises(InvalidSpec, match="line 2"):
        substitute("first\n" + text, ENVIRON)


def test_a_value_is_not_read_again() -> None:
    assert substitute("${A}", {"A": "${B}", "B": "no"}) == "${B}"


def test_nesting_is_bounded() -> None:
    with pytest.raises(InvalidSpec, match="nested"):
        substitute("${A:-" * 5000 + "}" * 5000, {})


def test_growth_is_bounded() -> None:
    with pytest.raises(InvalidSpec, match="4 MiB"):
        substitute("${A}" * 50, {"A": "x" * (MAX_RESULT // 40)})
    with pytest.raises(InvalidSpec, match="4 MiB"):
        substitute("${A//x/" + "y" * 5000 + "}", {"A": "x" * 5000})


@given(st.text(alphabet="${}AB:-=^,#%/*?[]!x0 \n", max_size=40), st.text(alphabet="ab*[]/\\", max_size=8))
def test_any_text_is_substituted_or_refused(text: str, value: str) -> None:
    try:
        result = substitute(text, {"A": value})
    except InvalidSpec:
        assert "${" in text
    else:
        assert result == text or "${" in text


BASH = shutil.which("bash")
PLAIN = st.text(alphabet="abcXY.é", max_size=3)
GLOBS = st.text(alphabet="abX.*?", min_size=1, max_size=4)
OPERATIONS = st.one_of(
    st.sampled_from(["", "^", "^^", ",", ",,"]),
    st.builds(":{}".format, st.integers(0, 9)),
    st.builds(":{}:{}".format, st.integers(0, 9), st.integers(0, 9)),
    st.builds(":-{}".format, PLAIN),
    st.builds(
        "{}{}".format, st.sampled_from(["#", "##", "%", "%%"]), st.text(alphabet="abX.*?", min_size=1, max_size=4)
    ),
    st.builds("{}{}/{}".format, st.sampled_from(["/", "//", "/#", "/%"]), PLAIN.filter(bool), PLAIN),
)
VALUES = st.text(alphabet="abcXY.éÉ ", max_size=8)


@pytest.mark.skipif(BASH is None, reason="bash, whose operators these are, is not here")
@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(VALUES, OPERATIONS), min_size=1, max_size=30))
def test_bash_makes_the_same_of_it(cases: list[tuple[str, str]]) -> None:
    """faas-cli's operators are bash's, where both have them: here bash says what each makes."""
    environ = {f"V{at}": value for at, (value, _) in enumerate(cases)}
    expressions = [f"${{V{at}{operation}}}" for at, (_, operation) in enumerate(cases)]
    expressions += [f"${{#V{at}}}" for at in range(len(cases))]
    script = "".join(f'printf "%s\\0" "{expression}"\n' for expression in expressions)
    argv = (BASH or "", "--norc", "-c", script)
    done = subprocess.run(argv, env={**environ, "LC_ALL": "C.UTF-8"}, capture_output=True, check=True)
    assert [substitute(expression, environ) for expression in expressions] == done.stdout.decode().split("\0")[:-1]
