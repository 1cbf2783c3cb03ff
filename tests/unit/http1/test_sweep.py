"""Deadlines are looked at together."""

import asyncio

from dayfly.http1.sweep import NEVER, Sweep


class Member:
    def __init__(self, deadline: float) -> None:
        self.deadline = deadline
        self.expirations: list[float] = []

    def expired(self, now: float) -> None:
        self.expirations.append(now)


def test_only_what_is_overdue_expires() -> None:
    loop = asyncio.new_event_loop()
    try:
        sweep = Sweep(loop)
        early, late, never = Member(5), Member(10), Member(NEVER)
        for member in (early, late, never):
            sweep.add(member)
        sweep.look(7)
        assert (early.expirations, late.expirations, never.expirations) == ([7], [], [])
        sweep.discard(early)
        sweep.look(11)
        assert (early.expirations, late.expirations, never.expirations) == ([7], [11], [])
        sweep.close()
    finally:
        loop.close()


def test_it_ticks_while_it_has_members() -> None:
    async def main() -> None:
        ticked = asyncio.Event()

        class Ticking(Member):
            def expired(self, now: float) -> None:
                super().expired(now)
                ticked.set()

        now = 100.0
        sweep = Sweep(asyncio.get_running_loop(), lambda: now)
        sweep.add(Ticking(99))
        async with asyncio.timeout(60):
            await ticked.wait()
        sweep.close()

    asyncio.run(main())
