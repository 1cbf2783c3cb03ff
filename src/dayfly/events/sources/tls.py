"""The TLS of connections to others' servers: who is believed, and what we show them.

A server's certificate must go back to an authority of this machine, or to those in the secret, and be made out to the
name that the source gives. There is no way to leave that out.
"""

import os
import ssl

from dayfly.events.port import Lost
from dayfly.model.trigger_secret import Credentials


def context_for(address: str, credentials: Credentials) -> ssl.SSLContext:
    """Return the TLS of a connection. Reads certificates, so call it in a thread. Raises Lost."""
    try:
        context = ssl.create_default_context(cadata=credentials.ca or None)
    except (ssl.SSLError, ValueError):
        raise Lost(f"{address}: the secret's `ca` holds no certificates in PEM") from None
    if credentials.certificate:
        _show(context, address, f"{credentials.certificate}\n{credentials.key}\n".encode())
    return context


def _show(context: ssl.SSLContext, address: str, pair: bytes) -> None:
    """Have the context show a certificate; OpenSSL reads it from a file, which never is on a disk."""
    memory = os.memfd_create("dayfly-certificate", os.MFD_CLOEXEC)
    try:
        os.write(memory, pair)
        context.load_cert_chain(f"/proc/self/fd/{memory}", password=_no_password)
    except (ssl.SSLError, ValueError):
        raise Lost(
            f"{address}: the secret's `certificate` and `key` are no pair in PEM, or the key is encrypted"
        ) from None
    finally:
        os.close(memory)


def _no_password() -> str:
    """Stand where OpenSSL would otherwise ask the terminal."""
    return ""
