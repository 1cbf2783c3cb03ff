"""One function that is being written: deployed anew whenever it was saved, and its log followed.

A save during a deployment does not wait for it: the newer one is deployed over it. A revision that does not start is
given up at once, so that the one before it goes on alone and the platform does not try the broken one again and again;
where there is none before it, the platform keeps trying, and what it says of that is told once.

What stays behind on a platform that was there before is deployed once more as it would be by hand.
"""

import asyncio
import time
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from dayfly.cli.local_secrets import read_secrets
from dayfly.cli.loop.debugging import Adapter
from dayfly.cli.loop.screen import Screen
from dayfly.cli.loop.watch import Change
from dayfly.cli.waiting import failure, is_settled, state_of
from dayfly.client.asynchronous import AsyncClient
from dayfly.client.building import build
from dayfly.client.stack_function import StackFunction
from dayfly.client.stack_triggers import settle_triggers_while_writing
from dayfly.model.debug import Debug
from dayfly.model.errors import Conflict, DayflyError, NotFound, Unauthenticated, Unavailable
from dayfly.model.function import FunctionSpec
from dayfly.model.names import DEFAULT_NAMESPACE
from dayfly.model.status import FunctionStatus
from dayfly.model.trigger import TriggerSpec

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.02, 0.25
_AGAIN_S = 1.0
"""How long to leave a platform alone that did not answer."""
_STALE_S = 60.0
"""A file saved longer ago than this was not saved just now: its time was set by whoever put it there."""


