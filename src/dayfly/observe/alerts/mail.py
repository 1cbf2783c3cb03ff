"""Mail by SMTP: encrypted before a password is sent, to the address that was judged, in a thread of its own.

The library refuses line ends in headers; what comes here was made one line before. A server that refuses some of
several addresses has taken the mail for the others: that is told, and not tried again.
"""

import asyncio
import base64
import re
import smtplib
import socket
import ssl
from collections.abc import Sequence
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP as SMTP_POLICY
from email.utils import format_datetime

from dayfly.model.notice import Letter
from dayfly.model.receiver import EmailTarget
from dayfly.observe.alerts.text import one_line
from dayfly.observe.alerts.way import NotSent, Way

TIMEOUT_S = 20.0
_TAKEN = 235
_NAME = "dayfly.localdomain"
"""What we call ourselves to servers; asking the resolver for a name may take long, and tells strangers ours."""
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]")


async def send_mail(way: Way, namespace: str, target: EmailTarget, password: str, letter: Letter) -> str:
    """Send a letter; return who of several did not get it, or nothing. Raises NotSent."""
    addresses = await way.addresses(namespace, target.host, target.port)
    return await asyncio.to_thread(_deliver, addresses, target, password, message_of(target, letter), way)


def message_of(target: EmailTarget, letter: Letter) -> EmailMessage:
    """Return the letter as a mail: text, the same as HTML, and the pictures that it shows."""
    message = EmailMessage(policy=SMTP_POLICY)
    message["From"] = target.sender
    message["To"] = ", ".join(target.to)
    message["Subject"] = one_line(letter.title)
    message["Date"] = format_datetime(datetime.fromtimestamp(letter.at_unix_ms / 1000, UTC))
    message["Message-ID"] = f"<{_UNSAFE.sub('-', letter.id)}@{_NAME}>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(letter.text)
    if letter.html:
        message.add_alternative(letter.html, subtype="html")
        shown = message.get_body(("html",))
        for each in letter.attachments:
            if each.is_inline and isinstance(shown, EmailMessage):
                main, _, sub = each.media_type.partition("/")
                shown.add_related(each.data, main, sub, cid=f"<{each.name}>", filename=each.name)
    for each in letter.attachments:
        if not each.is_inline:
            main, _, sub = each.media_type.partition("/")
            message.add_attachment(each.data, main, sub, filename=each.name)
    return message


def _deliver(
    addresses: Sequence[str], target: EmailTarget, password: str, message: EmailMessage, way: Way
) -> str:  # fmt: skip
    place = f"{target.host}:{target.port}"
    try:
        with _connect(addresses, target, way) as server:
            if target.security == "starttls":
                server.starttls(context=way.trust.context())
            if target.username:
                _log_in(server, target.username, password)
            refused = server.send_message(message, target.sender, list(target.to))
    except smtplib.SMTPAuthenticationError as error:
        raise NotSent(f"{place} does not take the user name and password ({error.smtp_code})") from None
    except smtplib.SMTPNotSupportedError as error:
        raise NotSent(f"{place}: {error}") from None
    except smtplib.SMTPRecipientsRefused as error:
        raise NotSent(f"{place} refuses {', '.join(sorted(error.recipients))}") from None
    except smtplib.SMTPResponseException as error:
        raise NotSent(f"{place} answered {error.smtp_code}") from None
    except (smtplib.SMTPException, OSError, ssl.SSLError) as error:
        raise NotSent(f"{place}: {one_line(str(error))}") from None
    return f"{place} refuses {', '.join(sorted(refused))}" if refused else ""


def _log_in(server: smtplib.SMTP, username: str, password: str) -> None:
    """Log in; the library's way knows no letters beyond ASCII, where RFC 4616 has UTF-8."""
    if (username + password).isascii():
        server.login(username, password)
        return
    server.ehlo_or_helo_if_needed()
    token = base64.b64encode(f"\0{username}\0{password}".encode()).decode("ascii")
    code, text = server.docmd("AUTH", f"PLAIN {token}")
    if code != _TAKEN:
        raise smtplib.SMTPAuthenticationError(code, text)


class _Pinned(smtplib.SMTP):
    """Connects to the addresses that were judged, and to no other that the name may have by now."""

    def __init__(self, addresses: Sequence[str], host: str, port: int) -> None:
        self._addresses = addresses
        super().__init__(host, port, local_hostname=_NAME, timeout=TIMEOUT_S)

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        del host
        return _open(self._addresses, port, timeout)


class _PinnedTls(smtplib.SMTP_SSL):
    """The same, encrypted from the first byte on."""

    def __init__(self, addresses: Sequence[str], host: str, port: int, context: ssl.SSLContext) -> None:
        self._addresses = addresses
        super().__init__(host, port, local_hostname=_NAME, timeout=TIMEOUT_S, context=context)

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        plain = _open(self._addresses, port, timeout)
        try:
            return self.context.wrap_socket(plain, server_hostname=host)
        except OSError:
            plain.close()
            raise


def _connect(addresses: Sequence[str], target: EmailTarget, way: Way) -> smtplib.SMTP:
    if target.security == "tls":
        return _PinnedTls(addresses, target.host, target.port, way.trust.context())
    return _Pinned(addresses, target.host, target.port)


def _open(addresses: Sequence[str], port: int, timeout: float) -> socket.socket:
    failure: OSError = OSError("no address")
    for address in addresses:
        try:
            return socket.create_connection((address, port), timeout)
        except OSError as error:
            failure = error
    raise failure
