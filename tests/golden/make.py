"""Makes a golden data folder: what this version of Dayfly leaves on the disk, kept for every later version to open.

    python tests/golden/make.py tests/golden/VERSION          (VERSION-unreleased for one that was never released)

Run it with the version that is to be kept, once, before its release, and never change the folder again. It is made by
the real program through its command line: functions with several revisions, figures, log lines, the administrator's
password (PASSWORD below, a test's). What can be made again from these, unpacked code and layers, is left out.
`expected.json` says what a later version must find.
"""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

PASSWORD = "golden-data-folders-are-opened-by-tests"
KEPT = ("state.db", "blobs", "credentials", "records")
GREETER = """
import os

def handle(event, context):
    print("greeted", event.body.decode(), flush=True)
    return f"{os.environ['GREETING']} {event.body.decode()}"
"""
ADDER = "def add(a: int, b: int = 1) -> int:\n    return a + b\n"


def main(folder: Path) -> None:
    """Make the folder, which must not exist yet."""
    folder.mkdir()
    with tempfile.TemporaryDirectory(prefix="dayfly-golden-") as name:
        scratch = Path(name)
        scratch.chmod(0o755)
        data = scratch / "data"
        dayfly = _Dayfly(data)
        dayfly.run("start", "--detach", "--port", "0", "--console-port", "0", "--metrics-port", "0")
        try:
            expected = _fill(dayfly, scratch)
        finally:
            dayfly.run("stop")
        with sqlite3.connect(data / "state.db") as database:
            expected["layout"] = database.execute("PRAGMA user_version").fetchone()[0]
        database.close()
        for part in KEPT:
            if (data / part).is_dir():
                shutil.copytree(data / part, folder / part)
            else:
                shutil.copy(data / part, folder / part)
    (folder / "expected.json").write_text(json.dumps(expected, indent=2) + "\n")


class _Dayfly:
    def __init__(self, data: Path) -> None:
        self._environ = {name: value for name, value in os.environ.items() if not name.startswith("DAYFLY_")}
        self._environ |= {"DAYFLY_DATA_DIR": str(data), "DAYFLY_ADMIN_PASSWORD": PASSWORD}

    def run(self, *arguments: str, stdin: str = "") -> str:
        program = str(Path(sys.executable).with_name("dayfly"))
        return subprocess.run(
            [program, *arguments], env=self._environ, input=stdin, capture_output=True, text=True, check=True
        ).stdout


def _fill(dayfly: _Dayfly, scratch: Path) -> dict[str, Any]:
    greeter, adder = scratch / "greeter", scratch / "adder"
    for folder, code in ((greeter, GREETER), (adder, ADDER)):
        folder.mkdir()
        (folder / "handler.py").write_text(code)
    calls = [("greeter", "golden", "Good day golden"), ("adder", '{"a": 41}', "42")]
    for greeting in ("Hello", "Welcome", "Good day"):
        dayfly.run(
            "deploy", "greeter", "--handler", str(greeter), "--lang", "python", "--env", f"GREETING={greeting}",
            "--label", "team=golden", "--label", "com.openfaas.scale.max=3",
        )  # fmt: skip
    dayfly.run("deploy", "adder", "--handler", str(adder), "--lang", "python-typed")
    for name, body, answer in calls:
        assert dayfly.run("invoke", name, stdin=body).strip() == answer
    dayfly.run("scale", "greeter", "2")
    functions = json.loads(dayfly.run("list", "--output", "json"))
    return {
        "version": json.loads(dayfly.run("status", "--output", "json"))["version"],
        "functions": {each["spec"]["name"]: {"revision": each["revision"], "spec": each["spec"]} for each in functions},
        "invocations": {name: 1 for name, _, _ in calls},
        "calls": calls,
        "logged": {"greeter": "greeted golden"},
    }


if __name__ == "__main__":
    main(Path(sys.argv[1]))
