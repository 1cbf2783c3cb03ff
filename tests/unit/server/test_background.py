"""Jobs in the background: they end when they are told to, and never without a word."""

import asyncio

import pytest

from dayfly.server.background import Background


def test_jobs_run_until_they_are_stopped() -> None:
    ended: list[str] = []

    async def job() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("job")

    async def main() -> None:
        background = Background(job, job)
        background.start()
        await asyncio.sleep(0)
        assert ended == []
        await background.stop()
        await background.stop()

    asyncio.run(main())
    assert ended == ["job", "job"]


def test_one_that_ends_by_itself_is_told(caplog: pytest.LogCaptureFixture) -> None:
    async def broken() -> None:
        raise KeyError("nobody foresaw it")

    async def main() -> None:
        background = Background(broken)
        background.start()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        await background.stop()

    asyncio.run(main())
    assert "bug: what goes on in the background has ended" in caplog.text
    assert "nobody foresaw it" in caplog.text


def test_what_was_never_begun_is_stopped_too() -> None:
    asyncio.run(Background().stop())
