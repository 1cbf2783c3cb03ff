"""What a webhook's delivery is as an event, for each of those who send them."""

import msgspec
import pytest

from dayfly.events.webhook import challenge_of, event_of, keys_of
from dayfly.model.errors import Unavailable
from dayfly.model.event import Event
from dayfly.model.trigger import TriggerSpec
from dayfly.model.trigger_source import WebhookSource


def source(scheme: str) -> WebhookSource:
    return msgspec.convert({"kind": "webhook", "secret": "hook", "scheme": scheme}, WebhookSource)


def event(scheme: str, body: bytes, **headers: str) -> Event:
    spec = TriggerSpec(name="on-push", namespace="team", source=source(scheme))
    told = {name.replace("_", "-"): [value] for name, value in headers.items()}
    return event_of(spec, source(scheme), told, body)


@pytest.mark.parametrize(
    ("scheme", "body", "headers", "named"),
    [
        ("github", b"{}", {"x_github_event": "push", "x_github_delivery": "d1"}, ("d1", "com.github.push", "push")),
        ("stripe", b'{"id": "evt_1", "type": "charge.failed"}', {}, ("evt_1", "com.stripe.charge.failed", "")),
        ("slack", b'{"event_id": "Ev1", "event": {"type": "message"}}', {}, ("Ev1", "com.slack.message", "")),
        ("standard-webhooks", b'{"type": "a.b"}', {"webhook_id": "msg_1"}, ("msg_1", "a.b", "")),
        ("plain", b'{"id": "no", "type": "no"}', {"x_delivery_id": "7"}, ("7", "com.dayfly.webhook", "")),
    ],
)
def test_what_is_told_of_a_delivery(
    scheme: str, body: bytes, headers: dict[str, str], named: tuple[str, str, str]
) -> None:
    found = event(scheme, body, content_type="application/json", **headers)
    assert (found.id, found.type, found.subject) == named
    assert (found.source, found.content_type, found.data) == ("/hooks/team/on-push", "application/json", body)


@pytest.mark.parametrize("scheme", ["github", "stripe", "slack", "standard-webhooks", "plain"])
@pytest.mark.parametrize(
    "body",
    [b"", b"\xff", b"[1]", b'{"id": 5, "type": {}, "event": 7}', b'{"id": "a\\nb", "type": "' + b"a" * 300 + b'"}'],
)
def test_one_that_says_nothing_of_itself_is_an_event_of_its_own(scheme: str, body: bytes) -> None:
    one, other = event(scheme, body), event(scheme, body)
    assert one.type == other.type == "com.dayfly.webhook"
    assert one.id != other.id


def test_one_that_is_replayed_is_the_same_event_where_its_time_was_signed() -> None:
    """As Slack's commands, which are forms without a number: whoever saw one may send it again for five minutes."""
    signed = {"x_slack_signature": "v0=" + "a" * 64, "x_slack_request_timestamp": "1700000000"}
    form = b"command=/deploy"
    one, again, other = (event("slack", body, **signed) for body in (form, form, form + b"2"))
    later = event("slack", form, **(signed | {"x_slack_request_timestamp": "1700000001"}))
    assert one.id == again.id
    assert len({one.id, other.id, later.id}) == 3


def test_slack_hears_its_challenge_and_nobody_else() -> None:
    body = b'{"type": "url_verification", "challenge": "c1"}'
    assert challenge_of(source("slack"), body) == "c1"
    assert challenge_of(source("github"), body) == ""
    assert challenge_of(source("slack"), b'{"type": "event_callback", "challenge": "c1"}') == ""


def test_keys_are_lines_of_the_secret() -> None:
    assert keys_of(source("github"), b"a" * 16 + b"\r\n\n" + b"b" * 16 + b"\n") == [b"a" * 16, b"b" * 16]


@pytest.mark.parametrize(
    "content", [None, b"", b"short", b"\xff" * 20, b"a" * 16 + b"\nshort", (b"a" * 16 + b"\n") * 11]
)
def test_a_secret_that_is_no_good_lets_nobody_in_and_is_not_shown(content: bytes | None) -> None:
    with pytest.raises(Unavailable, match="1 to 10 keys of 16") as refused:
        keys_of(source("github"), content)
    assert "short" not in str(refused.value)
