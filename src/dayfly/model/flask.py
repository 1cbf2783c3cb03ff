"""Flask for handlers that use it: OpenFaaS's templates bring it along, so that their requirements need not name it."""

import re
from collections.abc import Iterable

_IMPORTS = re.compile(rb"^[ \t]*(?:import|from)[ \t]+flask\b", re.MULTILINE)
_NAMES = re.compile(rb"^[ \t]*flask(?![\w.-])", re.MULTILINE | re.IGNORECASE)


def with_flask(sources: Iterable[bytes], requirements: bytes) -> bytes | None:
    """Return the requirements with Flask in them; None where that is named already, or not imported by any source."""
    if not any(_IMPORTS.search(source) for source in sources) or _NAMES.search(requirements):
        return None
    return requirements + (b"" if not requirements or requirements.endswith(b"\n") else b"\n") + b"flask\n"
