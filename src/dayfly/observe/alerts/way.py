"""The way to a receiver's server: judged on the address that is connected to (threat T9).

A namespace's receivers obey the rules that functions' connections and callbacks obey, whatever a name says; the
installation's may lead anywhere, this machine included, since who writes them may do anything. No redirect is followed,
no proxy is used, and of an answer nothing but its status is looked at.
"""

import asyncio
import functools
import ssl
from collections.abc import Mapping

from dayfly.model.errors import InvalidRequest
from dayfly.queue.callback import Target, parse_callback, post
from dayfly.queue.trust import Trust
from dayfly.runtimes.jail.egress.dial import Refused, Streams, dial
from dayfly.runtimes.jail.egress.lookups import Lookups, Unreachable
from dayfly.runtimes.jail.egress.policy import Rules, literal

TIMEOUT_S = 20.0
ANYWHERE = ("0.0.0.0/0", "[::/0]")


class NotSent(Exception):
    """It was not taken; the text says why, and never what a secret holds."""


class Way:
    """Connects and posts. Raises InvalidSpec when `allow` cannot be read; `tls` is whom to trust."""

    def __init__(
        self, allow: tuple[str, ...], tls: ssl.SSLContext | None = None, lookups: Lookups | None = None
    ) -> None:
        self._of_namespaces = Rules(allow)
        self._of_all = Rules(ANYWHERE)
        self._lookups = lookups or Lookups()
        self.trust = Trust(tls)

    async def addresses(self, namespace: str, host: str, port: int) -> list[str]:
        """Return the addresses of a host that the namespace's receivers may connect to, at least one.

        Raises NotSent.
        """
        rules = self._rules(namespace)
        try:
            spelled = literal(host.strip("[]").lower())
            found = [spelled] if spelled is not None else await self._lookups.find(_who(namespace), host, port)
        except (Unreachable, ValueError) as fault:
            raise NotSent(f"{fault}") from None
        refusals = {address: why for address in found if (why := rules.judge(host.lower(), address, port))}
        allowed = [str(address) for address in found if address not in refusals]
        if not allowed:
            raise NotSent(next(iter(refusals.values()), f"{host} has no address"))
        return allowed

    async def post(self, namespace: str, url: str, body: bytes, headers: Mapping[str, str], *, told: str = "") -> None:
        """Post a body once; `told` stands for the URL where that is a secret. Raises NotSent."""
        try:
            target = parse_callback(url)
        except InvalidRequest as why:
            raise NotSent(str(why).removeprefix("X-Callback-Url: ")) from None
        place = told or target.authority
        try:
            async with asyncio.timeout(TIMEOUT_S):
                status = await self._post(namespace, target, body, headers)
        except (Refused, Unreachable) as why:
            raise NotSent(f"{place}: {why}" if told == "" else f"{place} cannot be reached") from None
        except TimeoutError:
            raise NotSent(f"{place} did not answer within {TIMEOUT_S:g} s") from None
        except (OSError, ssl.SSLError, asyncio.IncompleteReadError) as fault:
            raise NotSent(f"{place}: {fault}") from None
        if not 200 <= status < 300:
            raise NotSent(f"{place} answered {status}" if status else f"{place} did not answer in HTTP")

    async def _post(self, namespace: str, target: Target, body: bytes, headers: Mapping[str, str]) -> int:
        streams = await self._dial(namespace, target)
        return await post(streams, target, self.trust, head(target, headers, len(body)), body)

    async def _dial(self, namespace: str, target: Target) -> Streams:
        look_up = functools.partial(self._lookups.find, _who(namespace))
        return await dial(self._rules(namespace), look_up, target.host, target.port)

    def _rules(self, namespace: str) -> Rules:
        return self._of_namespaces if namespace else self._of_all


def head(target: Target, headers: Mapping[str, str], length: int) -> bytes:
    """Return the head of a post. A header that is none is left out: secrets of people end up in them."""
    lines = [f"POST {target.path} HTTP/1.1", f"Host: {target.authority}", "Connection: close", "User-Agent: dayfly"]
    lines += [f"{name}: {value}" for name, value in headers.items() if value.isascii() and value.isprintable()]
    return "\r\n".join([*lines, f"Content-Length: {length}", "", ""]).encode("ascii")


def _who(namespace: str) -> str:
    return f"receivers of {namespace}"
