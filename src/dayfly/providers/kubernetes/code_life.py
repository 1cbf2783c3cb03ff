"""A replica of code: a pod is found, its agent is given the order and the code, and tells what becomes of it.

The conversation with the agent stays open for the replica's whole life, so that its end is known at once and not when
the kubelet and the API server have passed it on. When it breaks it is begun again; meanwhile, and where it cannot be,
what the pod's status says counts.
"""

import asyncio
import contextlib
import hashlib
import logging
from collections.abc import Callable

import msgspec

from dayfly.cluster.kinds import POD
from dayfly.model.errors import DayflyError, Unavailable
from dayfly.model.replica import ReplicaStats, StartOrder
from dayfly.providers.kubernetes import choice, marks, pool, probe
from dayfly.providers.kubernetes.claims import Claims
from dayfly.providers.kubernetes.house import RETRY_S, House
from dayfly.providers.kubernetes.life import Life, whole_seconds
from dayfly.providers.kubernetes.output import AgentOutput
from dayfly.providers.kubernetes.pods import Pod, standing
from dayfly.providers.pod import archive, wire
from dayfly.providers.pod.seal import SealBroken

_log = logging.getLogger("dayfly.providers.kubernetes")

AGENT_S = 1.0
"""How long an agent's own account of an end is waited for when the pod's status tells of it first."""
LATE_S = 5.0
"""After its grace, how much later an agent may tell that its replica is gone before the pod is deleted."""
RECOVER_S = 5.0
READ_EVERY_S = 1.0


