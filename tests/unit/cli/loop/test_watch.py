"""Noticing saves: what makes a change, how many looks it takes, and how often is looked."""

import asyncio
from collections.abc import Iterator
from itertools import chain, repeat

from dayfly.cli.loop.watch import LONGEST_UNREST_S, LOOK_S, SETTLE_S, Change, Looks, changes
from dayfly.client.walk import Fingerprint


def file(name: str, saved_ns: int = 1, inode: int = 1) -> tuple[str | int, ...]:
    return (name, inode, saved_ns, 10, 0o100644)


def told(
    looks: Iterator[Looks], known: Looks, count: int, *, price_s: float = 0.0
) -> tuple[list[dict[str, Change]], list[float]]:
    """Return the first changes told of a series of looks that take `price_s` each, and the pauses until then."""
    times = iter(number * price_s for number in range(10_000))
    pauses: list[float] = []
    found: list[dict[str, Change]] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    async def main() -> None:
        async for each in changes(lambda: next(looks), known, sleep=sleep, now=lambda: next(times)):
            found.append(each)
            if len(found) == count:
                return

    asyncio.run(main())
    return found, pauses


def of(*files: tuple[str | int, ...]) -> Looks:
    return {"hello": files}


OLD: Fingerprint = (file("handler.py"), file("lib.py"))


def test_a_save_is_told_once_two_looks_agree() -> None:
    new = of(file("handler.py", 2_500_000_000), file("lib.py"))
    found, pauses = told(iter([of(*OLD), new, new]), of(*OLD), 1)
    assert found == [{"hello": Change(("handler.py",), 2.5)}]
    assert pauses == [LOOK_S, LOOK_S, SETTLE_S]


def test_a_burst_of_saves_is_one_change() -> None:
    looks = [of(file("handler.py", n), file("lib.py", n)) for n in range(2, 8)]
    found, _ = told(chain(looks, repeat(looks[-1])), of(*OLD), 1)
    assert found == [{"hello": Change(("handler.py", "lib.py"), 7e-9)}]


def test_what_never_rests_is_told_all_the_same() -> None:
    endless = (of(file("handler.py", n)) for n in range(2, 10_000))
    found, pauses = told(endless, of(file("handler.py")), 2)
    assert len(found) == 2
    restless = [SETTLE_S] * round(LONGEST_UNREST_S / SETTLE_S)
    assert pauses == [LOOK_S, *restless, LOOK_S, *restless]


def test_what_was_written_and_taken_back_is_no_change() -> None:
    other = of(file("handler.py", 5), file("lib.py"))
    looks = [of(*OLD, file("4913")), of(*OLD), of(*OLD), other, other]
    found, _ = told(iter(looks), of(*OLD), 1)
    assert found == [{"hello": Change(("handler.py",), 5e-9)}]


def test_a_file_that_is_gone_and_one_that_came_are_named() -> None:
    new = of(file("handler.py"), file("other.py", 9_000_000_000))
    assert told(repeat(new), of(*OLD), 1)[0] == [{"hello": Change(("lib.py", "other.py"), 9.0)}]
    assert told(repeat(of(file("handler.py"))), of(*OLD), 1)[0] == [{"hello": Change(("lib.py",), 0.0)}]


def test_a_large_folder_is_looked_at_less_often() -> None:
    new = of(file("handler.py", 2))
    _, pauses = told(iter([of(*OLD), of(*OLD), new, new]), of(*OLD), 1, price_s=0.0625)
    assert pauses == [LOOK_S, 1.25, 1.25, SETTLE_S]


def test_each_function_has_a_change_of_its_own() -> None:
    before = {"one": OLD, "two": OLD, "gone": OLD}
    after = {"one": OLD, "two": (), "new": (file("handler.py", 3),)}
    found, _ = told(repeat(after), before, 1)
    assert set(found[0]) == {"two", "new"}
