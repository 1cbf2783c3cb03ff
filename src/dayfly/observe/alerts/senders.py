"""Sending: one notice or report to one receiver, in the way that its kind has."""

from collections.abc import Awaitable, Callable

import msgspec

from dayfly.decide.signatures import key_of, sign_standard
from dayfly.model.notice import Letter, Notice
from dayfly.model.receiver import AlertmanagerTarget, AppriseTarget, EmailTarget, Receiver, SlackTarget, WebhookTarget
from dayfly.observe.alerts import text
from dayfly.observe.alerts.chats import send_chat
from dayfly.observe.alerts.ports import Clock
from dayfly.observe.alerts.way import NotSent, Way

_JSON = {"Content-Type": "application/json"}


class Senders:
    """Sends; `secret_of` gives what a receiver keeps secret."""

    def __init__(self, way: Way, secret_of: Callable[[Receiver], Awaitable[str]], clock: Clock) -> None:
        self._way = way
        self._secret_of = secret_of
        self._clock = clock

    async def tell(self, receiver: Receiver, notice: Notice) -> str:
        """Send a notice once; return what is to be told of it though it was taken. Raises NotSent, DayflyError."""
        match receiver.target:
            case WebhookTarget(url=url):
                await self._webhook(receiver, url, notice.id, text.webhook_body(notice))
            case AlertmanagerTarget(url=url, format="webhook"):
                await self._authorized(receiver, url, text.alertmanager_body(notice))
            case AlertmanagerTarget(url=url):
                address = f"{url.rstrip('/')}/api/v2/alerts"
                await self._authorized(receiver, address, text.alertmanager_alerts(notice))
            case _:
                return await self.post(receiver, text.letter_of(notice))
        return ""

    async def post(self, receiver: Receiver, letter: Letter) -> str:
        """Send a letter once; return what is to be told of it though it was taken. Raises NotSent, DayflyError."""
        secret = await self._secret_of(receiver)
        match receiver.target:
            case EmailTarget() as target:
                # What mail takes in memory (0.8 MiB) is for who sends some.
                from dayfly.observe.alerts.mail import send_mail

                return await send_mail(self._way, receiver.namespace, target, secret, letter)
            case SlackTarget():
                body = msgspec.json.encode(text.slack_body(letter))
                await self._way.post(receiver.namespace, secret.strip(), body, _JSON, told="the URL of the secret")
            case AppriseTarget():
                await send_chat(secret, letter)
            case WebhookTarget(url=url):
                told = {"id": letter.id, "type": "report", "title": letter.title, "text": letter.text}
                await self._webhook(receiver, url, letter.id, told | {"html": letter.html})
            case _:
                raise NotSent("an Alertmanager takes alerts, and no reports")
        return ""

    async def _webhook(self, receiver: Receiver, url: str, name: str, told: object) -> None:
        secret, body = await self._secret_of(receiver), msgspec.json.encode(told)
        now_s = self._clock.unix_ms() // 1000
        signed = {"Webhook-Id": name, "Webhook-Timestamp": str(now_s)}
        if secret:
            signed = sign_standard(key_of("standard-webhooks", secret.strip()), name, now_s, body)
        await self._way.post(receiver.namespace, url, body, _JSON | signed)

    async def _authorized(self, receiver: Receiver, url: str, told: object) -> None:
        secret = await self._secret_of(receiver)
        token = {"Authorization": f"Bearer {secret.strip()}"} if secret else {}
        await self._way.post(receiver.namespace, url, msgspec.json.encode(told), _JSON | token)
