from collections.abc import Iterator

from dayfly.model import errors
from dayfly.model.errors import DayflyError


def tree(root: type[DayflyError] = DayflyError) -> Iterator[type[DayflyError]]:
    yield root
    for child in root.__subclasses__():
        if child.__module__ == errors.__name__:  # the few of other packages are kinds of these, not codes of their own
            yield from tree(child)


def test_each_error_has_a_code_of_its_own() -> None:
    kinds = [kind for kind in tree() if kind is not errors.InternalError]
    codes = [kind.code for kind in kinds]
    assert len(set(codes)) == len(codes)


def test_each_error_stands_in_the_drawing_with_its_status() -> None:
    drawing = errors.__doc__ or ""
    for kind in tree():
        line = next(line for line in drawing.splitlines() if line.lstrip(" │├└─").split(" ")[0] == kind.__name__)
        second = [*line.lstrip(" │├└─").split(), ""][1]
        assert not second.isdigit() or int(second) == kind.status, line


def test_only_what_time_can_mend_is_retryable() -> None:
    mendable = {"LimitExceeded", "Unavailable", "StoreUnavailable", "StoreFull"}
    assert {kind.__name__ for kind in tree() if kind.retryable} == mendable


def test_an_error_carries_its_sentence_and_hint() -> None:
    error = errors.LimitExceeded("too many", hint="wait", retry_after_s=2)
    assert (str(error), error.hint, error.retry_after_s) == ("too many", "wait", 2)
