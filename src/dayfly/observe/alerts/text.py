"""What people read of alerts, in the forms that channels have. Names, labels and figures come from functions and others
who may mean ill: each form makes of them what is only text there."""

import html
from datetime import UTC, datetime
from typing import Any

from dayfly.model.alert import Alert
from dayfly.model.notice import Letter, Notice

MAX_SHOWN = 50
"""Alerts of a notice that are written out."""
_LONGEST_LINE = 300


def letter_of(notice: Notice) -> Letter:
    """Return a notice as a letter."""
    shown, more = notice.alerts[:MAX_SHOWN], len(notice.alerts) - MAX_SHOWN
    rest = f"\nand {more} more\n" if more > 0 else ""
    text = "\n".join(_plain(each) for each in shown) + rest + f"\n{notice.url}\n"
    rows = "".join(_row(each) for each in shown)
    page = (
        '<!doctype html><html><head><meta charset="utf-8"></head>'
        '<body style="font-family:sans-serif;color:#1c1c1c">'
        f"<h2>{html.escape(one_line(notice.title))}</h2>"
        f'<table cellpadding="6" style="border-collapse:collapse">{rows}</table>'
        f'<p>{html.escape(rest)}</p><p><a href="{html.escape(notice.url)}">{html.escape(notice.url)}</a></p>'
        "</body></html>"
    )
    return Letter(
        id=notice.id, title=one_line(notice.title), text=text, html=page, at_unix_ms=notice.at_unix_ms
    )  # fmt: skip


def one_line(text: str) -> str:
    """Return a text as one line without anything that is not printed, as headers of mail need it."""
    line = "".join(each if each.isprintable() else " " for each in text)
    return line if len(line) <= _LONGEST_LINE else line[: _LONGEST_LINE - 1] + "…"


def slack_body(letter: Letter) -> dict[str, Any]:
    """Return what Slack's incoming webhooks take. What it escapes can neither call people nor make links."""
    return {"text": _slack(f"*{letter.title.replace('*', '')}*\n{letter.text}")[:3_900]}


def webhook_body(notice: Notice) -> dict[str, Any]:
    """Return our own form, which is as the API tells of alerts."""
    return {
        "id": notice.id, "type": "alerts", "status": notice.status, "receiver": notice.receiver,
        "group": notice.group, "title": notice.title, "url": notice.url, "at_unix_ms": notice.at_unix_ms,
        "alerts": notice.alerts,
    }  # fmt: skip


def alertmanager_body(notice: Notice) -> dict[str, Any]:
    """Return the webhook of an Alertmanager, in its version 4."""
    return {
        "version": "4",
        "groupKey": "{}:{" + ",".join(f'{name}="{value}"' for name, value in sorted(notice.group.items())) + "}",
        "truncatedAlerts": 0,
        "status": notice.status,
        "receiver": notice.receiver,
        "groupLabels": notice.group,
        "commonLabels": _common(notice.alerts),
        "commonAnnotations": {},
        "externalURL": notice.url,
        "alerts": [
            {
                "status": "firing" if each.state == "firing" else "resolved",
                "fingerprint": each.id,
                **_api_alert(each, notice.url),
            }
            for each in notice.alerts
        ],
    }


def alertmanager_alerts(notice: Notice) -> list[dict[str, Any]]:
    """Return what an Alertmanager's API takes, in its version 2."""
    return [_api_alert(each, notice.url) for each in notice.alerts]


def _api_alert(alert: Alert, url: str) -> dict[str, Any]:
    ended = alert.resolved_unix_ms if alert.state == "resolved" else 0
    return {
        "labels": alert.labels,
        "annotations": {"description": alert.text, "summary": alert.summary or alert.text},
        "startsAt": stamp(alert.fired_unix_ms or alert.pending_unix_ms),
        "endsAt": stamp(ended) if ended else "0001-01-01T00:00:00Z",
        "generatorURL": url,
    }


def stamp(unix_ms: int) -> str:
    """Return a time as RFC 3339 has it."""
    return datetime.fromtimestamp(unix_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _common(alerts: tuple[Alert, ...]) -> dict[str, str]:
    first, *others = [each.labels for each in alerts]
    return {name: value for name, value in first.items() if all(each.get(name) == value for each in others)}


def _plain(alert: Alert) -> str:
    labels = ", ".join(f"{name}={one_line(value)}" for name, value in sorted(alert.labels.items()))
    lines = [f"{alert.state.upper()} ({alert.severity}): {one_line(alert.text)}"]
    if alert.summary:
        lines += [one_line(line) for line in alert.summary.split("\n")]
    return "\n  ".join([*lines, f"since {stamp(alert.pending_unix_ms)}", labels]) + "\n"


def _row(alert: Alert) -> str:
    colour = {"critical": "#b3261e", "warning": "#9a6700", "info": "#0b57d0"}[alert.severity]
    if alert.state == "resolved":
        colour = "#146c2e"
    labels = "<br>".join(f"{html.escape(name)}={html.escape(value)}" for name, value in sorted(alert.labels.items()))
    summary = "<br>".join(html.escape(line) for line in alert.summary.split("\n"))
    return (
        f'<tr style="border-bottom:1px solid #ddd;vertical-align:top"><td style="color:{colour}"><b>{alert.state}</b>'
        f"<br>{alert.severity}</td><td>{html.escape(alert.text)}<br>{summary}<br>"
        f'<span style="color:#666">since {stamp(alert.pending_unix_ms)}</span></td>'
        f'<td style="color:#666">{labels}</td></tr>'
    )


def _slack(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
