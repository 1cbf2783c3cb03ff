"""What is heavy to load, and loaded only where it is needed."""

import functools
import importlib
import sys
from types import ModuleType

_GRAMMARS = "rfc3987_syntax"
"""What jsonschema checks the format `iri` with. It compiles forty grammars while it is imported, which takes as long as
all else that is loaded for these tests, and one of them has something checked by it."""


@functools.cache
def _grammars() -> ModuleType:
    del sys.modules[_GRAMMARS]
    return importlib.import_module(_GRAMMARS)


def pytest_configure() -> None:
    """Have the grammars compiled when the first text is checked."""
    later = ModuleType(_GRAMMARS)
    vars(later)["is_valid_syntax"] = lambda term, value: _grammars().is_valid_syntax(term, value)
    sys.modules.setdefault(_GRAMMARS, later)
