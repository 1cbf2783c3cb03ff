"""Silence: the machine at the other end of a connection is gone and has taken no leave, as when it loses its power.

Nothing arrives then, not even a refusal. What was sent is not acknowledged, which the kernel of a machine that lives
does within milliseconds, however busy its programs are.
"""

import errno
import socket
from typing import Final

_MUTE: Final = frozenset((errno.ETIMEDOUT, errno.EHOSTUNREACH, errno.EHOSTDOWN, errno.ENETUNREACH))


def notice_silence(sock: socket.socket, after_s: float) -> None:
    """Have the kernel break a TCP connection whose other end acknowledges nothing for so long, also where it idles.

    It breaks one, too, whose other end acknowledges but takes no more for so long; see `bear_with`.
    """
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, max(1, round(after_s / 2)))
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, max(1, round(after_s / 5)))
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, round(after_s * 1000))


def bear_with(sock: socket.socket, *, slow: bool, after_s: float) -> None:
    """Have the other end of a connection take what it is sent as slowly as it likes, or no more.

    Until all of it is taken and acknowledged, that its machine is gone is not noticed then.
    """
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 0 if slow else round(after_s * 1000))


def is_silence(fault: BaseException | None) -> bool:
    """Whether a connection failed because nothing was heard; one that is refused or reset was answered."""
    return isinstance(fault, TimeoutError) or (isinstance(fault, OSError) and fault.errno in _MUTE)
