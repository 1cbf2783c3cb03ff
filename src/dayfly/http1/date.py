"""The Date header: an answer that carries none gets one on its way out (RFC 9110 6.6.1)."""

import email.utils
import time

_made = (-1, b"")


def date_line() -> bytes:
    """Return the header line of the present second; made once a second."""
    global _made
    now = int(time.time())
    made = _made
    if made[0] != now:
        made = _made = (now, b"Date: %b\r\n" % email.utils.formatdate(now, usegmt=True).encode())
    return made[1]
