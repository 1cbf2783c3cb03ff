"""Run with pytest, in this folder."""

import asyncio

from handler import flow


class Context:
    """Answers calls as the functions would."""

    async def call(self, function, body=None, **_):
        assert function == "hello"
        return f"Hello, {body}!"

    def log(self, *_):
        pass


def test_nobody_is_fine():
    assert asyncio.run(flow(Context(), {"names": []})) == []


def test_everybody_is_greeted():
    assert asyncio.run(flow(Context(), {"names": ["Ann", "Bo"]})) == ["Hello, Ann!", "Hello, Bo!"]