class CodeLife(Life):
    """The replica of `order` in a pod with an agent."""

    output: AgentOutput

    def __init__(self, order: StartOrder, house: House, claims: Claims, on_gone: Callable[[Life], None]) -> None:
        super().__init__(order, house, on_gone)
        self._claims = claims
        self.output = AgentOutput(house, self.order, self._read)
        self._agent: wire.Conversation | None = None
        self._name = ""
        """Its pod's name, once there is one."""
        self._uid = ""
        self._told = asyncio.Event()
        """Set when the agent has told of the end."""
        self._answers: list[asyncio.Future[wire.Use]] = []
        self._begun: asyncio.Task[None] | None = None
        self._acknowledging = False

    def begin(self, order: StartOrder) -> None:
        """Find a pod, and have the replica started there."""
        self._begun = self.spawn(self._begin(order))

    async def adopt(self, pod: Pod) -> None:
        """Take over the life in a pod that was claimed before; returns when it is known whether it is ready."""
        self.pod, self._name, self._uid = pod, pod.name, pod.metadata.uid
        settled = asyncio.Event()
        self.recovering = True
        self.spawn(self._keep(pod, settled))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(RECOVER_S):
                await settled.wait()
        self.recovering = False
        self.output.follow(self._name)

    def stop(self, grace_s: float) -> None:
        """Have the agent told; the pod is deleted when that does not help."""
        if self.over:
            return
        self.stopping = True
        if not self._name:
            if self._begun is not None:
                self._begun.cancel()
            self.finish("stopped", "stopped before it had started")
        else:
            self.spawn(self._stop(grace_s))

    async def stats(self) -> ReplicaStats | None:
        """Return what the agent says the replica uses. Raises Unavailable."""
        agent = self._agent
        if agent is None or self.over:
            return None
        answer: asyncio.Future[wire.Use] = asyncio.get_running_loop().create_future()
        self._answers.append(answer)
        await agent.say(wire.Ask())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(wire.CONNECT_S):
                use = await answer
                return ReplicaStats(use.cpu_s, use.memory_bytes) if use.memory_bytes else None
        return None

    async def close(self) -> None:
        """Tell how far the log was read, and let go."""
        if self._agent is not None and not self.over:
            with contextlib.suppress(DayflyError):
                await self._agent.say(wire.Read(self.output.read))
        await super().close()
        if self._agent is not None:
            await self._agent.close()

    async def let_go(self) -> None:
        """Delete the pod."""
        if self._agent is not None:
            await self._agent.close()
        if self._name:
            await self.house.remove(POD, self._name, grace_s=1, uid=self._uid)

    async def is_there(self, pod: Pod) -> bool:
        """Whether its agent takes connections."""
        return await probe.is_there(pod.status.pod_ip, self.house.site.pool.agent_port)

    async def last_reason(self) -> None:
        """Give the agent a moment: it knows more than a status."""
        if self._agent is not None:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._told.wait(), AGENT_S)

    # -- beginnings --------------------------------------------------------------------------------------------------

    async def _begin(self, order: StartOrder) -> None:
        try:
            if choice.fits(order, self.house.site.room):
                pod = await self._claims.claim(order)
            else:
                pod = await self._own_pod(order)
            self.pod, self._name, self._uid = pod, pod.name, pod.metadata.uid
            agent = await self._connect(pod)
            try:
                await self._give(agent, order)
            except BaseException:
                await agent.close()
                raise
            self._agent = agent  # only now: nothing that others have to say may come among the code
        except (DayflyError, OSError) as error:
            self.finish("start_failed", str(error))
            return
        self.output.follow(self._name)
        if self.stopping:
            return
        self.spawn(self._keep(pod, asyncio.Event(), agent))

    async def _own_pod(self, order: StartOrder) -> Pod:
        """Return a pod made for this order, once its agent is there. Raises DayflyError."""
        made = pool.own_pod(self.house.site.pool, order)
        made["metadata"]["namespace"] = self.house.site.namespace
        await self.house.connection.create(POD, made)
        self._name = made["metadata"]["name"]
        why = ""
        try:
            async with asyncio.timeout(self.house.site.start_s):
                while True:
                    pod = self.house.pods.get(self._name)
                    if pod is not None:
                        why = standing(pod).why
                        if pod.is_ready and pod.status.pod_ip:
                            return pod
                    await self.house.changed()
        except TimeoutError:
            waited = f"its pod was not there after {self.house.site.start_s:g}s"
            raise Unavailable(f"{waited}: {why or 'no reason is known'}") from None

    async def _connect(self, pod: Pod) -> wire.Conversation:
        key = pod.metadata.annotations.get(marks.AGENT) or await self._claims.key_of(pod)
        port, doubted = self.house.site.pool.agent_port, self.house.doubted
        try:
            agent = await wire.Conversation.begin(pod.status.pod_ip, port, self.house.key, key)
        except Unavailable:
            doubted.add(pod.spec.node_name)
            raise
        doubted.discard(pod.spec.node_name)
        return agent

    async def _give(self, agent: wire.Conversation, order: StartOrder) -> None:
        """Send the order and the code. Raises DayflyError, OSError."""
        await agent.say(wire.Claim(order))
        digest = hashlib.sha256()
        pieces = archive.pieces(order)
        while (piece := await asyncio.to_thread(next, pieces, b"")) != b"":
            digest.update(piece)
            await agent.say(wire.Code(piece))
        await agent.say(wire.Code(b"", digest.hexdigest()))

    # -- the conversation --------------------------------------------------------------------------------------------

    async def _keep(self, pod: Pod, settled: asyncio.Event, agent: wire.Conversation | None = None) -> None:
        """Hear the agent, attaching again whenever the connection breaks, until it tells of the end."""
        attempt = 0
        while not self.over:
            try:
                if agent is None:
                    self._agent = agent = await self._connect(pod)
                    await agent.say(wire.Attach(self.order.replica))
                self._agent = agent
                while True:
                    self._heard(await agent.hear_agent(), settled)
                    attempt = 0
            except (DayflyError, msgspec.DecodeError) as error:
                _log.debug("%s: the agent of %s is not heard now: %s", self.order.key, self._name, error)
                if isinstance(error, SealBroken) and not self.ready:
                    settled.set()
            if agent is not None:
                await agent.close()
            self._agent, agent = None, None
            if self._told.is_set():
                return
            await asyncio.sleep(RETRY_S[min(attempt, len(RETRY_S) - 1)])
            attempt += 1

    def _heard(self, message: wire.FromAgent, settled: asyncio.Event) -> None:
        match message:
            case wire.Taken():
                self.output.read = max(self.output.read, message.line)
                self.stopping = self.stopping or message.stopping
                # Whether it is ready comes right behind, if it is.
                asyncio.get_running_loop().call_later(0.2, settled.set)
            case wire.Ready():
                assert self.pod is not None
                self.is_ready(self.pod.at(self.house.site.pool.function_port), message.took_s)
                settled.set()
            case wire.Use():
                while self._answers:
                    answer = self._answers.pop(0)
                    if not answer.done():
                        answer.set_result(message)
                        break
            case wire.Exited():
                self._told.set()
                settled.set()
                self.spawn(self._ended(message))
            case wire.Refused():
                self._told.set()
                settled.set()
                self.finish("start_failed", f"its pod does not serve it: {message.why}")

    async def _ended(self, message: wire.Exited) -> None:
        await self.output.finish()
        self.finish(message.reason, message.detail)

    async def _stop(self, grace_s: float) -> None:
        with contextlib.suppress(DayflyError):
            if self._agent is not None:
                await self._agent.say(wire.Stop(grace_s))
                await asyncio.sleep(grace_s + LATE_S)
        await self.house.remove(POD, self._name, grace_s=whole_seconds(grace_s), uid=self._uid)

    def _read(self, _number: int) -> None:
        if not self._acknowledging:
            self._acknowledging = True
            self.spawn(self._acknowledge())

    async def _acknowledge(self) -> None:
        await asyncio.sleep(READ_EVERY_S)
        self._acknowledging = False
        if self._agent is not None:
            with contextlib.suppress(DayflyError):
                await self._agent.say(wire.Read(self.output.read))
