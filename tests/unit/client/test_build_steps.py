"""Build steps: real programs, their environment, their words when they fail, and that they always end."""

import contextlib
import os
import select
import sys
from pathlib import Path

import pytest

from dayfly.client import build_steps
from dayfly.client.template_file import Glob, Recipe, Template
from dayfly.model.errors import BuildFailed, NotSupported


def template(*steps: list[str], **recipe: object) -> Template:
    made = Recipe(steps=tuple(tuple(step) for step in steps), **recipe)  # type: ignore[arg-type] # the test's own fields
    return Template(name="mine", folder=Path(), runtime="http", recipe=made)


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def test_steps_run_in_turn_where_the_template_says(tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    write = "open('{}', 'x').write(open('a').read() if {} else 'first')"
    steps = [python(write.format("a", False)), python(write.format("b", True))]
    build_steps.run(template(*steps, directory="src"), tmp_path, {})
    assert (tmp_path / "src" / "b").read_text() == "first"


def test_globs_become_the_files_sorted(tmp_path: Path) -> None:
    for name in ("src/b.c", "src/a.c", "src/deep/c.c", "src/x.h"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    step = ("cc", Glob("src/**/*.c"), "-o", Glob("none/*"))
    assert build_steps.words(step, tmp_path) == ["cc", "src/a.c", "src/b.c", "src/deep/c.c", "-o"]


def test_of_the_callers_environment_a_build_gets_places_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOFLAGS", "-race")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("HOME", "/home/of-mine")
    code = "import os; open('out', 'w').write(repr(dict(os.environ)))"
    build_steps.run(template(python(code), environment={"A": "1", "B": "1"}), tmp_path, {"B": "2"})
    found = eval((tmp_path / "out").read_text())  # noqa: S307 - what the step above wrote
    assert (found["HOME"], found["A"], found["B"], found["PATH"]) == ("/home/of-mine", "1", "2", os.environ["PATH"])
    assert "GOFLAGS" not in found
    assert "AWS_SECRET_ACCESS_KEY" not in found


def test_what_a_step_that_fails_printed_is_told_whole_with_its_exit_code(tmp_path: Path) -> None:
    code = (
        "import sys; print('handler.go:7: undefined'); sys.stdout.flush(); print('and more', file=sys.stderr); exit(3)"
    )
    with pytest.raises(BuildFailed) as caught:
        build_steps.run(template(python(code), python("open('later', 'w')")), tmp_path, {})
    assert "ended with exit code 3:\nhandler.go:7: undefined\nand more" in str(caught.value)
    assert not (tmp_path / "later").exists()


def test_of_a_flood_the_end_is_told(tmp_path: Path) -> None:
    with pytest.raises(BuildFailed) as caught:
        build_steps.run(template(python("print('x' * 3_000_000); exit('the end')")), tmp_path, {})
    assert len(str(caught.value)) < build_steps.MAX_OUTPUT_BYTES + 500
    assert str(caught.value).rstrip().endswith("the end")


def test_a_signal_is_told_by_name(tmp_path: Path) -> None:
    with pytest.raises(BuildFailed, match="SIGTERM"):
        build_steps.run(template(python("import os; os.kill(os.getpid(), 15)")), tmp_path, {})


def test_a_step_that_does_not_end_is_ended_with_all_it_started(tmp_path: Path) -> None:
    code = (
        "import subprocess, time; open('pid', 'w').write(str(subprocess.Popen(['sleep', '300']).pid)); time.sleep(300)"
    )
    with pytest.raises(BuildFailed, match="did not end within 1 s \\(build_timeout"):
        build_steps.run(template(python(code), timeout_s=1.0), tmp_path, {})
    with contextlib.suppress(ProcessLookupError):  # it is gone already
        fd = os.pidfd_open(int((tmp_path / "pid").read_text()))
        assert select.select([fd], [], [], 10)[0], "what it started lives on"
        os.close(fd)


def test_a_step_that_leaves_something_running_is_not_waited_for(tmp_path: Path) -> None:
    code = "import subprocess; open('pid', 'w').write(str(subprocess.Popen(['sleep', '300']).pid))"
    build_steps.run(template(python(code), timeout_s=20.0), tmp_path, {})
    os.kill(int((tmp_path / "pid").read_text()), 9)


def test_a_program_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotSupported, match="no-such-compiler"):
        build_steps.run(template(["no-such-compiler", "-o", "x"]), tmp_path, {})
    (tmp_path / "tool").write_text("not executable")
    with pytest.raises(BuildFailed, match="could not be started"):
        build_steps.run(template(["./tool"]), tmp_path, {})


def test_a_check_tells_the_version_or_that_nothing_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    assert build_steps.version_of_program(python("print('mine 1.2')")) == "mine 1.2"
    assert build_steps.version_of_program(python("print('x'); exit(1)")) is None
    assert build_steps.version_of_program(["no-such-compiler"]) is None
    monkeypatch.setattr(build_steps, "CHECK_TIMEOUT_S", 0.2)
    assert build_steps.version_of_program(["sleep", "300"]) is None


def test_what_is_missing_is_told_with_how_to_get_it() -> None:
    import msgspec

    told = build_steps.missing(
        msgspec.structs.replace(template(), check=("cc", "--version"), needs="a compiler: apt-get install gcc")
    )
    assert "cannot build mine functions: `cc --version` does not work here" in told.message
    assert "apt-get install gcc" in told.hint
