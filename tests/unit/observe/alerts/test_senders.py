"""Notices and reports reach real servers, whole and as what they are, and nothing that functions say breaks out."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import importlib.util
import json
import re
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from tests.unit.observe.alerts.servers import PASSWORD, Mailbox, Posts, Trust, http_server, smtp_server

from dayfly.control.clock import ManualClock
from dayfly.model.alert import Alert
from dayfly.model.errors import Forbidden, InvalidSpec, NotSupported
from dayfly.model.notice import Attachment, Letter, Notice
from dayfly.model.receiver import (
    AlertmanagerTarget,
    AppriseTarget,
    EmailTarget,
    Receiver,
    ReceiverTarget,
    SlackTarget,
    WebhookTarget,
)
from dayfly.observe.alerts import chats
from dayfly.observe.alerts.senders import Senders
from dayfly.observe.alerts.text import letter_of
from dayfly.observe.alerts.way import NotSent, Way

EVIL = "</td><script>alert(1)</script>\r\nBcc: victim@example.org\r\n\r\n<!channel> *x* \x1b[2J"
NOW = 1_700_000_000_000
TO = ("ops@example.org", "more@example.org")


@pytest.fixture(scope="module")
def trust() -> Trust:
    return Trust()


def alert(**fields: Any) -> Alert:
    told: dict[str, Any] = {
        "id": "a1", "rule": "errors", "namespace": "team", "kind": "error_rate", "severity": "critical",
        "state": "firing", "labels": {"alertname": "errors", "function": "hello", "namespace": "team"}, "value": 0.5,
        "text": "calls of hello.team that failed: 50 %", "pending_unix_ms": NOW, "fired_unix_ms": NOW, **fields,
    }  # fmt: skip
    return Alert(**told)


def notice(*alerts: Alert) -> Notice:
    return Notice(
        id="msg_1", receiver="ops", group={"alertname": "errors"}, alerts=alerts or (alert(),),
        url="http://127.0.0.1:8081", at_unix_ms=NOW,
    )  # fmt: skip


def send(
    target: ReceiverTarget, secret: str = "", *, what: Notice | Letter | None = None, namespace: str = "",
    tls: Any = None, allow: tuple[str, ...] = ("public",),
) -> str:  # fmt: skip
    """Send something to a receiver once."""

    async def secret_of(_receiver: Receiver) -> str:
        return secret

    senders = Senders(Way(allow, tls), secret_of, ManualClock())
    told, receiver = what or notice(), Receiver(name="ops", namespace=namespace, target=target)
    work: Callable[[], Awaitable[str]] = lambda: (  # noqa: E731 - one of two
        senders.tell(receiver, told) if isinstance(told, Notice) else senders.post(receiver, told)
    )

    async def main() -> str:
        return await work()

    return asyncio.run(main())


def email(port: int, security: str, **fields: Any) -> EmailTarget:
    told: dict[str, Any] = {
        "host": "localhost", "port": port, "security": security, "sender": "dayfly@example.org", "to": TO,
        "username": "" if security == "none" else "dayfly", **fields,
    }  # fmt: skip
    target = EmailTarget(**told)
    target.check()
    return target


@pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS:UserWarning")
@pytest.mark.parametrize("security", ["starttls", "tls", "none"])
def test_a_mail_arrives_with_its_text_and_the_same_for_eyes(trust: Trust, security: str) -> None:
    mailbox = Mailbox()
    with smtp_server(mailbox, trust, security) as port:
        assert send(email(port, security), PASSWORD, tls=trust.client) == ""
    ((envelope, mail),) = mailbox.taken
    assert (envelope.mail_from, envelope.rcpt_tos) == ("dayfly@example.org", list(TO))
    assert mail["Subject"] == "[FIRING:1] errors: calls of hello.team that failed: 50 %"
    assert (mail["Message-ID"], mail["Auto-Submitted"]) == ("<msg_1@dayfly.localdomain>", "auto-generated")
    text, page = mail.get_body(("plain",)), mail.get_body(("html",))
    assert text is not None
    assert page is not None
    assert "FIRING (critical): calls of hello.team that failed: 50 %" in text.get_content()
    assert "<b>firing</b>" in page.get_content()
    assert bool(mailbox.sessions[0].authenticated) is (security != "none")


def test_many_mails_read_the_systems_certificates_once(
    trust: Trust, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trust.authority.cert_pem.write_to_path(tmp_path / "certs.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "certs.pem"))
    mailbox, made, make = Mailbox(), list[ssl.SSLContext](), ssl.create_default_context

    def counted() -> ssl.SSLContext:
        made.append(make())
        return made[-1]

    async def main() -> None:
        senders = Senders(Way(("127.0.0.1", "[::1]")), given, ManualClock())
        for _ in range(3):
            await senders.post(Receiver(name="ops", target=email(port, "starttls")), letter_of(notice()))

    async def given(_receiver: Receiver) -> str:
        return PASSWORD

    with smtp_server(mailbox, trust, "starttls") as port:
        monkeypatch.setattr(ssl, "create_default_context", counted)
        asyncio.run(main())
    assert (len(mailbox.taken), len(made)) == (3, 1)


def test_what_functions_are_called_and_say_is_text_in_a_mail_and_no_header(trust: Trust) -> None:
    mailbox = Mailbox()
    evil = alert(text=EVIL, summary=EVIL, labels={"alertname": EVIL, "function": EVIL})
    with smtp_server(mailbox, trust, "none") as port:
        send(email(port, "none"), what=notice(evil))
    ((envelope, mail),) = mailbox.taken
    assert envelope.rcpt_tos == list(TO)
    assert mail["Bcc"] is None
    assert re.fullmatch(r"[^\r\n\x00-\x1f]*", mail["Subject"])
    page, text = mail.get_body(("html",)), mail.get_body(("plain",))
    assert page is not None
    assert text is not None
    assert "<script" not in page.get_content()
    assert "\x1b" not in text.get_content()
    assert mail.keys().count("To") == 1


def test_pictures_are_within_the_mail_and_files_with_it(trust: Trust) -> None:
    mailbox = Mailbox()
    letter = Letter(
        id="r", title="Report", text="text", html='<img src="cid:calls.png">', at_unix_ms=NOW,
        attachments=(Attachment("calls.png", "image/png", b"PNG", is_inline=True),
                     Attachment("report.pdf", "application/pdf", b"%PDF")),
    )  # fmt: skip
    with smtp_server(mailbox, trust, "none") as port:
        send(email(port, "none"), what=letter)
    ((_, mail),) = mailbox.taken
    parts = {part.get_content_type(): part for part in mail.walk()}
    assert parts["image/png"]["Content-ID"] == "<calls.png>"
    assert parts["image/png"].get_payload(decode=True) == b"PNG"
    assert [part.get_filename() for part in mail.iter_attachments()] == ["report.pdf"]


def test_a_mail_that_is_not_taken_says_why_and_never_the_password(trust: Trust) -> None:
    mailbox = Mailbox()
    with smtp_server(mailbox, trust, "starttls") as port:
        with pytest.raises(NotSent, match="does not take the user name and password") as refused:
            send(email(port, "starttls"), "wrong password", tls=trust.client)
        assert "wrong password" not in str(refused.value)
        with pytest.raises(NotSent, match="certificate verify failed"):
            send(email(port, "starttls"), PASSWORD)
    with smtp_server(mailbox) as port:
        with pytest.raises(NotSent, match="STARTTLS"):
            send(email(port, "starttls"), PASSWORD, tls=trust.client)
        mailbox.refused = {TO[0]}
        assert send(email(port, "none")) == f"localhost:{port} refuses {TO[0]}"
        mailbox.refused = set(TO)
        with pytest.raises(NotSent, match=f"refuses {TO[1]}, {TO[0]}"):
            send(email(port, "none"))
    with pytest.raises(NotSent, match="localhost"):
        send(email(port, "none"))
    assert [envelope.rcpt_tos for envelope, _ in mailbox.taken] == [[TO[1]]]


def test_no_password_is_sent_without_encryption_and_no_odd_address_taken() -> None:
    with pytest.raises(InvalidSpec, match="without encryption no password"):
        email(25, "none", username="dayfly")
    for bad in ("ops", "ops@example.org\r\nBcc: x@y", "a b@example.org", "<ops@example.org>"):
        with pytest.raises(InvalidSpec, match="mail address"):
            email(25, "none", to=(bad,))
        with pytest.raises(InvalidSpec, match="mail address"):
            email(25, "none", sender=bad)


def test_a_webhook_is_signed_as_standard_webhooks_has_it(trust: Trust) -> None:
    posts, key = Posts(), b"k" * 24
    secret = "whsec_" + base64.b64encode(key).decode()
    with http_server(posts, trust) as port:
        send(WebhookTarget(url=f"https://localhost:{port}/in?a=b"), secret, tls=trust.client)
    (posted,) = posts.taken
    assert posted.path == "/in?a=b"
    signed = f"{posted.headers['webhook-id']}.{posted.headers['webhook-timestamp']}.".encode() + posted.body
    digest = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert posted.headers["webhook-signature"] == f"v1,{digest}"
    told = json.loads(posted.body)
    assert (told["type"], told["status"], told["alerts"][0]["text"]) == ("alerts", "firing", alert().text)


def test_what_is_not_taken_is_told_with_its_status_and_no_redirect_is_followed() -> None:
    posts, elsewhere = Posts(), Posts()
    with http_server(posts) as port, http_server(elsewhere) as other:
        posts.statuses, posts.location = [302, 500], f"http://127.0.0.1:{other}/"
        for status in (302, 500):
            with pytest.raises(NotSent, match=f"127.0.0.1:{port} answered {status}"):
                send(WebhookTarget(url=f"http://127.0.0.1:{port}/"))
    assert elsewhere.taken == []


def test_slack_gets_text_in_which_nobody_is_called() -> None:
    posts = Posts()
    with http_server(posts) as port:
        url = f"http://127.0.0.1:{port}/services/T/B/key"
        send(SlackTarget(), url, what=notice(alert(text=EVIL)))
        posts.statuses = [403]
        with pytest.raises(NotSent, match="the URL of the secret answered 403") as refused:
            send(SlackTarget(), url)
        assert "key" not in str(refused.value)
    told = json.loads(posts.taken[0].body)["text"]
    assert told.startswith("*[FIRING:1] errors: ")
    assert "&lt;!channel&gt;" in told
    assert "<" not in told


def test_an_alertmanager_gets_what_its_api_takes_and_others_its_webhook() -> None:
    posts, over = Posts(), alert(id="a2", state="resolved", resolved_unix_ms=NOW + 5)
    with http_server(posts) as port:
        base = f"http://127.0.0.1:{port}/prefix/"
        send(AlertmanagerTarget(url=base), "token", what=notice(alert(), over))
        send(AlertmanagerTarget(url=base, format="webhook"), what=notice(alert(), over))
    api, webhook = posts.taken
    assert (api.path, api.headers["authorization"]) == ("/prefix/api/v2/alerts", "Bearer token")
    first, second = json.loads(api.body)
    assert first["labels"]["alertname"] == "errors"
    assert first["startsAt"] == "2023-11-14T22:13:20.000Z"
    assert first["endsAt"] == "0001-01-01T00:00:00Z"
    assert second["endsAt"] == "2023-11-14T22:13:20.005Z"
    told = json.loads(webhook.body)
    assert (webhook.path, told["version"], told["status"]) == ("/prefix/", "4", "firing")
    assert [each["status"] for each in told["alerts"]] == ["firing", "resolved"]
    assert (told["groupLabels"], told["commonLabels"]["function"]) == ({"alertname": "errors"}, "hello")


@pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")
def test_a_hundred_others_are_told_through_apprise() -> None:
    posts = Posts()
    with http_server(posts) as port:
        send(AppriseTarget(), f"json://127.0.0.1:{port}/in\n")
        posts.statuses = [500]
        with pytest.raises(NotSent, match="could not send it"):
            send(AppriseTarget(), f"json://127.0.0.1:{port}/in")
    told = json.loads(posts.taken[0].body)
    assert told["title"] == "[FIRING:1] errors: calls of hello.team that failed: 50 %"
    assert "FIRING (critical)" in told["message"]
    with pytest.raises(NotSent, match="does not understand URL 2"):
        send(AppriseTarget(), "json://localhost\nhttp-secret-nonsense")
    with pytest.raises(NotSent, match="no URL"):
        send(AppriseTarget(), "\n")


def test_without_apprise_one_sentence_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "apprise", None)
    with pytest.raises(NotSent, match=r"pip install 'dayfly\[notify\]'"):
        send(AppriseTarget(), "json://localhost")
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(NotSupported, match=r"pip install 'dayfly\[notify\]'"):
        chats.check_chat(Receiver(name="a", target=AppriseTarget()))
    with pytest.raises(Forbidden):
        chats.check_chat(Receiver(name="a", namespace="team", target=AppriseTarget()))


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "[::]", "169.254.169.254", "100.100.100.200",
     "0x7f000001", "2130706433", "127.1", "017700000001", "[64:ff9b::7f00:1]", "10.0.0.1", "192.168.1.1"],
)  # fmt: skip
def test_a_namespaces_receiver_reaches_nothing_of_this_machine(host: str) -> None:
    """The same port that the installation's own receivers reach."""
    posts, mailbox = Posts(), Mailbox()
    with http_server(posts) as port, smtp_server(mailbox) as mail_port:
        for target, secret in (
            (WebhookTarget(url=f"http://{host}:{port}/"), ""),
            (SlackTarget(), f"http://{host}:{port}/"),
            (AlertmanagerTarget(url=f"http://{host}:{port}/"), ""),
        ):
            with pytest.raises(NotSent):
                send(target, secret, namespace="team")
        told = EmailTarget(host=host.strip("[]"), port=mail_port, security="none", sender=TO[0], to=TO)
        with pytest.raises(NotSent):
            send(told, namespace="team")
        assert (posts.taken, mailbox.taken) == ([], [])
        send(WebhookTarget(url=f"http://127.0.0.1:{port}/"))
    assert len(posts.taken) == 1


def test_what_the_operator_allows_a_namespaces_receiver_reaches() -> None:
    posts = Posts()
    with http_server(posts) as port:
        url = f"http://127.0.0.1:{port}/"
        send(WebhookTarget(url=url), namespace="team", allow=(f"127.0.0.1:{port}",))
    assert len(posts.taken) == 1


def test_a_secret_that_is_no_header_is_left_out_of_the_request() -> None:
    posts = Posts()
    with http_server(posts) as port:
        send(AlertmanagerTarget(url=f"http://127.0.0.1:{port}"), "a\r\nX-Evil: 1")
    assert "x-evil" not in posts.taken[0].headers
    assert "authorization" not in posts.taken[0].headers


def test_a_long_notice_is_cut_and_says_so() -> None:
    letter = letter_of(notice(*(alert(id=str(number)) for number in range(60))))
    assert "and 10 more" in letter.text
    assert letter.title.endswith("and 59 more")
