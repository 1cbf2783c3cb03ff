"""Finding Node.js: what is there is told, and what will not do is refused with what would."""

import asyncio
import os
import shutil
from pathlib import Path

import pytest

from dayfly.build.node import Node, Nodes
from dayfly.model.errors import NotSupported


def program(folder: Path, answer: str, *, name: str = "node") -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\ncat <<'END'\n{answer}\nEND\n")
    path.chmod(0o755)


def find(folder: Path) -> Node:
    return (
        asyncio.run(Nodes(f"{folder}:/bin").find()) if shutil.which("cat", path="/bin") else pytest.skip("no /bin/cat")
    )


def test_the_program_says_where_and_what_it_is(tmp_path: Path) -> None:
    program(tmp_path, '["/opt/node/bin/node","20.1.0","115"]')
    found = find(tmp_path)
    assert found == Node("/opt/node/bin/node", "20.1.0", "115")
    assert found.major == 20


def test_none_is_refused_with_what_to_install(tmp_path: Path) -> None:
    with pytest.raises(NotSupported, match=r"no Node\.js on this machine") as refused:
        asyncio.run(Nodes(str(tmp_path)).find())
    assert "apt-get install nodejs npm" in refused.value.hint


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ('["/n","16.20.2","93"]', "is Node.js 16.20.2, and functions need a later one"),
        ("no node at all", "does not answer as Node.js does"),
        ('["/n","soon","1"]', "does not answer as Node.js does"),
        ("{}", "does not answer as Node.js does"),
    ],
)
def test_what_will_not_do_is_refused(tmp_path: Path, answer: str, told: str) -> None:
    program(tmp_path, answer)
    with pytest.raises(NotSupported, match=told):
        find(tmp_path)


def test_one_that_was_exchanged_is_asked_again(tmp_path: Path) -> None:
    nodes = Nodes(f"{tmp_path}:/bin")

    async def main() -> None:
        program(tmp_path, '["/n","18.0.0","108"]')
        assert (await nodes.find()).major == 18
        program(tmp_path, '["/n","22.10.0","127"]')
        assert (await nodes.find()).major == 22
        os.unlink(tmp_path / "node")
        with pytest.raises(NotSupported):
            await Nodes(str(tmp_path)).find()

    asyncio.run(main())


@pytest.mark.skipif(shutil.which("node") is None, reason="there is no node on PATH: apt-get install nodejs")
def test_the_one_of_this_machine_is_found() -> None:
    found = asyncio.run(Nodes().find())
    assert os.access(found.path, os.X_OK)
    assert not os.path.islink(found.path)
