"""Bringing the state back to an older layout, as a program of its own.

    python -P -m dayfly.server.layout DATA_DIR LAYOUT

Only the program that knows a layout can take it back. When an older version takes over while the platform runs, the
supervisor is the older version's already, and starts this of the newer one in the moment between two control planes.
"""

import sys
from pathlib import Path

from dayfly.model.errors import DayflyError
from dayfly.server.wiring import STATE
from dayfly.storage.layouts import take_back


def main(argv: list[str]) -> int:
    """Bring the state back; return the exit code."""
    try:
        take_back(Path(argv[0], STATE), int(argv[1]))
    except DayflyError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
