"""What the HTTP handlers of alerts stand on."""

from typing import Literal, Protocol

from dayfly.model.alert import Alert, AlertRule, RuleStatus, Silence, SilenceRequest
from dayfly.model.alertmanager import TheirMessage
from dayfly.model.past_alert import PastAlert, PastAlertQuery
from dayfly.model.receiver import Receiver, ReceiverStatus

Done = Literal["created", "updated"]


class Alerts(Protocol):
    """The use cases of alerts. A namespace that is None stands for all, an empty one for the installation."""

    every_s: float
    """How long it is from a look at the figures to the next."""

    def alerts(self, namespace: str | None) -> list[Alert]:
        """Return the alerts about a namespace, those that fire first."""
        ...

    async def history(self, query: PastAlertQuery) -> list[PastAlert]:
        """Return alerts that fired, the newest first. Raises StoreUnavailable."""
        ...

    def rules(self, namespace: str | None) -> list[RuleStatus]:
        """Return rules, ordered by namespace and name."""
        ...

    def rule(self, namespace: str, name: str) -> RuleStatus:
        """Return a rule. Raises NotFound."""
        ...

    async def put_rule(self, rule: AlertRule) -> tuple[RuleStatus, Done]:
        """Let the rule be this. Raises InvalidSpec, NotFound, LimitExceeded, StoreUnavailable."""
        ...

    async def remove_rule(self, namespace: str, name: str) -> None:
        """Remove the rule; a default one is paused for good. Raises NotFound."""
        ...

    def silences(self, namespace: str | None) -> list[Silence]:
        """Return silences, the newest first."""
        ...

    async def silence(self, namespace: str, asked: SilenceRequest, who: str) -> Silence:
        """Have alerts told to nobody for a while. Raises InvalidSpec, NotFound, LimitExceeded."""
        ...

    async def end_silence(self, namespace: str | None, name: str) -> None:
        """Remove a silence. Raises NotFound."""
        ...

    def receivers(self, namespace: str | None) -> list[ReceiverStatus]:
        """Return receivers, ordered by namespace and name."""
        ...

    def receiver(self, namespace: str, name: str) -> ReceiverStatus:
        """Return a receiver. Raises NotFound."""
        ...

    async def put_receiver(self, receiver: Receiver, content: str | None) -> tuple[ReceiverStatus, Done]:
        """Let the receiver be this; `content` is its secret, None to leave that as it is.

        Raises InvalidSpec, NotFound, Forbidden, NotSupported, LimitExceeded, SecretsLocked, StoreUnavailable.
        """
        ...

    async def remove_receiver(self, namespace: str, name: str) -> None:
        """Remove the receiver and its secret. Raises NotFound."""
        ...

    async def test(self, namespace: str, name: str, who: str) -> str:
        """Send a receiver something; return what is to be told of it. Raises NotFound, Unavailable."""
        ...

    async def hear(self, namespace: str, message: TheirMessage) -> int:
        """Take in what an Alertmanager tells; return how many alerts were taken.

        Raises InvalidRequest, LimitExceeded for too many.
        """
        ...
