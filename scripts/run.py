"""`make run`: the platform in the foreground with the examples deployed, until Ctrl-C.

Standard library only; it starts the same `dayfly` command that a user would type. Arguments go to `dayfly start`.
"""

import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DAYFLY = str(Path(sys.executable).with_name("dayfly"))


def main(arguments: list[str]) -> int:
    """Run the platform; return its exit code."""
    environment = {"DAYFLY_DATA_DIR": str(ROOT / ".dayfly"), **os.environ}
    # Ctrl-C reaches the platform too, which is of the terminal's process group: here it must only not end the waiting.
    signal.signal(signal.SIGINT, lambda *_: None)
    log = _log(environment)
    with log.open("ab") as told:
        began = told.tell()
        platform = subprocess.Popen([DAYFLY, "start", *arguments], env=environment, stderr=told)
    signal.signal(signal.SIGTERM, lambda *_: platform.terminate())
    while platform.poll() is None and not _is_up(environment):
        time.sleep(0.1)
    if platform.poll() is None:
        # What cannot be deployed says so; the others are there all the same.
        command = [DAYFLY, "deploy", "-f", str(ROOT / "examples/stack.yaml"), "--skip-missing"]
        subprocess.run(command, env=environment)
        _tell_how(environment, log)
    code = platform.wait()
    if code:
        sys.stderr.write(log.read_bytes()[began:].decode(errors="replace"))
    return code


def _log(environment: dict[str, str]) -> Path:
    """Return where the platform says what it does, which would stand between the lines for people otherwise."""
    data = Path(environment["DAYFLY_DATA_DIR"])
    for folder in (data, data / "log"):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    log = data / "log" / "platform.log"
    log.touch(0o600)
    return log


def _is_up(environment: dict[str, str]) -> bool:
    return _ask("ready", environment=environment) is not None


def _tell_how(environment: dict[str, str], log: Path) -> None:
    url = _ask("describe", "slugify", "--output", "json", environment=environment)
    if url:
        import json

        print("\nThe examples are deployed (examples/README.md tells how to call each). For a start:\n")
        print(f"  curl -d 'Crème brûlée, twice' {json.loads(url)['url']}\n")
        # Without these another terminal has no `dayfly`, or one that looks for a platform elsewhere.
        print("In another terminal, for `dayfly` to be there and to find this platform:\n")
        place = shlex.quote(environment["DAYFLY_DATA_DIR"])
        print(f"  export PATH={shlex.quote(str(Path(DAYFLY).parent))}:$PATH DAYFLY_DATA_DIR={place}\n")
        print(f"The platform's log is {log}. Ctrl-C stops the platform.\n", flush=True)


def _ask(*command: str, environment: dict[str, str]) -> str | None:
    done = subprocess.run([DAYFLY, *command], env=environment, capture_output=True, text=True)
    return done.stdout if done.returncode == 0 else None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
