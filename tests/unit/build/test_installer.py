"""The installer's command, environment, log and end."""

import asyncio
import sys
from pathlib import Path

import pytest

from dayfly.build.installer import find_uv, install_argv, installer_environment, run_installer
from dayfly.model.errors import BuildFailed


@pytest.mark.parametrize("uv", [None, "/bin/uv"])
def test_wheels_only_unless_allowed(uv: str | None) -> None:
    def argv(allow: bool) -> str:
        return " ".join(install_argv("/bin/python", Path("/r.txt"), Path("/site"), allow_sdist=allow, uv=uv))

    assert "--only-binary :all:" in argv(False)
    assert "--only-binary" not in argv(True)
    assert argv(True).endswith("--target /site --requirement /r.txt")


def test_the_environment_is_the_indexes_settings_and_no_secret() -> None:
    kept = {
        "HOME": "/h",
        "PATH": "/p",
        "PIP_INDEX_URL": "i",
        "UV_OFFLINE": "1",
        "https_proxy": "p",
        "SSL_CERT_FILE": "c",
    }
    secret = {"DAYFLY_ADMIN_PASSWORD": "x", "AWS_SECRET_ACCESS_KEY": "x", "PYTHONPATH": "x", "LD_PRELOAD": "x"}
    assert installer_environment(kept | secret) == kept


def test_what_it_prints_is_logged_and_a_failure_quotes_the_end(tmp_path: Path) -> None:
    log = tmp_path / "install.log"
    code = "import sys; print('first'); print('no such package', file=sys.stderr); sys.exit(3)"
    with pytest.raises(BuildFailed, match="no such package") as failed:
        asyncio.run(run_installer([sys.executable, "-c", code], log))
    assert "code 3" in str(failed.value)
    assert "first" in log.read_text()


def test_one_that_takes_too_long_is_killed_with_all_it_started(tmp_path: Path) -> None:
    log, pid_file = tmp_path / "install.log", tmp_path / "pid"

    async def main() -> None:
        task = asyncio.create_task(
            run_installer(["sh", "-c", 'sleep 60 & echo $! > "$0"; wait', str(pid_file)], log, timeout_s=1.5)
        )
        with pytest.raises(BuildFailed, match=r"longer than 1\.5 s"):
            await task

    asyncio.run(main())
    pid = int(pid_file.read_text())
    state = Path(f"/proc/{pid}/stat")
    assert not state.exists() or state.read_text().rpartition(")")[2].split()[0] == "Z"


def test_a_program_that_is_not_there_is_a_build_failure(tmp_path: Path) -> None:
    with pytest.raises(BuildFailed, match="could not be run"):
        asyncio.run(run_installer([str(tmp_path / "missing")], tmp_path / "install.log"))


def test_uv_beside_the_interpreter_is_preferred(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for folder in ("venv", "path"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "uv").write_text("#!/bin/sh\n")
        (tmp_path / folder / "uv").chmod(0o700)
    monkeypatch.setenv("PATH", str(tmp_path / "path"))
    assert find_uv(str(tmp_path / "venv" / "python")) == str(tmp_path / "venv" / "uv")
    assert find_uv(str(tmp_path / "elsewhere" / "python")) == str(tmp_path / "path" / "uv")
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    assert find_uv(str(tmp_path / "elsewhere" / "python")) is None
