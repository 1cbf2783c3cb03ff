"""Limits: how much one connection may ask for before it is refused.

Every default is meant for a listener that strangers reach. They are settings of the process, not of a function; what a
refused caller reads names the field, so that the operator knows what to raise.
"""

import msgspec


class Limits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a server connection accepts. All sizes in bytes, all times in seconds."""

    target_bytes: int = 8_192
    """Longest request target. Browsers stop near 2,000 characters and common servers at 8,192. Beyond it: 414."""
    header_count: int = 100
    """Header lines of a request. Real requests carry 10 to 40; a flood of names costs hashing. Beyond it: 431."""
    header_bytes: int = 32_768
    """Request line and headers together. Large cookies and tokens reach 16 KiB. Beyond it: 431."""
    body_bytes: int = 10_485_760
    """A request's body, counted as it arrives and not as it was announced. 10 MiB holds what callers send to a
    function; larger things belong into a blob store. Beyond it: 413."""
    trailer_count: int = 32
    """Lines after a chunked body; few programs send more than two. Beyond it: 431."""
    trailer_bytes: int = 8_192
    """Those lines together. Beyond it: 431; a single line beyond 1,024 bytes: 400."""
    header_timeout_s: float = 10.0
    """From the first byte of a request (or the connection's start) to the end of its headers. Then 408, or a silent
    close when not one byte came."""
    idle_s: float = 75.0
    """How long a connection may rest between two requests. Longer than the 60 s after which most clients and load
    balancers give up a connection themselves, so that they seldom write into one that we are closing."""
    body_rate_bytes_s: int = 1_024
    """Slowest body that is waited for, averaged over `body_window_s`. A telephone on a bad link does ten times that."""
    body_window_s: float = 10.0
    """The stretch over which a body's rate is taken. Then 408."""
    send_stall_s: float = 10.0
    """How long a caller may leave an answer waiting: once the system's buffers are full and 64 KiB wait here, 48 KiB
    must leave within it. That is twice the rate that a body must come at. Then the connection is closed."""
    tunnel_idle_s: float = 600.0
    """How long a tunnel (WebSocket or another upgrade) may carry nothing in either direction. What keeps such
    connections alive sends something every 20 to 60 s. Then both ends are closed."""
    answer_bytes: int = 67_108_864
    """A function's answer, counted as it passes; 64 MiB. What is announced to be larger is answered with 502, what
    becomes larger is broken off. 0 is no limit. Answers below 16 KiB are not looked at."""
    linger_s: float = 2.0
    """How long what a refused caller still sends is read and thrown away: closing at once would reset the connection
    and often destroy the answer that says why."""
    connections: int = 0
    """Open connections of one listener at most; 0 means two fifths of the process's file descriptors, as each
    connection may need a second one towards a function. Beyond it a connection without a request is closed for the
    new one: the one whose time-out comes next. Where all have requests under way, it is the new one."""
    connections_per_peer: int = 256
    """Open connections of one remote address at most; loopback is exempt, as proxies and tests live there."""
