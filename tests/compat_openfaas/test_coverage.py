"""Every behaviour of the contract has a test whose docstring begins with its number: `Behaviours 12, 13: …`."""

import ast
import re
from collections import Counter
from pathlib import Path

BEHAVIOURS = range(1, 53)
"""The observable behaviours of OpenFaaS on which its clients rely."""
OTHERS = {"test_coverage.py", "test_tutorial.py"}
"""Files that show something else."""
_NAMES_IT = re.compile(r"Behaviours? ((?:[0-9]+(?:, )?)+):")


def test_each_behaviour_has_a_test() -> None:
    shown = Counter(number for text in docstrings() for number in behaviours(text))
    assert {*shown} == {*BEHAVIOURS}, "a behaviour has lost its test"


def test_every_test_here_says_which_behaviour_it_shows() -> None:
    silent = [text.splitlines()[0] for text in docstrings() if not behaviours(text)]
    assert silent == []


def docstrings() -> list[str]:
    """Return the docstring of each test in this folder that shows behaviours; its name where it has none."""
    files = [file for file in sorted(Path(__file__).parent.glob("test_*.py")) if file.name not in OTHERS]
    nodes = [node for file in files for node in ast.walk(ast.parse(file.read_text()))]
    tests = [node for node in nodes if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")]
    return [ast.get_docstring(test) or test.name for test in tests]


def behaviours(text: str) -> set[int]:
    """Return the numbers at the beginning of a docstring."""
    match = _NAMES_IT.match(text)
    return {int(number) for number in match[1].split(",")} if match else set()
