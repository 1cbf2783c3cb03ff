"""What the parts said is read, the newest lines of one, and followed from one file into the next."""

import asyncio
from contextlib import aclosing
from pathlib import Path

import msgspec

from dayfly.runtimes.log_event import event, json_line
from dayfly.server.parts_log import FILE, PartsLog
from dayfly.server.parts_reading import PartsReader


def line(process: str, text: str) -> str:
    return json_line(event(1_700_000_000_250, "info", process, "dayfly.x", text))


def read(folder: Path, part: str, tail: int = -1) -> list[str]:
    async def main() -> list[str]:
        return [each.text async for each in PartsReader(folder).lines(part, tail=tail, follow=False)]

    return asyncio.run(main())


def test_one_parts_newest_lines_are_told(tmp_path: Path) -> None:
    kept = PartsLog(tmp_path, most_bytes=2000)
    for number in range(20):
        kept.keep(line("gw0.1" if number % 2 else "gw0", f"n{number}"))
        kept.keep(line("control", "other"))
    assert read(tmp_path, "gw0", 3) == ["n17", "n18", "n19"]
    assert "n17" in read(tmp_path, "gw0")
    assert read(tmp_path, "gw0", 0) == []
    assert read(tmp_path, "gw1") == []
    reader = PartsReader(tmp_path)
    assert (reader.has("gw0"), reader.has("control"), reader.has("gw")) == (True, True, False)
    assert not PartsReader(tmp_path / "none").has("control")


def test_lines_to_come_are_told_over_the_change_of_files(tmp_path: Path) -> None:
    kept = PartsLog(tmp_path, most_bytes=600)

    async def main() -> list[str]:
        found: list[str] = []
        kept.keep(line("control", "0"))
        async with asyncio.timeout(60), aclosing(PartsReader(tmp_path).lines("control", tail=-1, follow=True)) as lines:
            async for each in lines:
                found.append(each.text)
                if len(found) == 12:
                    break
                kept.keep(line("queue", "none of its"))
                kept.keep(line("control", str(len(found))))
        return found

    assert asyncio.run(main()) == [str(number) for number in range(12)]


def test_a_line_has_its_time_its_call_and_its_traceback(tmp_path: Path) -> None:
    call = "5e0f3c1a-7d52-4b8e-9a3f-0123456789ab"
    said = event(1_700_000_000_250, "error", "control", "dayfly.x", f"broke call={call}") | {"traceback": "Trace"}
    (tmp_path / FILE).write_text("{half\n" + json_line(said) + "\n" + '{"a": 1}\n')

    async def main() -> object:
        (found,) = [each async for each in PartsReader(tmp_path).lines("control", tail=-1, follow=False)]
        return msgspec.to_builtins(found)

    assert asyncio.run(main()) == {
        "unix_ns": 1_700_000_000_250_000_000, "part": "control", "level": "error", "logger": "dayfly.x",
        "text": f"broke call={call}\nTrace", "call_id": call,
    }  # fmt: skip
