"""A consumer group: who is in it, and the rounds in which its members agree on who reads what."""

import asyncio
import uuid

UNKNOWN_MEMBER, ILLEGAL_GENERATION, REBALANCING = 25, 22, 27
Joined = tuple[int, int, str, str, str, list[tuple[str, bytes]]]
Synced = tuple[int, bytes]


class _Member:
    def __init__(self, protocols: list[tuple[str, bytes]], silence_s: float) -> None:
        self.protocols = protocols
        self.silence_s = silence_s
        self.joining: asyncio.Future[Joined] | None = None
        self.syncing: asyncio.Future[Synced] | None = None
        self.timer: asyncio.TimerHandle | None = None


class Group:
    """The coordinator's side of KIP-62."""

    def __init__(self) -> None:
        self._members: dict[str, _Member] = {}
        self._generation = 0
        self._is_joining = False
        self._assignments: dict[str, bytes] | None = None

    def close(self) -> None:
        """Forget the members."""
        for name in list(self._members):
            self._forget(name)

    def why_not(self, name: str, generation: int) -> int:
        """Return the error for who is not a member of this generation, or 0."""
        if generation < 0 and not self._members:
            return 0
        if name not in self._members:
            return UNKNOWN_MEMBER
        self._heard(name)
        return 0 if generation == self._generation else ILLEGAL_GENERATION

    def beat(self, name: str, generation: int) -> int:
        """Return what a heartbeat is told."""
        return self.why_not(name, generation) or (REBALANCING if self._is_joining else 0)

    async def join(self, name: str, protocols: list[tuple[str, bytes]], silence_s: float) -> Joined:
        """Return once all members have joined, or are forgotten."""
        if name and name not in self._members:
            return UNKNOWN_MEMBER, -1, "", "", "", []
        name = name or f"member-{uuid.uuid4().hex}"
        member = self._members.setdefault(name, _Member(protocols, silence_s))
        member.protocols = protocols
        member.joining = asyncio.get_running_loop().create_future()
        self._is_joining, self._assignments = True, None
        for each in self._members.values():
            if each.syncing is not None and not each.syncing.done():
                each.syncing.set_result((REBALANCING, b""))
        self._heard(name)
        self._complete()
        return await member.joining

    async def sync(self, name: str, generation: int, assignments: dict[str, bytes]) -> Synced:
        """Return the member's part, once the leader has said it."""
        if error := self.beat(name, generation):
            return error, b""
        if assignments:
            self._assignments = assignments
            for each, member in self._members.items():
                if member.syncing is not None and not member.syncing.done():
                    member.syncing.set_result((0, assignments.get(each, b"")))
        if self._assignments is not None:
            return 0, self._assignments.get(name, b"")
        syncing: asyncio.Future[Synced] = asyncio.get_running_loop().create_future()
        self._members[name].syncing = syncing
        return await syncing

    def leave(self, name: str) -> None:
        """Have the others agree without it."""
        if name in self._members:
            self._forget(name)
            self._is_joining = bool(self._members)
            self._complete()

    def _complete(self) -> None:
        joining = [each.joining for each in self._members.values()]
        if not self._is_joining or not joining or not all(each is not None and not each.done() for each in joining):
            return
        self._is_joining = False
        self._generation += 1
        leader = next(iter(self._members))
        protocol = self._members[leader].protocols[0][0]
        everybody = [(name, dict(member.protocols)[protocol]) for name, member in self._members.items()]
        for name, member in self._members.items():
            assert member.joining is not None
            others = everybody if name == leader else []
            member.joining.set_result((0, self._generation, protocol, leader, name, others))

    def _heard(self, name: str) -> None:
        member = self._members[name]
        if member.timer is not None:
            member.timer.cancel()
        member.timer = asyncio.get_running_loop().call_later(member.silence_s, self.leave, name)

    def _forget(self, name: str) -> None:
        member = self._members.pop(name)
        if member.timer is not None:
            member.timer.cancel()
        for waiting in (member.joining, member.syncing):
            if waiting is not None and not waiting.done():
                waiting.cancel()
