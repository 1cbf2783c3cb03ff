"""Chats, telephones and a hundred others, through the library apprise, which is imported when it is needed.

It connects to wherever its URLs say, by ways of its own that nothing of ours judges. So only the installation's
receivers are of this kind.
"""

import asyncio
import importlib.util
import logging

from dayfly.model.errors import Forbidden, NotSupported
from dayfly.model.notice import Letter
from dayfly.model.receiver import AppriseTarget, Receiver
from dayfly.observe.alerts.way import NotSent

MISSING = "The library apprise is not installed, which such receivers need: pip install 'dayfly[notify]'"


def check_chat(receiver: Receiver) -> None:
    """Refuse a receiver that cannot be served here. Raises Forbidden, NotSupported."""
    if not isinstance(receiver.target, AppriseTarget):
        return
    if receiver.namespace:
        raise Forbidden(
            "A namespace's own receiver cannot be of the kind apprise: what it connects to is not judged by anybody",
            hint="Take email, slack or webhook; or name one in a rule that the installation's administrator made.",
        )
    if importlib.util.find_spec("apprise") is None:
        raise NotSupported(MISSING)


async def send_chat(urls: str, letter: Letter) -> None:
    """Send a letter to all URLs, one a line. Raises NotSent."""
    await asyncio.to_thread(_send, urls, letter)


def _send(urls: str, letter: Letter) -> None:
    try:
        import apprise
    except ImportError:
        raise NotSent(MISSING) from None
    logging.getLogger("apprise").setLevel(logging.CRITICAL)  # it would log URLs, which hold keys
    target = apprise.Apprise()
    for number, url in enumerate(filter(None, (line.strip() for line in urls.splitlines())), start=1):
        if not target.add(url):
            raise NotSent(f"apprise does not understand URL {number} of the secret; its documentation lists them")
    if not len(target):
        raise NotSent("the secret holds no URL")
    if not target.notify(title=letter.title, body=letter.text, body_format=apprise.NotifyFormat.TEXT):
        raise NotSent("apprise could not send it; the services that its URLs name did not take it")
