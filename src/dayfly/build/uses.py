"""Which layers each bundle's code uses, written down beside the code when it is made ready.

Whatever the language, and however its layers got their addresses: who removes layers that nobody uses need not know.
"""

import os
import secrets
from collections.abc import Iterable
from pathlib import Path

_SUFFIX = ".layers"


class Uses:
    """One small file for each bundle's code in `root`. What an earlier life was just writing down is removed."""

    def __init__(self, root: Path) -> None:
        self._root = root
        for left in root.glob(f".*{_SUFFIX}"):
            left.unlink(missing_ok=True)

    def note(self, code: str, layers: Iterable[str]) -> None:
        """Add the layers to those that the code uses, all by their folders' names. Raises OSError."""
        known = self.of(code)
        every = sorted({*(known or ()), *layers})
        if known is not None and len(known) == len(every):
            return
        fresh = self._root / f".{secrets.token_hex(6)}{_SUFFIX}"
        try:
            fresh.write_text("".join(f"{layer}\n" for layer in every))
            os.replace(fresh, self._file(code))
        except OSError:
            fresh.unlink(missing_ok=True)
            raise

    def of(self, code: str) -> frozenset[str] | None:
        """Return the layers that the code uses; None when nobody has written it down. Raises OSError."""
        try:
            return frozenset(self._file(code).read_text().split())
        except FileNotFoundError:
            return None

    def forget(self, code: str) -> None:
        """Remove what is written about the code. Raises OSError."""
        self._file(code).unlink(missing_ok=True)

    def _file(self, code: str) -> Path:
        return self._root / f"{code}{_SUFFIX}"
