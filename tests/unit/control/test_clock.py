"""The two clocks keep the same promises."""

import asyncio

from dayfly.control.clock import ManualClock, SystemClock


def test_manual_timers_run_in_order_each_at_its_moment() -> None:
    clock, seen = ManualClock(now=10.0), []
    clock.call_at(12.0, lambda: seen.append(("b", clock.now())))
    clock.call_at(11.0, lambda: seen.append(("a", clock.now())))
    clock.call_at(11.5, lambda: seen.append(("never", 0.0))).cancel()
    clock.advance(1.9)
    assert seen == [("a", 11.0)]
    clock.advance(0.1)
    assert seen == [("a", 11.0), ("b", 12.0)]


def test_manual_timers_may_set_timers() -> None:
    clock, seen = ManualClock(), []
    start = clock.now()

    def again() -> None:
        clock.call_at(start + 2, lambda: seen.append(clock.now()))

    clock.call_at(start + 1, again)
    clock.advance(5)
    assert seen == [start + 2]


def test_manual_time_of_day_moves_along() -> None:
    clock = ManualClock(unix_ms=5_000)
    clock.advance(1.5)
    assert clock.unix_ms() == 6_500


def test_the_system_clock_calls_back_and_never_before_its_time() -> None:
    async def main() -> None:
        clock, called = SystemClock(), asyncio.Event()
        cancelled = clock.call_at(clock.now(), lambda: called.set())
        cancelled.cancel()
        await asyncio.sleep(0)
        assert not called.is_set()
        clock.call_at(clock.now() - 1, called.set)
        async with asyncio.timeout(60):
            await called.wait()
        assert clock.unix_ms() > 1_600_000_000_000

    asyncio.run(main())
