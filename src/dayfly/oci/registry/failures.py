"""What several tasks at a time failed with, as one error."""


def first(failures: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the first failure: the others are its consequences or its like."""
    found: BaseException = failures
    while isinstance(found, BaseExceptionGroup):
        found = found.exceptions[0]
    return found
