"""Servers that receivers lead to: a real one of SMTP and a real one of HTTP, each on a port of its own."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import trustme
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

PASSWORD = "s3cret ☂"


class Trust:
    """An authority of one's own: the side of servers and the side of clients."""

    def __init__(self) -> None:
        self.authority = trustme.CA()
        self.server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self.authority.issue_cert("localhost", "127.0.0.1").configure_cert(self.server)
        self.client = ssl.create_default_context()
        self.authority.configure_trust(self.client)


class Mailbox:
    """Keeps the mails that it takes; `refused` are addresses that it does not know."""

    def __init__(self) -> None:
        self.taken: list[tuple[Envelope, EmailMessage]] = []
        self.sessions: list[Session] = []
        self.refused: set[str] = set()

    async def handle_RCPT(  # noqa: N802 - the library looks for it under this name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        del server, session, options
        if address in self.refused:
            return "550 no such mailbox"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - as above
        del server
        content = envelope.content
        assert isinstance(content, bytes)
        mail = message_from_bytes(content, policy=default)
        assert isinstance(mail, EmailMessage)
        self.taken.append((envelope, mail))
        self.sessions.append(session)
        return "250 OK"


@contextmanager
def smtp_server(mailbox: Mailbox, trust: Trust | None = None, security: str = "none") -> Iterator[int]:
    """Run a server of SMTP and yield its port. With encryption it lets nobody in without the password."""

    def judge(server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any) -> AuthResult:
        del server, session, envelope, mechanism
        assert isinstance(data, LoginPassword)
        return AuthResult(success=data.login == b"dayfly" and data.password == PASSWORD.encode(), handled=False)

    options: dict[str, Any] = {}
    if security != "none":
        assert trust is not None
        options = {"authenticator": judge, "auth_required": True}
    if security == "starttls":
        assert trust is not None
        options |= {"tls_context": trust.server, "require_starttls": True}
    if security == "tls":
        assert trust is not None
        options |= {"auth_require_tls": False}

    loop, handler = asyncio.new_event_loop(), mailbox
    context = trust.server if trust is not None and security == "tls" else None
    thread = Thread(target=loop.run_forever)
    thread.start()
    # From that thread: this one may have a loop that runs, of a browser's.
    begun = loop.create_server(lambda: SMTP(handler, loop=loop, **options), "127.0.0.1", 0, ssl=context)
    server = asyncio.run_coroutine_threadsafe(begun, loop).result()
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        asyncio.run_coroutine_threadsafe(_end(server), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _end(server: asyncio.Server) -> None:
    server.close()
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


class Posted:
    """One request that came."""

    def __init__(self, path: str, headers: dict[str, str], body: bytes) -> None:
        self.path = path
        self.headers = headers
        self.body = body


class Posts:
    """Keeps what is posted; answers with `statuses`, one after the other, and 200 then."""

    def __init__(self) -> None:
        self.taken: list[Posted] = []
        self.statuses: list[int] = []
        self.location = ""


@contextmanager
def http_server(posts: Posts, trust: Trust | None = None) -> Iterator[int]:
    """Run a server of HTTP and yield its port."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            headers = {name.lower(): value for name, value in self.headers.items()}
            posts.taken.append(Posted(self.path, headers, body))
            self.send_response(posts.statuses.pop(0) if posts.statuses else 200)
            if posts.location:
                self.send_header("Location", posts.location)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if trust is not None:
        server.socket = trust.server.wrap_socket(server.socket, server_side=True)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
