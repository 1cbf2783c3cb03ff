"""Secrets of functions without a root of their own: in memory or nowhere, and gone with their function."""

import os
import shutil
import stat
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dayfly.runtimes.python import secret_files
from dayfly.server.traces import empty

CONTENTS = {"one": b"1" * 100_000, "two.key": bytes(range(256))}


@pytest.fixture
def run_dir() -> Iterator[Path]:
    """A run folder that an ordinary account may write to."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o777)
    yield folder
    for link in folder.glob("scratch/*/secrets"):
        shutil.rmtree(link.resolve(), ignore_errors=True)
    shutil.rmtree(folder)


def as_user(body: Callable[[], None]) -> None:
    """Run the body in a process of an ordinary account; fail when it fails."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            if os.geteuid() == 0:
                os.setgroups([])
                os.setresgid(1001, 1001, 1001)
                os.setresuid(1001, 1001, 1001)
            body()
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(code)
    assert os.waitpid(pid, 0)[1] == 0


def scratch_in(run_dir: Path) -> str:
    scratch = run_dir / "scratch" / "zygote-1"
    scratch.mkdir(parents=True)
    return str(scratch)


def test_they_are_its_owners_alone_and_go_with_the_template(run_dir: Path) -> None:
    def body() -> None:
        scratch = scratch_in(run_dir)
        secret_files.make_place(scratch, passable=False)
        place = Path(scratch, "secrets").resolve(strict=True)
        mine, other = (Path(secret_files.put(scratch, CONTENTS, os.geteuid())) for _ in range(2))
        other = other.rename(other.with_name("1-other"))
        assert {path.name: path.read_bytes() for path in mine.iterdir()} == CONTENTS
        assert {stat.S_IMODE(path.stat().st_mode) for path in mine.iterdir()} == {0o400}
        assert stat.S_IMODE(mine.stat().st_mode) == 0o500
        assert stat.S_IMODE(place.stat().st_mode) == 0o700
        mine.chmod(0)  # as a function may do to its own
        secret_files.clear(scratch, os.getpid())
        assert list(place.iterdir()) == [other]
        secret_files.clear(scratch)
        assert not place.exists()
        assert not os.path.lexists(f"{scratch}/secrets")
        secret_files.clear(scratch)

    as_user(body)


def test_a_place_of_the_functions_own_holds_them_itself(run_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def body() -> None:
        scratch = scratch_in(run_dir)
        with tempfile.TemporaryDirectory(dir="/dev/shm") as own:
            monkeypatch.setenv(secret_files.OWN, own)
            secret_files.make_place(scratch, passable=False)
            for contents in (CONTENTS, {"other": b"newer"}):
                assert secret_files.put(scratch, contents, os.geteuid()) == own
                assert {path.name: path.read_bytes() for path in Path(own).iterdir()} == contents
                assert {stat.S_IMODE(path.stat().st_mode) for path in Path(own).iterdir()} == {0o400}
                assert stat.S_IMODE(Path(own).stat().st_mode) == 0o500
            secret_files.clear(scratch, os.getpid())
            assert Path(own, "other").exists()
            secret_files.clear(scratch)
            assert not os.path.lexists(f"{scratch}/own-secrets")
            Path(own).chmod(0o700)
        monkeypatch.setenv(secret_files.OWN, str(run_dir))
        secret_files.make_place(scratch, passable=False)
        assert not os.path.lexists(f"{scratch}/own-secrets"), "a disk is no such place"
        secret_files.clear(scratch)

    as_user(body)


def test_those_that_a_crash_left_go_with_the_run_folder(run_dir: Path) -> None:
    def body() -> None:
        scratch = scratch_in(run_dir)
        secret_files.make_place(scratch, passable=False)
        place = Path(scratch, "secrets").resolve(strict=True)
        Path(secret_files.put(scratch, CONTENTS, os.geteuid())).chmod(0)
        empty(run_dir)
        assert not place.exists()

    as_user(body)


def test_they_are_not_written_to_a_disk(run_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(secret_files, "_places", lambda: (str(run_dir), "/nowhere"))
    scratch = scratch_in(run_dir)
    secret_files.make_place(scratch, passable=False)
    with pytest.raises(OSError, match=f"neither {run_dir} nor /nowhere is in memory"):
        secret_files.put(scratch, CONTENTS, os.geteuid())
    assert not [path for path in run_dir.rglob("*") if path.is_file()]


def test_other_users_functions_can_pass_to_their_own_where_they_must(run_dir: Path) -> None:
    scratch = scratch_in(run_dir)
    secret_files.make_place(scratch, passable=True)
    assert stat.S_IMODE(Path(scratch, "secrets").resolve(strict=True).stat().st_mode) == 0o711
