"""Speaking with an engine: the version agreed on, its refusals, its absence."""

import asyncio
import json
from typing import Any

import pytest
from tests.unit.providers.docker.scripted import VERSION, Said, piece, run, scripted

from dayfly.model.engine import ContainerEngine
from dayfly.model.errors import Unavailable
from dayfly.providers.docker import calls
from dayfly.providers.docker.engine import Engine, Refusal


@pytest.mark.parametrize(
    ("oldest", "newest", "spoken"), [("1.12", "1.41", "/v1.41"), ("1.24", "1.47", "/v1.41"), ("1.44", "1.52", "/v1.44")]
)
def test_the_oldest_version_that_will_do_is_spoken(oldest: str, newest: str, spoken: str) -> None:
    async def scenario() -> None:
        async with scripted() as stub:
            stub.answers["GET /version"] = {**VERSION, "ApiVersion": newest, "MinAPIVersion": oldest}
            engine = Engine(str(stub.path))
            known = await engine.open()
            assert known == ContainerEngine(name="Docker", version="20.10.24", socket=str(stub.path))
            assert engine._base == spoken
            await engine.close()

    run(scenario())


@pytest.mark.parametrize("version", [{"ApiVersion": "1.40"}, {"ApiVersion": "new"}])
def test_an_engine_that_is_too_old_is_none(version: dict[str, str]) -> None:
    async def scenario() -> None:
        async with scripted() as stub:
            stub.answers["GET /version"] = {**VERSION, **version}
            engine = Engine(str(stub.path))
            with pytest.raises(Unavailable, match=r"API version|20\.10"):
                await engine.open()
            await engine.close()

    run(scenario())


def test_what_an_engine_does_not_enforce_is_told() -> None:
    async def scenario() -> None:
        async with scripted() as stub:
            stub.answers["GET /version"] = {**VERSION, "Components": [{"Name": "Podman Engine"}]}
            stub.answers["GET /info"] = {"SecurityOptions": ["name=rootless"], "MemoryLimit": True}
            engine = Engine(str(stub.path))
            known = await engine.open()
            assert (known.name, known.rootless) == ("Podman", True)
            assert [text for word in ("processes", "cpu", "seccomp") for text in known.missing if word in text]
            assert len(known.missing) == 3
            await engine.close()

    run(scenario())


def test_a_refusal_is_the_engines_own_words_and_an_absence_is_none() -> None:
    async def scenario() -> None:
        async with scripted() as stub:
            engine = Engine(str(stub.path))
            await engine.open()
            stub.answers["POST /containers/x/start"] = Said(500, b'{"message":"exec: no such file"}')
            with pytest.raises(Refusal, match="exec: no such file") as refused:
                await engine.ask("POST", "/containers/x/start")
            assert refused.value.status == 500
            stub.answers["POST /containers/x/start"] = Said(400, b"not json")
            with pytest.raises(Refusal, match="not json"):
                await engine.ask("POST", "/containers/x/start")
            assert await engine.ask("DELETE", "/containers/gone", good=(404,)) == {"message": "no such thing"}
            await stub.stop()
            with pytest.raises(Unavailable, match="does not answer"):
                await engine.ask("GET", "/info")
            await engine.close()

    run(scenario())


def test_a_stream_that_breaks_off_is_an_absence() -> None:
    async def scenario() -> None:
        async with scripted() as stub:

            async def break_off(writer: asyncio.StreamWriter) -> None:
                await piece(writer, b"second")
                writer.transport.abort()

            stub.answers["GET /events"] = Said(200, b"first", break_off)
            engine = Engine(str(stub.path))
            await engine.open()
            seen: list[bytes] = []

            async def read() -> None:
                async with engine.stream("GET", "/events") as pieces:
                    async for each in pieces:
                        seen[:] = [*seen, each]

            with pytest.raises(Unavailable, match="does not answer"):
                await read()
            assert b"".join(seen) == b"firstsecond"
            await engine.close()

    run(scenario())


def test_only_containers_of_ours_are_ever_seen() -> None:
    def container(name: str, labels: dict[str, str]) -> dict[str, Any]:
        return {"Id": name, "Labels": labels, "State": "running"}

    async def scenario() -> None:
        async with scripted() as stub:
            # As from an engine that knows no such filter.
            stub.answers["GET /containers/json"] = [
                container("ours", {"dayfly.installation": "me", "dayfly.replica": "r"}),
                container("others", {"dayfly.installation": "them", "dayfly.replica": "r"}),
                container("strangers", {}),
            ]
            engine = Engine(str(stub.path))
            await engine.open()
            assert [found.id for found in await calls.list_ours(engine, "me")] == ["ours"]
            asked = stub.asked[-1].query
            assert (asked["all"], json.loads(asked["filters"])) == ("1", {"label": ["dayfly.installation=me"]})
            await engine.close()

    run(scenario())


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ({"cpu_stats": {"cpu_usage": {"total_usage": 1_500_000_000}},
          "memory_stats": {"usage": 100, "stats": {"total_inactive_file": 30, "inactive_file": 1}}}, (1.5, 70)),
        ({"cpu_stats": {"cpu_usage": {"total_usage": 5}},
          "memory_stats": {"usage": 100, "stats": {"inactive_file": 120}}}, (5e-9, 0)),
        ({"cpu_stats": {"cpu_usage": {"total_usage": 5}}, "memory_stats": {"usage": 100}}, (5e-9, 100)),
        ({"cpu_stats": {"cpu_usage": {"total_usage": 0}}, "memory_stats": {}}, None),
        ({}, None),
        (None, None),
    ],
)  # fmt: skip
def test_use_is_what_the_kernel_cannot_take_back(
    told: dict[str, Any] | None, expected: tuple[float, int] | None
) -> None:
    use = calls.understand_use(told)
    assert (None if use is None else (use.cpu_s, use.memory_bytes)) == expected
