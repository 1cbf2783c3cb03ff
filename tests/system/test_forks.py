"""A command that is forked does what the same command does as the program."""

import os
import subprocess
from pathlib import Path

import pytest
from tests.system.driver import program
from tests.system.forks import can_fork, fork

HELLO = "def handle(event, context):\n    print('logged')\n    return event.body\n"
LINES = b"a line\n" * 20_000


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("version", "--gateway", "http://127.0.0.1:9"), 0),
        (("new", "hello", "--lang", "python"), 0),
        (("run", "given", "--lang", "python"), 0),
        (("--help",), 0),
        (("status",), 66),
        (("list", "--gateway", "http://127.0.0.1:9"), 69),
        (("nonsense",), 2),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_it_does_what_the_program_does(arguments: tuple[str, ...], code: int, tmp_path: Path) -> None:
    environ = os.environ | {"DAYFLY_DATA_DIR": str(tmp_path / "none"), "XDG_CACHE_HOME": str(tmp_path)}
    found = []
    for name in ("program", "fork"):
        folder = tmp_path / name
        (folder / "given").mkdir(parents=True)
        (folder / "given" / "handler.py").write_text(HELLO)
        if name == "program":
            done = subprocess.run(program(*arguments), input=LINES, capture_output=True, env=environ, cwd=folder)
            answer = done.returncode, done.stdout, done.stderr
        else:
            answer = fork(program(*arguments), LINES, environ, folder, 60)
        found.append((*answer, sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))))
    assert found[0] == found[1]
    assert found[0][0] == code


def test_what_takes_too_long_is_ended(tmp_path: Path) -> None:
    (tmp_path / "handler.py").write_text("import time\n\ndef handle(event, context):\n    time.sleep(600)\n")
    with pytest.raises(subprocess.TimeoutExpired):
        fork(program("run", str(tmp_path), "--lang", "python"), b"", os.environ, None, 0.1)


def test_a_command_is_the_program_first_and_where_python_would_differ() -> None:
    same = os.environ | {"DAYFLY_DATA_DIR": "elsewhere"}
    assert [can_fork("one that is tried here", same) for _ in range(2)] == [False, True]
    assert not can_fork("one that is tried here", same | {"PYTHONUTF8": "0"})
    assert [can_fork("start", same) for _ in range(2)] == [False, False]