class Written:
    """A function and what was deployed of it. `run` it for as long as it is being written."""

    def __init__(
        self,
        one: StackFunction,
        client: AsyncClient,
        screen: Screen,
        adapter: Adapter | None = None,
        secrets: Path | None = None,
        *,
        is_final: bool = False,
        has_triggers: bool = False,
    ) -> None:
        self.one = one
        self.good: FunctionSpec | None = None
        """What answered last, as it would be deployed by hand."""
        self.was_there = True
        """Whether the platform had a function of this name before."""
        self._client = client
        self._screen = screen
        self._adapter = adapter
        self._secrets = secrets
        """The folder to give the platform the function's secrets from, if that is ours to do."""
        self._is_final = is_final
        """Whether no other save follows that could mend what cannot be deployed."""
        self._has_triggers = has_triggers
        """Whether the stack file's triggers are kept in step too."""
        self._triggers: tuple[TriggerSpec, ...] | None = None
        """What was done of them last."""
        self._given: dict[str, bytes] = {}
        self._tried: FunctionSpec | None = None
        self._is_under_way = False
        self._settling = True
        """Whether what the platform says of it is about a start whose end is told otherwise."""
        self._due = asyncio.Event()
        self._change: Change | None = None
        self._since = ""
        self._deployed = asyncio.Event()
        self._complaint = ""

    @property
    def name(self) -> str:
        """The function's name."""
        return self.one.spec.name

    @property
    def url(self) -> str:
        """Where to call it, through the gateway that we reached."""
        namespace = self.one.spec.namespace
        return f"{self._client.url}/function/{self.name}{'' if namespace == DEFAULT_NAMESPACE else f'.{namespace}'}"

    def saved(self, change: Change | None = None) -> None:
        """Deploy it as it is now."""
        self._change = change or self._change
        self._due.set()

    async def run(self) -> None:
        """Deploy whatever is saved, until cancelled.

        Raises Unauthenticated when the platform knows us no longer, and of one that is final what cannot be deployed.
        """
        try:
            await self._client.get_function(self.name, namespace=self.one.spec.namespace)
        except NotFound:
            self.was_there = False
        while True:
            await self._due.wait()
            self._due.clear()
            change, self._change = self._change, None
            try:
                await self._deploy(change, time.monotonic())
            except Unauthenticated:
                raise
            except Unavailable as error:
                self._complain(error)
                await asyncio.sleep(_AGAIN_S)
                self._tried = None
                self._due.set()
            except DayflyError as error:
                if self._is_final:
                    raise
                self._complain(error)
            finally:
                self._screen.rest()

    async def follow(self) -> None:
        """Print what it prints, until cancelled."""
        await self._deployed.wait()
        while True:
            try:
                await self._follow()
            except Unavailable:
                # Whoever deploys tells of it.
                self._says("the log cannot be followed now")
            except NotFound:
                self._screen.tell(self.name, "somebody removed it; the next save deploys it again")
                self._deployed.clear()
                await self._deployed.wait()
            await asyncio.sleep(_AGAIN_S)

    async def leave(self) -> None:
        """Leave it on the platform as it would be deployed by hand, or as it was before when it never answered."""
        if self.good is not None:
            await self._client.deploy(self.good)
            self._screen.tell(self.name, f"stays deployed, without tracebacks in its answers: {self.url}")
        elif not self.was_there and self._tried is not None:
            await self.remove()
        elif self._is_under_way:
            found = await self._client.get_function(self.name, namespace=self.one.spec.namespace)
            if found.spec.debug is not None:  # else the deployment never got there, or another came after it
                await self._take_back()

    async def remove(self) -> None:
        """Take it away; it may be gone already."""
        try:
            await self._client.remove(self.name, namespace=self.one.spec.namespace)
        except NotFound:
            return
        self._screen.tell(self.name, "removed")

    async def _deploy(self, change: Change | None, began: float) -> None:
        one = self.one
        await self._give_secrets()
        bundle = None
        if not one.has_image:
            bundle = await asyncio.to_thread(build, one.source, one.spec.image, self._says)
        plain = msgspec.structs.replace(one.spec, bundle=bundle.digest if bundle is not None else "")
        if plain == self._tried and bundle is not None:  # an image is another although it is called the same
            if self._complaint:
                self._complaint = ""
                self._screen.tell(self.name, "is again what was deployed last")
            if self.good == plain:
                await self._settle_triggers()
            return
        self._tried, self._settling = plain, True
        self._says("deploying")
        if bundle is not None:
            await self._client.upload(bundle, namespace=one.spec.namespace)
        spec = msgspec.structs.replace(plain, debug=Debug(source=str(one.folder.resolve())))
        if self._adapter is not None:
            spec = await self._adapter.attach(spec)
        self._is_under_way = True
        status = await self._client.deploy(spec)
        self._complaint = ""
        if not self._deployed.is_set():
            self._since = _rfc3339(status.updated_unix_ms * 1_000_000)
            self._deployed.set()
        settled = await self._settle(status)
        self._is_under_way = False
        if settled is not None:
            self.good, self._settling = plain, False
            self._screen.tell(self.name, self._success(settled, change, began), good=True)
            await self._settle_triggers()

    async def _settle_triggers(self) -> None:
        """Let the platform have the triggers as the stack file has them, if that has changed."""
        wanted = self.one.triggers
        if not self._has_triggers or wanted is None or wanted == self._triggers:
            return
        await settle_triggers_while_writing(self._client, self.one.spec, wanted)
        if wanted or self._triggers:
            self._screen.tell(self.name, f"triggers: {', '.join(each.name for each in wanted) or 'none any more'}")
        self._triggers = wanted

    async def _give_secrets(self) -> None:
        """Let the platform have the secrets as they are now. Raises InvalidRequest naming one that is not there."""
        if self._secrets is None:
            return
        for name, content in read_secrets(self.one.spec.secrets, self._secrets).items():
            if self._given.get(name) != content:
                await self._client.put_secret(name, content, namespace=self.one.spec.namespace)
                self._given[name] = content

    def _says(self, what: str) -> None:
        self._screen.wait(self.name, what)

    async def _settle(self, status: FunctionStatus) -> FunctionStatus | None:
        """Return the status once the revision answers; None when a newer save, or somebody else, took its place."""
        revision, pause_s = status.revision, _FIRST_PAUSE_S
        while not is_settled(status, revision):
            if state_of(status) == "failing":
                await self._give_up(status)
                return None
            if self._due.is_set():
                return None
            self._says(state_of(status))
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 1.5, _LONGEST_PAUSE_S)
            status = await self._client.get_function(self.name, namespace=self.one.spec.namespace)
        return status if status.revision == revision else None

    async def _give_up(self, status: FunctionStatus) -> None:
        error = failure(status)
        error.hint = ""
        if status.rollout is None:
            self._screen.lament(self.name, error, "nothing answers yet; save it again once it is mended")
            return
        self._screen.lament(self.name, error, f"revision {status.rollout.serving} goes on answering")
        await self._take_back()

    async def _take_back(self) -> None:
        """End the rollout under way; the revision before it goes on."""
        try:
            await self._client.rollback(self.name, namespace=self.one.spec.namespace)
        except Conflict:
            # It ended in this moment by itself, or somebody deployed over it.
            return

    def _success(self, status: FunctionStatus, change: Change | None, began: float) -> str:
        took_s = time.monotonic() - began
        if change is None:
            return f"revision {status.revision} answers at {self.url} ({took_s:.2f} s)"
        what = change.files[0] if len(change.files) == 1 else f"{len(change.files)} files"
        since_s = time.time() - change.saved_unix_s
        took_s = since_s if took_s <= since_s < _STALE_S else took_s
        return f"revision {status.revision} answers, {took_s:.2f} s after {what} was saved"

    def _complain(self, error: DayflyError) -> None:
        if error.message != self._complaint:
            self._complaint = error.message
            self._screen.lament(self.name, error)

    async def _follow(self) -> None:
        lines = self._client.logs(self.name, namespace=self.one.spec.namespace, since=self._since, follow=True)
        async for line in lines:
            self._since = _rfc3339(line.unix_ns + 1)
            if not (self._settling and line.stream == "platform"):
                self._screen.log(line)


def _rfc3339(unix_ns: int) -> str:
    seconds, rest = divmod(unix_ns, 1_000_000_000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest:09d}Z"
