"""Two passwords for a while, and a server that ends as it is told to."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dayfly.queue.access import SYSTEM_USER, USER, Access
from dayfly.queue.keeper import KEYS, PREVIOUS_S, Passwords, main

_CONFIG = 'listen: "0.0.0.0:4222"\njetstream {{\n  store_dir: "{}"\n}}\n'
DEADLINE_S = 60.0


def given(folder: Path, calls: str, system: str = "s1") -> Path:
    for key, word in zip(KEYS.values(), (calls, system), strict=True):
        (folder / key).write_text(f"{word}\n")
    return folder


def test_both_passwords_get_in_for_a_while(tmp_path: Path) -> None:
    passwords = Passwords(given(tmp_path, 'one"\\'))
    assert '{ user: dayfly, password: "one\\"\\\\" }' in passwords.text
    assert "previous" not in passwords.text
    assert not passwords.look(0.0)
    given(tmp_path, "two")
    assert passwords.look(1.0)
    assert '{ user: dayfly, password: "two" }, { user: dayfly-previous, password: "one\\"\\\\" }' in passwords.text
    assert passwords.text.count("previous") == 1, "what stayed has no password before"
    assert not passwords.look(PREVIOUS_S)
    assert passwords.look(1.0 + PREVIOUS_S)
    assert "previous" not in passwords.text
    assert not passwords.look(2.0 * PREVIOUS_S)


@pytest.mark.parametrize("damage", [b"", b"\xff"])
def test_a_secret_that_is_damaged_leaves_what_was(tmp_path: Path, damage: bytes) -> None:
    passwords = Passwords(given(tmp_path, "one"))
    (tmp_path / KEYS[USER]).write_bytes(damage)
    assert not passwords.look(0.0)
    assert "one" in passwords.text
    assert main(["/bin/true", "--config", "x", "--credentials", str(tmp_path), "--run", str(tmp_path)]) == 78


def test_who_is_to_log_in_tries_what_a_server_may_know() -> None:
    assert Access(1, "now", "s").logins(USER) == [("dayfly", "now"), ("dayfly-previous", "now")]
    assert Access(1, "now", "s", system_previous="before").logins(SYSTEM_USER) == [
        ("system", "s"), ("system-previous", "s"), ("system", "before"), ("system-previous", "before"),
    ]  # fmt: skip


_SERVER = """\
import os, signal, sys, time
folder = sys.argv[2].rpartition("/")[0]
def say(word):
    with open(folder + "/said", "a") as file:
        file.write(word + "\\n")
signal.signal(signal.SIGHUP, lambda *_: say("told: " + str("two" in open(folder + "/users.conf").read())))
signal.signal(signal.SIGTERM, lambda *_: os._exit(7))
say("up")
while True:
    signal.pause()
"""


def test_the_server_is_told_and_ends_as_it_is_told_to(tmp_path: Path) -> None:
    program, run = tmp_path / "server", tmp_path / "run"
    program.write_text(f"#!{sys.executable}\n{_SERVER}")
    program.chmod(0o755)
    (tmp_path / "nats.conf").write_text(_CONFIG.format(tmp_path))
    given(tmp_path, "one")
    argv = [sys.executable, "-P", "-m", "dayfly.queue.keeper", str(program), "--config", str(tmp_path / "nats.conf")]
    argv += ["--credentials", str(tmp_path), "--run", str(run), "--poll", "0.01"]
    process = subprocess.Popen(argv)

    def said(word: str) -> None:
        deadline = time.monotonic() + DEADLINE_S
        while not (run / "said").exists() or word not in (run / "said").read_text():
            assert time.monotonic() < deadline, word
            time.sleep(0.01)

    try:
        said("up")
        assert {path.stat().st_mode & 0o777 for path in run.glob("*.conf")} == {0o600}
        given(tmp_path, "two")
        said("told: True")
        process.send_signal(signal.SIGTERM)
        assert process.wait(DEADLINE_S) == 7
    finally:
        process.kill()
        process.wait()


def test_a_server_that_is_killed_ends_the_keeper_as_a_shell_would(tmp_path: Path) -> None:
    program = tmp_path / "server"
    program.write_text("#!/bin/sh\nkill -9 $$\n")
    program.chmod(0o755)
    (tmp_path / "nats.conf").write_text(_CONFIG.format(tmp_path))
    given(tmp_path, "one")
    argv = [sys.executable, "-P", "-m", "dayfly.queue.keeper", str(program), "--config", str(tmp_path / "nats.conf")]
    argv += ["--credentials", str(tmp_path), "--run", str(tmp_path / "run")]
    assert subprocess.run(argv, timeout=DEADLINE_S, env=dict(os.environ)).returncode == 128 + signal.SIGKILL


_TALKS = """\
import sys
sys.stderr.write("[7] 2026/11/30 12:31:46.844385 [WRN] Slow Consumer\\n")
sys.stderr.write("panic: no end")
"""


def test_what_the_server_says_is_json_where_the_log_is(tmp_path: Path) -> None:
    program = tmp_path / "server"
    program.write_text(f"#!{sys.executable}\n{_TALKS}")
    program.chmod(0o755)
    (tmp_path / "nats.conf").write_text(_CONFIG.format(tmp_path))
    given(tmp_path, "one")
    argv = [sys.executable, "-P", "-m", "dayfly.queue.keeper", str(program), "--config", str(tmp_path / "nats.conf")]
    argv += ["--credentials", str(tmp_path), "--run", str(tmp_path / "run")]
    environ = {**os.environ, "DAYFLY_LOG_FORMAT": "json"}
    done = subprocess.run(argv, env=environ, capture_output=True, text=True, timeout=DEADLINE_S, check=True)
    said = [json.loads(line) for line in done.stderr.splitlines()]
    assert [(line["process"], line["level"], line["message"]) for line in said] == [
        ("nats-server", "warning", "Slow Consumer"), ("nats-server", "error", "panic: no end"),
    ]  # fmt: skip
    environ["DAYFLY_LOG_FORMAT"] = "text"
    done = subprocess.run(argv, env=environ, capture_output=True, text=True, timeout=DEADLINE_S, check=True)
    assert done.stderr.startswith("[7] 2026/11/30"), "as text it is the server's own"
