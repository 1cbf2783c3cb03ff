"""A Dockerfile built by a real engine, as the remote builder has it built."""

import asyncio
from collections.abc import Mapping

import pytest
from tests.engine.daemon import BASE, Daemon

from dayfly.build.context import File
from dayfly.build.pack import tar_of
from dayfly.model.engine import EngineState
from dayfly.model.errors import BuildFailed
from dayfly.providers.docker.dockerfiles import Dockerfiles
from dayfly.providers.docker.engine import Engine

FILES = {
    "Dockerfile": f"FROM {BASE}\nARG WHO=nobody\nENV WHO=$WHO\nCOPY deep/a.txt /a.txt\n",
    "deep/a.txt": "hello",
}


def build(daemon: Daemon, image: str, files: Mapping[str, str], **args: str) -> list[str]:
    async def main() -> list[str]:
        engine = Engine(str(daemon.socket))
        await engine.open()
        try:
            archive = tar_of({path: File(text.encode()) for path, text in files.items()})
            return [text async for text in Dockerfiles(lambda: engine, EngineState).build(image, archive, args)]
        finally:
            await engine.close()

    return asyncio.run(main())


def test_its_steps_make_an_image_of_that_name(daemon: Daemon) -> None:
    told = build(daemon, "dayfly-test/built:1", FILES, WHO="me")
    assert any("COPY deep/a.txt" in text for text in told)
    assert '"WHO=me"' in daemon.run("inspect", "--format", "{{json .Config.Env}}", "dayfly-test/built:1")
    daemon.run("rmi", "dayfly-test/built:1")


def test_a_step_that_fails_is_told(daemon: Daemon) -> None:
    with pytest.raises(BuildFailed, match=r"could not be built|will not build"):
        build(daemon, "dayfly-test/broken:1", {**FILES, "Dockerfile": f"FROM {BASE}\nCOPY missing /a\n"})
