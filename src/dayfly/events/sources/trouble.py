"""Why a server cannot be reached, in words that help whoever reads them and hold no secret.

What went wrong is told by the kind of the error alone: the texts of libraries may quote what was sent.
"""

import errno
import socket
import ssl

from dayfly.events.port import Lost


def lost(address: str, error: BaseException) -> Lost:
    """Return what to raise for an error met while connecting to a server or reading from it."""
    return Lost(f"{address}: {_reason(error)}")


def _reason(error: BaseException) -> str:
    match error:
        case ssl.SSLCertVerificationError():
            return f"its certificate is not trusted: {error.verify_message}"
        case ssl.SSLError():
            return f"TLS failed: {(error.reason or 'the connection ended').lower().replace('_', ' ')}"
        case socket.gaierror():
            return "the host's name cannot be resolved"
        case ConnectionRefusedError():
            return "nobody listens there"
        case TimeoutError():
            return "there was no answer in time"
        case ConnectionError() | EOFError():
            return "the connection was lost"
        case OSError(errno=None) if "[Errno" in str(error):
            # The loop tried several addresses of the host, and tells of all.
            return "nobody listens there" if f"[Errno {errno.ECONNREFUSED}]" in str(error) else "it cannot be reached"
        case OSError(strerror=str(text)):
            return text.lower()
    return f"something unforeseen happened ({type(error).__name__})"
