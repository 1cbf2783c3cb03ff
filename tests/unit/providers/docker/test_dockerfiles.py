"""Dockerfiles are handed to the engine, and what it says of them comes back line by line."""

import json
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from tests.unit.providers.docker.scripted import Said, run, scripted

from dayfly.model.engine import ContainerEngine, EngineState
from dayfly.model.errors import BuildFailed, DayflyError, InvalidSpec, Unavailable
from dayfly.providers.docker.dockerfiles import Dockerfiles
from dayfly.providers.docker.engine import Engine

Scenario = Callable[[Any, Dockerfiles], Coroutine[Any, Any, None]]


def play(scenario: Scenario) -> None:
    async def main() -> None:
        async with scripted() as stub:
            engine = Engine(str(stub.path))
            await engine.open()
            await scenario(stub, Dockerfiles(lambda: engine, EngineState))
            await engine.close()

    run(main())


def lines(*told: dict[str, Any]) -> Said:
    return Said(200, b"".join(json.dumps(each).encode() + b"\r\n" for each in told))


async def built(dockerfiles: Dockerfiles, image: str = "team/fn:1", **args: str) -> list[str]:
    return [text async for text in dockerfiles.build(image, b"archive", args)]


def test_the_context_is_sent_and_the_steps_are_told() -> None:
    async def scenario(stub: Any, dockerfiles: Dockerfiles) -> None:
        stub.answers["POST /build"] = lines(
            {"stream": "Step 1/2 : FROM x\n"}, {"stream": "\n"}, {"aux": {"ID": "sha256:x"}}, {"stream": "End"},
        )  # fmt: skip
        assert await built(dockerfiles, A="1") == ["Step 1/2 : FROM x", "End"]
        asked = stub.asked[-1]
        assert asked.body == b"archive"
        assert asked.headers["content-type"] == "application/x-tar"
        assert {**asked.query, "buildargs": json.loads(asked.query["buildargs"])} == {
            "t": "team/fn:1", "rm": "1", "forcerm": "1", "buildargs": {"A": "1"},
        }  # fmt: skip
        await built(dockerfiles, "registry.test:5000/fn")
        assert stub.asked[-1].query["t"] == "registry.test:5000/fn:latest"

    play(scenario)


@pytest.mark.parametrize(
    ("answer", "what"),
    [
        (lines({"stream": "Step 1"}, {"error": "no such file"}), "could not be built: no such file"),
        (Said(400, b'{"message": "dockerfile parse error"}'), "will not build team/fn:1: dockerfile parse error"),
    ],
)
def test_what_goes_wrong_is_the_engines_own_word(answer: Said, what: str) -> None:
    async def scenario(stub: Any, dockerfiles: Dockerfiles) -> None:
        stub.answers["POST /build"] = answer
        with pytest.raises(BuildFailed, match=what):
            await built(dockerfiles)

    play(scenario)


def test_what_is_no_json_is_passed_over() -> None:
    async def scenario(stub: Any, dockerfiles: Dockerfiles) -> None:
        stub.answers["POST /build"] = Said(200, b"x\n[]\n" + json.dumps({"stream": "end"}).encode())
        assert await built(dockerfiles) == ["end"]

    play(scenario)


@pytest.mark.parametrize("image", ["sha256:" + "a" * 64, "team/fn@sha256:" + "a" * 64, "A B"])
def test_a_name_that_no_image_can_be_given_is_refused(image: str) -> None:
    async def scenario(stub: Any, dockerfiles: Dockerfiles) -> None:
        with pytest.raises(InvalidSpec, match="image"):
            await built(dockerfiles, image)
        assert stub.calls() == []

    play(scenario)


def test_why_there_is_no_engine_is_told() -> None:
    known = ContainerEngine(name="Docker", version="1", socket="/s")

    def away() -> Engine:
        raise Unavailable("away")

    assert Dockerfiles(away, lambda: EngineState(reason="none is here")).why_none() == "none is here"
    dockerfiles = Dockerfiles(away, lambda: EngineState(engine=known, reason="away"))
    assert dockerfiles.why_none() == ""

    async def scenario() -> None:
        with pytest.raises(DayflyError, match="away"):
            await built(dockerfiles)

    run(scenario())
