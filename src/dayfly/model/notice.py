"""Notices: what a receiver is sent."""

from typing import Literal

import msgspec

from dayfly.model.alert import Alert


class Attachment(msgspec.Struct, frozen=True):
    """A picture within a mail, or a file with it."""

    name: str
    media_type: str
    data: bytes
    is_inline: bool = False
    """Whether the mail shows it itself, as `cid:NAME`."""


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """News of a group of alerts, for one receiver."""

    id: str
    """The same however often it has to be tried."""
    receiver: str
    group: dict[str, str]
    """The labels that its alerts have alike."""
    alerts: tuple[Alert, ...]
    """Those that fire first."""
    url: str
    """Where the console shows more."""
    at_unix_ms: int

    @property
    def status(self) -> Literal["firing", "resolved"]:
        """Whether any of it goes on."""
        return "firing" if any(each.state == "firing" for each in self.alerts) else "resolved"

    @property
    def title(self) -> str:
        """It in one line."""
        firing = [each for each in self.alerts if each.state == "firing"]
        what = f"FIRING:{len(firing)}" if firing else "RESOLVED"
        first = (firing or self.alerts)[0]
        name = first.labels.get("alertname", first.rule)
        rest = f" and {len(self.alerts) - 1} more" if len(self.alerts) > 1 else ""
        return f"[{what}] {name}: {first.text}{rest}"


class Letter(msgspec.Struct, frozen=True, kw_only=True):
    """Something for people to read, for any channel: a notice, or a report."""

    id: str
    title: str
    text: str
    html: str = ""
    attachments: tuple[Attachment, ...] = ()
    at_unix_ms: int = 0
