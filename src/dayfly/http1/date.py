"""The Date header: an answer that carries none gets one on its way out (RFC 9110 6.6.1)."""

import time

_made = (-1, b"")


def date_line_until(now: float) -> tuple[bytes, float]:
    """Return the header line of the present second, and when that ends in monotonic seconds, of which it is `now`."""
    return date_line(), now + 1 - time.time() % 1


def date_line() -> bytes:
    """Return the header line of the present second; made once a second."""
    global _made
    now = int(time.time())
    made = _made
    if made[0] != now:
        # No process of ours sets a locale, and the module for mail, which has a function for this, takes 0.4 MiB.
        text = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(now))
        made = _made = (now, b"Date: %b\r\n" % text.encode())
    return made[1]
