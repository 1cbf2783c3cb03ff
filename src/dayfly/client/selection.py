"""Which of many names are meant: `--filter`, a glob in which only `*` is special, or `--regex`, found anywhere."""

import re
from collections.abc import Iterable

from dayfly.model.errors import InvalidRequest

NO_MATCH = "no functions matching --filter/--regex were found in the YAML file"
"""What scripts look for when nothing is left."""


def select(names: Iterable[str], *, glob: str = "", regex: str = "") -> list[str]:
    """Return the names that match, sorted; all of them where neither is given.

    Both tell capitals from small letters. Raises InvalidRequest for both at once and for a bad expression.
    """
    if glob and regex:
        raise InvalidRequest("pass in a regex or a filter, not both: --filter and --regex cannot be used together")
    text = ".*".join(re.escape(part) for part in glob.split("*")) if glob else regex
    try:
        wanted = re.compile(rf"\A{text}\Z" if glob else text, re.DOTALL)
    except (re.error, RecursionError, OverflowError) as error:
        raise InvalidRequest(f"--regex: {regex[:80]!r} is not a regular expression: {error}") from error
    return sorted(name for name in names if wanted.search(name))
