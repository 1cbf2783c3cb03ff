"""What both clients have for alerts. A namespace that is left empty is the credential's own, or the installation."""

from abc import ABC, abstractmethod
from typing import TypeVar

from dayfly.client import alert_calls as calls
from dayfly.client.calls import Call
from dayfly.model.alert import Alert, AlertRule, RuleStatus, Silence, SilenceRequest
from dayfly.model.alertmanager import TheirMessage
from dayfly.model.past_alert import PastAlert
from dayfly.model.receiver import Receiver, ReceiverStatus

T = TypeVar("T")


class Alerting(ABC):
    """The methods of the client for programs without asyncio."""

    @abstractmethod
    def _send(self, call: Call[T]) -> T:
        """Carry a call out."""

    def list_alerts(self, namespace: str = "") -> list[Alert]:
        """Return the alerts that are pending, firing, or resolved not long ago; those that fire come first."""
        return self._send(calls.list_alerts(namespace))

    def list_past_alerts(
        self, namespace: str = "", *, rule: str = "", since: str = "", limit: int = 100, before: int = 0
    ) -> list[PastAlert]:
        """Return alerts that fired, the newest first: of a rule, and since a time or a duration before now."""
        return self._send(calls.list_past_alerts(namespace, rule, since, limit, before))

    def hear_alerts(self, message: TheirMessage, *, namespace: str = "") -> int:
        """Have alerts of another system shown and told of, as its Alertmanager posts them; return how many.

        Raises InvalidRequest, LimitExceeded.
        """
        return self._send(calls.hear_alerts(message, namespace))

    def list_alert_rules(self, namespace: str = "") -> list[RuleStatus]:
        """Return the rules ordered by name, and how each does."""
        return self._send(calls.list_rules(namespace))

    def get_alert_rule(self, name: str, *, namespace: str = "") -> RuleStatus:
        """Return one rule. Raises NotFound."""
        return self._send(calls.get_rule(name, namespace))

    def put_alert_rule(self, rule: AlertRule) -> RuleStatus:
        """Watch this from now on, new or not. Raises InvalidSpec, LimitExceeded."""
        return self._send(calls.put_rule(rule))

    def remove_alert_rule(self, name: str, *, namespace: str = "") -> None:
        """Remove a rule; one that is there from the start is paused. Raises NotFound."""
        self._send(calls.remove_rule(name, namespace))

    def list_silences(self, namespace: str = "") -> list[Silence]:
        """Return the silences, the newest first."""
        return self._send(calls.list_silences(namespace))

    def add_silence(self, asked: SilenceRequest, *, namespace: str = "") -> Silence:
        """Have the alerts that all matchers fit told to nobody for a while. Raises InvalidSpec."""
        return self._send(calls.add_silence(asked, namespace))

    def end_silence(self, name: str, *, namespace: str = "") -> None:
        """End a silence. Raises NotFound."""
        self._send(calls.end_silence(name, namespace))

    def list_receivers(self, namespace: str = "") -> list[ReceiverStatus]:
        """Return the receivers ordered by name, and how each does."""
        return self._send(calls.list_receivers(namespace))

    def get_receiver(self, name: str, *, namespace: str = "") -> ReceiverStatus:
        """Return one receiver. Raises NotFound."""
        return self._send(calls.get_receiver(name, namespace))

    def put_receiver(self, receiver: Receiver, *, secret: str | None = None) -> ReceiverStatus:
        """Tell them from now on, new or not; without a `secret` that stays as it is. Raises InvalidSpec, Forbidden."""
        return self._send(calls.put_receiver(receiver, secret))

    def remove_receiver(self, name: str, *, namespace: str = "") -> None:
        """Remove a receiver, and its secret. Raises NotFound."""
        self._send(calls.remove_receiver(name, namespace))

    def test_receiver(self, name: str, *, namespace: str = "") -> str:
        """Send a receiver a test; return what there is to tell of it. Raises NotFound, Unavailable."""
        return self._send(calls.test_receiver(name, namespace)).trouble


class AsyncAlerting(ABC):
    """The methods of the client for asyncio."""

    @abstractmethod
    async def _send(self, call: Call[T]) -> T:
        """Carry a call out."""

    async def list_alerts(self, namespace: str = "") -> list[Alert]:
        """Return the alerts that are pending, firing, or resolved not long ago; those that fire come first."""
        return await self._send(calls.list_alerts(namespace))

    async def list_past_alerts(
        self, namespace: str = "", *, rule: str = "", since: str = "", limit: int = 100, before: int = 0
    ) -> list[PastAlert]:
        """Return alerts that fired, the newest first: of a rule, and since a time or a duration before now."""
        return await self._send(calls.list_past_alerts(namespace, rule, since, limit, before))

    async def hear_alerts(self, message: TheirMessage, *, namespace: str = "") -> int:
        """Have alerts of another system shown and told of, as its Alertmanager posts them; return how many.

        Raises InvalidRequest, LimitExceeded.
        """
        return await self._send(calls.hear_alerts(message, namespace))

    async def list_alert_rules(self, namespace: str = "") -> list[RuleStatus]:
        """Return the rules ordered by name, and how each does."""
        return await self._send(calls.list_rules(namespace))

    async def get_alert_rule(self, name: str, *, namespace: str = "") -> RuleStatus:
        """Return one rule. Raises NotFound."""
        return await self._send(calls.get_rule(name, namespace))

    async def put_alert_rule(self, rule: AlertRule) -> RuleStatus:
        """Watch this from now on, new or not. Raises InvalidSpec, LimitExceeded."""
        return await self._send(calls.put_rule(rule))

    async def remove_alert_rule(self, name: str, *, namespace: str = "") -> None:
        """Remove a rule; one that is there from the start is paused. Raises NotFound."""
        await self._send(calls.remove_rule(name, namespace))

    async def list_silences(self, namespace: str = "") -> list[Silence]:
        """Return the silences, the newest first."""
        return await self._send(calls.list_silences(namespace))

    async def add_silence(self, asked: SilenceRequest, *, namespace: str = "") -> Silence:
        """Have the alerts that all matchers fit told to nobody for a while. Raises InvalidSpec."""
        return await self._send(calls.add_silence(asked, namespace))

    async def end_silence(self, name: str, *, namespace: str = "") -> None:
        """End a silence. Raises NotFound."""
        await self._send(calls.end_silence(name, namespace))

    async def list_receivers(self, namespace: str = "") -> list[ReceiverStatus]:
        """Return the receivers ordered by name, and how each does."""
        return await self._send(calls.list_receivers(namespace))

    async def get_receiver(self, name: str, *, namespace: str = "") -> ReceiverStatus:
        """Return one receiver. Raises NotFound."""
        return await self._send(calls.get_receiver(name, namespace))

    async def put_receiver(self, receiver: Receiver, *, secret: str | None = None) -> ReceiverStatus:
        """Tell them from now on, new or not; without a `secret` that stays as it is. Raises InvalidSpec, Forbidden."""
        return await self._send(calls.put_receiver(receiver, secret))

    async def remove_receiver(self, name: str, *, namespace: str = "") -> None:
        """Remove a receiver, and its secret. Raises NotFound."""
        await self._send(calls.remove_receiver(name, namespace))

    async def test_receiver(self, name: str, *, namespace: str = "") -> str:
        """Send a receiver a test; return what there is to tell of it. Raises NotFound, Unavailable."""
        return (await self._send(calls.test_receiver(name, namespace))).trouble
