"""Ports for servers that must be told theirs before they listen."""

import os
import socket

_LOWEST, _HIGHEST = 12_000, 32_000
"""Below those that the kernel gives to whoever asks for any, of which one may go to somebody else meanwhile."""
_last = os.getpid() * 97 % (_HIGHEST - _LOWEST)


def free_port() -> int:
    """Return a port of 127.0.0.1 that nobody has, and that no test of this or of another run gets as well."""
    global _last
    while True:
        _last = (_last + 1) % (_HIGHEST - _LOWEST)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", _LOWEST + _last))
            except OSError:
                continue
            return _LOWEST + _last
