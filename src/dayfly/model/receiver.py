"""Receivers: who is told of alerts and sent reports, and by what.

What lets us into somebody's server (a password, a URL that holds a key, a key for signatures) is never part of a
receiver: it is kept as a secret, and never shown again.
"""

import re
from typing import Annotated, Literal

import msgspec

from dayfly.model.alert import MAX_LABELS, Matcher, Severity, check_labels, parse_span
from dayfly.model.errors import InvalidSpec
from dayfly.model.names import parse_alert_name, parse_namespace
from dayfly.model.url import split_url

MAX_NAMESPACE_RECEIVERS = 50
MAX_ADDRESSES = 50
MAX_SECRET = 8_192
_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,253}[A-Za-z0-9])?")
_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.:_-]{0,253}[A-Za-z0-9])?")
Port = Annotated[int, msgspec.Meta(ge=1, le=65_535)]


class EmailTarget(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind", tag="email"):
    """Mail by a server of SMTP. The secret is the password, for who has a `username`."""

    host: str
    port: Port = 587
    security: Literal["starttls", "tls", "none"] = "starttls"
    """tls: from the first byte on, usually at port 465. none: nothing is encrypted, and no password is sent."""
    username: str = ""
    sender: str
    to: tuple[str, ...]

    def check(self) -> None:
        """Refuse what is no address. Raises InvalidSpec."""
        if not _HOST.fullmatch(self.host):
            raise InvalidSpec(f"target.host: {self.host[:80]!r} is not a host")
        if not 1 <= len(self.to) <= MAX_ADDRESSES:
            raise InvalidSpec(f"target.to: 1 to {MAX_ADDRESSES} addresses are needed")
        for field, address in (("sender", self.sender), *(("to", each) for each in self.to)):
            if not _ADDRESS.fullmatch(address):
                raise InvalidSpec(f"target.{field}: {address[:80]!r} is not a mail address, as ops@example.org")
        if len(self.username) > 200 or not self.username.isprintable():
            raise InvalidSpec("target.username: must be at most 200 printable characters")
        if self.security == "none" and self.username:
            raise InvalidSpec("target.security: without encryption no password is sent; leave the username out")


class SlackTarget(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind", tag="slack"):
    """An incoming webhook of Slack, or of what takes the same. The secret is its URL."""

    def check(self) -> None:
        """Nothing of it can be wrong."""


class WebhookTarget(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind", tag="webhook"
):
    """JSON posted to a URL, signed as Standard Webhooks has it if there is a secret, which is the key."""

    url: str

    def check(self) -> None:
        """Refuse what is no URL. Raises InvalidSpec."""
        check_url("target.url", self.url)


class AlertmanagerTarget(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind", tag="alertmanager"
):
    """An Alertmanager, or what takes the webhooks of one. The secret is a bearer token, if one is needed."""

    url: str
    """Of the Alertmanager itself for `api`, of who takes the webhook for `webhook`."""
    format: Literal["api", "webhook"] = "api"

    def check(self) -> None:
        """Refuse what is no URL. Raises InvalidSpec."""
        check_url("target.url", self.url)


class AppriseTarget(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind", tag="apprise"
):
    """A chat, a telephone and a hundred others, through the library apprise. The secret is its URLs, one a line."""

    def check(self) -> None:
        """Nothing of it can be wrong."""


ReceiverTarget = EmailTarget | SlackTarget | WebhookTarget | AlertmanagerTarget | AppriseTarget
NEEDS_SECRET = ("slack", "apprise")
"""Kinds that are nothing without one."""


class Receiver(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Who is told, of what, and how often."""

    name: str
    namespace: str = ""
    """Whose it is; empty for the installation's, which is told of all."""
    target: ReceiverTarget
    matchers: tuple[Matcher, ...] = ()
    """Only of alerts that all of these fit."""
    min_severity: Severity = "info"
    group_by: tuple[str, ...] = ("alertname",)
    """Alerts that are alike in these labels are told together."""
    group_wait: str = "30s"
    """How long to wait for more of a new group."""
    group_interval: str = "5m"
    """How long to wait before news of a group that was told of."""
    repeat_interval: str = "4h"
    """After how long an alert that fires on is told of again."""
    send_resolved: bool = True

    @property
    def key(self) -> tuple[str, str]:
        """Its identity."""
        return self.namespace, self.name

    def check(self) -> None:
        """Refuse what cannot be told. Raises InvalidName, InvalidSpec with the field in the text."""
        parse_alert_name(self.name)
        if self.namespace:
            parse_namespace(self.namespace)
        self.target.check()
        if len(self.matchers) > MAX_LABELS:
            raise InvalidSpec(f"matchers: at most {MAX_LABELS} may be given")
        for matcher in self.matchers:
            matcher.check()
        check_labels("group_by", dict.fromkeys(self.group_by, ""))
        parse_span("group_wait", self.group_wait, 0.0, 86_400.0)
        parse_span("group_interval", self.group_interval, 0.0, 86_400.0)
        parse_span("repeat_interval", self.repeat_interval, 10.0, 30 * 86_400.0)


class KeptReceiver(msgspec.Struct, frozen=True, kw_only=True):
    """A receiver as it is kept: beside it, whether there is a secret."""

    receiver: Receiver
    has_secret: bool
    secret_unix_ms: int = 0
    """When the secret was given; 0 without one, and for one that was given before this was written down."""
    created_unix_ms: int
    updated_unix_ms: int


class ReceiverStatus(msgspec.Struct, frozen=True, kw_only=True):
    """A receiver, and how it does."""

    receiver: Receiver
    has_secret: bool
    secret_unix_ms: int = 0
    """When the secret was given; 0 without one, and where nobody knows."""
    created_unix_ms: int
    updated_unix_ms: int
    sent: int = 0
    """What was sent since the control plane began."""
    sent_unix_ms: int = 0
    """When it was last sent something; 0 for never."""
    trouble: str = ""
    """Why the last attempt failed; empty when it did not."""


def check_url(field: str, url: str) -> None:
    """Refuse what does not lead anywhere beyond doubt. Raises InvalidSpec."""
    try:
        parts = split_url(url)
    except ValueError as error:
        raise InvalidSpec(f"{field}: {error}") from None
    if "@" in parts.netloc:
        raise InvalidSpec(f"{field}: a user name or password in the URL would be shown; give it as the secret")
