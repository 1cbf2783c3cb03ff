"""The sieve: which of an upstream's headers are passed on."""

from collections.abc import Callable

from dayfly.http1.head import HOP_BY_HOP

PASS, DROP, LENGTH, CODING, CONNECTION, UPGRADE, DATE, TRAILER, ASIDE = range(9)
"""What a response header is to us: passed on, ended here, or read by us."""
_READ = {
    b"content-length": LENGTH,
    b"transfer-encoding": CODING,
    b"connection": CONNECTION,
    b"upgrade": UPGRADE,
    b"date": DATE,
    b"trailer": TRAILER,
}
_REMEMBERED = 4_096


class Sieve(dict[bytes, int]):
    """What each response header is to us, by its name as written.

    Names are classified once and remembered, so that the warm path neither lowers nor compares them. `ends` says
    of a name in lower case whether it is dropped, besides those that belong to one connection only; what the header
    `aside` says is kept apart, for us.
    """

    def __init__(self, ends: Callable[[bytes], bool], aside: bytes = b"") -> None:
        super().__init__()
        self._ends = ends
        self._aside = aside

    def __missing__(self, name: bytes) -> int:
        """Classify a name that was not seen before."""
        lower = name.lower()
        kind = _READ.get(lower) if lower != self._aside else ASIDE
        if kind is None:
            kind = DROP if lower in HOP_BY_HOP or self._ends(lower) else PASS
        if len(self) < _REMEMBERED:
            self[name] = kind
        return kind
