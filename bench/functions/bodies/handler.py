"""Large bodies: answers with as many bytes as the path says, or with the size of what was uploaded."""

from typing import Any

_DATA = {size: b"x" * size for size in (65_536, 1_048_576)}


def handle(event: Any, context: Any) -> bytes | str:  # noqa: ARG001 - the platform calls with both
    """Answer to GET /SIZE with that many bytes, to anything else with the number of bytes received."""
    if event.method == "GET":
        return _DATA[int(event.path.rpartition("/")[2])]
    return str(len(event.body))
