"""Functions by the thousand, written into a stopped platform's state: deploying one by one would start each once."""

import asyncio

import msgspec

from bench.instance import Dayfly
from dayfly.model.names import DEFAULT_NAMESPACE, FunctionKey, FunctionName
from dayfly.storage.sqlite import SqliteStore

_STORE_CHUNK = 200


def register(dayfly: Dayfly, pattern: str, number: int) -> None:
    """Write `number` functions like the one named `pattern` into the state of `dayfly`, which does not run."""
    asyncio.run(_register(dayfly, pattern, number))


async def _register(dayfly: Dayfly, name: str, number: int) -> None:
    store = SqliteStore(dayfly.data_dir / "state.db")
    await store.open()
    try:
        pattern = await store.get(FunctionKey(DEFAULT_NAMESPACE, FunctionName(name)))
        functions = []
        for index in range(number):
            spec = msgspec.structs.replace(pattern.revision.spec, name=f"registered-{index:05d}")
            revision = msgspec.structs.replace(pattern.revision, spec=spec)
            key = FunctionKey(DEFAULT_NAMESPACE, FunctionName(spec.name))
            functions.append(msgspec.structs.replace(pattern, key=key, revision=revision))
        for start in range(0, number, _STORE_CHUNK):
            await asyncio.gather(*(store.put(function) for function in functions[start : start + _STORE_CHUNK]))
    finally:
        await store.close()
